package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/net/websocket"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

var (
	errStreams = errors.Define(503, "streams_full", "Too many pages are connected right now. Try again later.")
	errUpgrade = errors.Define(426, "upgrade_required", "This route is for WebSocket over HTTP/1.1.")
)

// tickets let a page open a stream. EventSource and WebSocket cannot send an Authorization
// header, and an access token in a URL would be logged. So the page requests a ticket with
// its access token, and connects with
//
//	new EventSource("/events?ticket=" + ticket)
//	new WebSocket("wss://" + location.host + "/socket?ticket=" + ticket)
//
// A ticket works once, within 30 s, at these two routes. A page of another origin cannot
// get a ticket, and cookies do not open a stream, so it cannot act as its visitor
// (cross-site WebSocket hijacking, CWE-1385). After a stream has ended, the page must get
// another ticket, because the retry of EventSource gets a 401.
type tickets struct{ shelf shelf }

const (
	ticketLife  = 30 * time.Second
	keptTickets = 10 // for each owner
)

// ticketFor is the stored content of a ticket. Its key in the shelf is the hash of the
// ticket.
type ticketFor struct {
	Identity auth.Identity `json:"identity"`
	Until    time.Time     `json:"until"`
}

func ticketKey(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return "ticket:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// issue returns a ticket with the rights and the expiry of the principal.
func (t tickets) issue(ctx context.Context, p *auth.Principal) (string, error) {
	ticket := rand.Text() // 128 bits
	content, err := json.Marshal(ticketFor{
		Identity: auth.Identity{
			CallerType: p.CallerType(), Issuer: p.Issuer(), Subject: p.Subject(), SessionID: p.SessionID(), CredentialID: p.CredentialID(),
			Scope: p.Scope(), ExpiresAt: p.ExpiresAt(),
		},
		Until: time.Now().Add(ticketLife),
	})
	if err != nil {
		return "", err
	}
	key := ticketKey(ticket)
	if err := t.shelf.update(ctx, key, func([]byte) ([]byte, error) { return content, nil }); err != nil {
		return "", err
	}
	return ticket, t.shelf.list(ctx, "tickets:"+p.Subject(), key, keptTickets)
}

// Authenticate consumes the ticket of a request in one step. Of two requests with the same
// ticket, even at two shops, only one is served.
func (t tickets) Authenticate(r *http.Request) (*auth.Principal, error) {
	if r.URL.Path != "/events" && r.URL.Path != "/socket" {
		return nil, nil
	}
	given := r.URL.Query()["ticket"]
	switch {
	case len(given) == 0:
		return nil, nil
	case len(given) > 1:
		return nil, auth.ErrMalformed
	}
	var found ticketFor
	err := t.shelf.update(r.Context(), ticketKey(given[0]), func(content []byte) ([]byte, error) {
		if len(content) == 0 {
			return nil, auth.ErrInvalid // not issued, expired, or already used
		}
		return []byte{}, json.Unmarshal(content, &found)
	})
	switch {
	case errors.Is(err, errShelf):
		return nil, auth.ErrUnavailable.Wrap(err)
	case err != nil:
		return nil, err
	case !time.Now().Before(found.Until) || !time.Now().Before(found.Identity.ExpiresAt):
		return nil, auth.ErrExpired
	}
	return auth.NewPrincipal(found.Identity)
}

// Challenge returns "", because a ticket has no authentication scheme.
func (tickets) Challenge() string { return "" }

func (s *service) giveTicket(w http.ResponseWriter, r *http.Request) error {
	p, _ := auth.From(r.Context())
	ticket, err := s.tickets.issue(r.Context(), p)
	if err != nil {
		return err
	}
	return write(w, 200, map[string]any{"ticket": ticket, "expires_in": int(ticketLife.Seconds())})
}

// maxStreams is the maximum number of streams of a shop. Each occupies a connection.
const maxStreams = 1000

const (
	lookEvery   = time.Second
	beatEvery   = 15 // lookups between two heartbeats, because proxies close silent connections
	sendTimeout = 10 * time.Second
)

// follow sends the caller's last order when it changes, and every 15 s. It ends when the
// client disconnects, the shop stops, or the caller's access ends. It checks the access
// itself, because the rings check it only once for a request.
func (s *service) follow(ctx context.Context, send func(event []byte) error) error {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return errStreams.Header("Retry-After", "10")
	}
	p, _ := auth.From(ctx)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	last := ""
	for looks := 0; time.Now().Before(p.ExpiresAt()); looks++ {
		if err := s.revoked.Check(ctx, p.CredentialID(), p.SessionID(), p.Subject(), time.Time{}); err != nil {
			return err
		}
		own, err := s.orders.of(ctx, p.Subject(), 1)
		if err != nil {
			return err
		}
		event, err := json.Marshal(own)
		if err != nil {
			return err
		}
		if string(event) != last || looks%beatEvery == 0 {
			if err := send(event); err != nil {
				return err
			}
			last = string(event)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.stopping:
			return nil
		case <-look.C:
		}
	}
	return nil
}

// events serves the stream to an EventSource.
func (s *service) events(w http.ResponseWriter, r *http.Request) error {
	control, begun := http.NewResponseController(w), false
	// The server's WriteTimeout would end the response after a minute, so each event
	// sets a new deadline.
	err := s.follow(r.Context(), func(event []byte) error {
		if err := control.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
			return err
		}
		w.Header().Set("Content-Type", "text/event-stream")
		begun = true
		if _, err := fmt.Fprintf(w, "data: %s\n\n", event); err != nil {
			return err
		}
		return control.Flush()
	})
	if begun {
		return nil // the header is sent, so an error cannot become a response
	}
	return err
}

// socket serves the stream to a WebSocket. The deadlines of the server do not apply to its
// connection.
func (s *service) socket(w http.ResponseWriter, r *http.Request) error {
	if _, ok := w.(http.Hijacker); !ok || r.Header.Get("Upgrade") == "" {
		return errUpgrade.Header("Upgrade", "websocket")
	}
	// websocket.Server, unlike websocket.Handler, does not require an Origin header. The
	// ticket is the credential.
	websocket.Server{Handler: func(conn *websocket.Conn) {
		_ = s.follow(r.Context(), func(event []byte) error { // the client has disconnected
			if err := conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
				return err
			}
			_, err := conn.Write(event)
			return err
		})
	}}.ServeHTTP(w, r)
	return nil
}
