package token_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// publisher is an issuer's HTTPS server, which can do anything a server does.
type publisher struct {
	*httptest.Server
	mu      sync.Mutex
	answer  http.HandlerFunc
	fetches atomic.Int32
}

func newPublisher(t *testing.T, answer http.HandlerFunc) *publisher {
	t.Helper()
	p := &publisher{answer: answer}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fetches.Add(1)
		p.mu.Lock()
		answer := p.answer
		p.mu.Unlock()
		answer(w, r)
	}))
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	p.EnableHTTP2 = true
	p.StartTLS()
	t.Cleanup(func() {
		p.CloseClientConnections() // before waiting for handlers that hang
		p.Close()
	})
	return p
}

func (p *publisher) set(answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// publishes responds with the public keys of these algorithms, whose names are
// their kids.
func publishes(algs ...token.Alg) http.HandlerFunc {
	var all []token.Key
	for _, alg := range algs {
		all = append(all, key(alg, token.Schedule{}))
	}
	return errors.Must(token.NewKeys(all...)).JWKS().ServeHTTP
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// remoteService is a service that takes the publisher's tokens.
type remoteService struct {
	t       *testing.T
	keys    *token.Remote
	v       *token.Verifier
	handler http.Handler
	tokens  map[token.Alg]string

	clock   atomic.Int64 // after noon
	mu      sync.Mutex
	events  []token.Event
	longest time.Duration // that a request waited
}

func newRemoteService(t *testing.T, p *publisher) *remoteService {
	t.Helper()
	s := &remoteService{t: t, tokens: make(map[token.Alg]string)}
	s.keys = errors.Must(token.NewRemote(token.RemoteOptions{URL: p.URL, Client: p.Client(), OnEvent: func(_ context.Context, e token.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
	}}))
	now := func() time.Time { return noon.Add(time.Duration(s.clock.Load())) }
	v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: s.keys, Issuer: issuerName, Audience: []string{audience}}))
	token.SetClock(now, s.keys, v)
	s.v = v
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{v}}))
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	s.handler = failures.Handler(callers.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	return s
}

// pass moves the clock on.
func (s *remoteService) pass(d time.Duration) { s.clock.Add(int64(d)) }

// ask sends a new token that is signed by the key of an algorithm.
func (s *remoteService) ask(alg token.Alg) *http.Response {
	return s.askAs(s.t.Context(), alg, string(alg))
}

// askAs sends one under another kid.
func (s *remoteService) askAs(ctx context.Context, alg token.Alg, kid string) *http.Response {
	now := noon.Add(time.Duration(s.clock.Load()))
	claims := goodClaims().with(object{"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()})
	return s.send(ctx, signAs(alg, goodHeader().with(object{"alg": alg, "kid": kid}).json(), claims.json()))
}

func (s *remoteService) send(ctx context.Context, text string) *http.Response {
	r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+text)
	w := httptest.NewRecorder()
	began := time.Now()
	s.handler.ServeHTTP(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest = max(s.longest, time.Since(began))
	return w.Result()
}

// told returns the number of events with a reason.
func (s *remoteService) told(reason token.Reason) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Reason == reason {
			n++
		}
	}
	return n
}

func (s *remoteService) report(p *publisher) {
	s.t.Helper()
	s.t.Logf("%d fetches; the longest wait of a request: %v", p.fetches.Load(), s.longest.Round(time.Millisecond))
}
