package providers_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/providers"
)

var quiet = slog.New(slog.DiscardHandler)

// A service is a server with one route, which responds with its caller.
type service struct {
	url    string
	client *http.Client

	mu     sync.Mutex
	events []auth.Event
}

// A caller is the principal of a request as the service saw it.
type caller struct {
	Type    auth.CallerType
	Subject string
	Scope   []string
}

// A response has what a client gets, and why the service refused it.
type response struct {
	Status int
	Code   string
	Reason auth.Reason
	Caller caller
}

// startService serves the callers that an authenticator accepts.
func startService(t testing.TB, a *providers.Authority, callers auth.Authenticator) *service {
	t.Helper()
	s := &service{}
	rings := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{callers}, Logger: quiet, OnEvent: func(_ context.Context, e auth.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
	}}))
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := auth.From(r.Context())
		_ = json.NewEncoder(w).Encode(caller{p.CallerType(), p.Subject(), p.Scope()})
	})
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: quiet}))
	srv := httptest.NewUnstartedServer(failures.Handler(rings.Handler(show)))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{a.Certificate}, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	s.url = srv.URL + "/orders"
	s.client, _ = a.Client(t)
	return s
}

// call sends a bearer token.
func (s *service) call(t testing.TB, text string) response {
	t.Helper()
	return s.send(t, http.Header{"Authorization": {"Bearer " + text}})
}

// send sends a request with a header. Requests must not overlap, because an event
// is taken for the last one.
func (s *service) send(t testing.TB, header http.Header) (r response) {
	t.Helper()
	s.mu.Lock()
	s.events = nil
	s.mu.Unlock()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
	require.NoError(t, err)
	req.Header = header
	res, err := s.client.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	r.Status = res.StatusCode
	if r.Status == http.StatusOK {
		require.NoError(t, json.Unmarshal(body, &r.Caller))
		return r
	}
	var problem struct{ Code string }
	require.NoError(t, json.Unmarshal(body, &problem), string(body))
	r.Code = problem.Code
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.events, 1, string(body))
	r.Reason = s.events[0].Cause
	return r
}

// newRemote returns the keys of a provider, found by its issuer.
func newRemote(t testing.TB, p *providers.Provider) (*token.Remote, *providers.Requests) {
	t.Helper()
	client, requests := p.Authority.Client(t)
	return errors.Must(token.NewRemote(token.RemoteOptions{Issuer: p.Issuer, Client: client, Logger: quiet})), requests
}

// refused is the response to a token that is not valid for a reason.
func refused(reason auth.Reason) response {
	return response{Status: 401, Code: "auth_invalid", Reason: reason}
}

func accepted(kind auth.CallerType, subject string, scope ...string) response {
	return response{Status: 200, Caller: caller{kind, subject, scope}}
}
