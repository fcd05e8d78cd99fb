package token_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// An endpoint is an introspection endpoint that replies by token.
type endpoint struct {
	*httptest.Server
	calls   atomic.Int32
	mu      sync.Mutex
	replies map[string]string // an unknown token is not active
	before  func(w http.ResponseWriter) bool
}

func newEndpoint(t *testing.T, replies map[string]string) *endpoint {
	t.Helper()
	e := &endpoint{replies: replies}
	e.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.calls.Add(1)
		id, secret, ok := r.BasicAuth()
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
		if !ok || id != "orders:api" || secret != "p%ss word" || r.Method != http.MethodPost {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		e.mu.Lock()
		reply, known := e.replies[r.FormValue("token")]
		before := e.before
		e.mu.Unlock()
		if before != nil && before(w) {
			return
		}
		if !known {
			reply = `{"active":false}`
		}
		_, _ = w.Write([]byte(reply))
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) introspector(t *testing.T, change func(*token.IntrospectorOptions)) *token.Introspector {
	t.Helper()
	o := token.IntrospectorOptions{
		URL: e.URL, Issuer: "https://issuer.example", ClientID: "orders:api", Secret: []byte("p%ss word"), Audience: []string{"orders"},
		Client: e.Client(), Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	return errors.Must(token.NewIntrospector(o))
}

// activeReply returns a reply for an active token with more members.
func activeReply(more string) string {
	return fmt.Sprintf(`{"active":true,"exp":%d,"aud":"orders"%s}`, time.Now().Add(time.Hour).Unix(), more)
}

func TestIntrospectionRepliesDecide(t *testing.T) {
	rows := []struct {
		name, reply string
		reason      auth.Reason // of auth.ErrInvalid; "" means that the token is accepted
		subject     string
		callerType  auth.CallerType
	}{
		{name: "user", reply: activeReply(`,"sub":"ada","client_id":"web","scope":"a b","iss":"https://issuer.example","token_type":"Bearer"`), subject: "ada", callerType: auth.Unknown},
		{name: "machine", reply: activeReply(`,"sub":"job","client_id":"job"`), subject: "job", callerType: auth.Program},
		{name: "machine without sub", reply: activeReply(`,"client_id":"job","username":"root"`), subject: "job", callerType: auth.Program},
		{name: "type in lower case", reply: activeReply(`,"sub":"ada","token_type":"bearer"`), subject: "ada", callerType: auth.Unknown},
		{name: "username alone", reply: activeReply(`,"username":"root"`), reason: token.ReasonSubject},
		{name: "not active", reply: `{"active":false}`, reason: token.ReasonInactive},
		{name: "not active with exp", reply: `{"active":false,"exp":4000000000}`, reason: token.ReasonInactive},
		{name: "without exp", reply: `{"active":true,"sub":"ada","aud":"orders"}`, reason: token.ReasonExpiry},
		{name: "without aud", reply: fmt.Sprintf(`{"active":true,"sub":"ada","exp":%d}`, time.Now().Add(time.Hour).Unix()), reason: token.ReasonAudience},
		{name: "another aud", reply: fmt.Sprintf(`{"active":true,"sub":"ada","aud":["stock"],"exp":%d}`, time.Now().Add(time.Hour).Unix()), reason: token.ReasonAudience},
		{name: "another issuer", reply: activeReply(`,"sub":"ada","iss":"https://evil.example"`), reason: token.ReasonIssuer},
		{name: "DPoP-bound", reply: activeReply(`,"sub":"ada","token_type":"DPoP"`), reason: token.ReasonBound},
		{name: "bound by cnf", reply: activeReply(`,"sub":"ada","cnf":{"jkt":"x"}`), reason: token.ReasonBound},
		{name: "refresh token of Hydra", reply: activeReply(`,"sub":"ada","token_type":"Bearer","token_use":"refresh_token"`), reason: token.ReasonType},
		{name: "access token of Hydra", reply: activeReply(`,"sub":"ada","token_type":"Bearer","token_use":"access_token"`), subject: "ada", callerType: auth.Unknown},
		{name: "access token that says so in one word", reply: activeReply(`,"sub":"ada","token_use":"access"`), subject: "ada", callerType: auth.Unknown},
		{name: "ID token by token_use", reply: activeReply(`,"sub":"ada","token_use":"id"`), reason: token.ReasonType},
		{name: "token_use that is no text", reply: activeReply(`,"sub":"ada","token_use":["access"]`), reason: token.ReasonType},
		{name: "refresh token of Keycloak", reply: activeReply(`,"sub":"ada","typ":"Refresh"`), reason: token.ReasonType},
		{name: "offline token of Keycloak", reply: activeReply(`,"sub":"ada","typ":"Offline"`), reason: token.ReasonType},
		{name: "ID token of Keycloak", reply: activeReply(`,"sub":"ada","typ":"ID"`), reason: token.ReasonType},
		{name: "access token of Keycloak", reply: activeReply(`,"sub":"ada","typ":"Bearer"`), subject: "ada", callerType: auth.Unknown},
		{name: "from the future", reply: activeReply(`,"sub":"ada","nbf":4000000000`), reason: token.ReasonNotBefore},
	}
	replies := make(map[string]string)
	for i, row := range rows {
		replies[fmt.Sprint("token", i)] = row.reply
	}
	e := newEndpoint(t, replies)
	i := e.introspector(t, nil)
	for n, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for range 2 { // the second is cached
				p, err := i.Introspect(t.Context(), fmt.Sprint("token", n))
				if row.reason != "" {
					require.ErrorIs(t, err, auth.ErrInvalid)
					require.Equal(t, row.reason, auth.ReasonOf(err))
					continue
				}
				require.NoError(t, err)
				require.Equal(t, row.subject, p.Subject())
				require.Equal(t, row.callerType, p.CallerType())
				require.Equal(t, "https://issuer.example", p.Issuer())
			}
		})
	}
	require.EqualValues(t, len(rows), e.calls.Load(), "each result is cached")
	_, err := i.Introspect(t.Context(), "expired")
	require.ErrorIs(t, err, auth.ErrInvalid)
}

func TestIntrospectionFailuresAreUnavailable(t *testing.T) {
	for _, row := range []struct {
		name   string
		before func(http.ResponseWriter) bool
	}{
		{name: "this service is refused", before: func(w http.ResponseWriter) bool { w.WriteHeader(401); return true }},
		{name: "forbidden", before: func(w http.ResponseWriter) bool { w.WriteHeader(403); return true }},
		{name: "server error", before: func(w http.ResponseWriter) bool { w.WriteHeader(500); return true }},
		{name: "redirect", before: func(w http.ResponseWriter) bool {
			w.Header().Set("Location", "/other")
			w.WriteHeader(302)
			return true
		}},
		{name: "no JSON", before: func(w http.ResponseWriter) bool { _, _ = w.Write([]byte("<html>")); return true }},
		{name: "active twice", before: func(w http.ResponseWriter) bool {
			_, _ = w.Write([]byte(`{"active":false,"active":true}`))
			return true
		}},
		{name: "active as text", before: func(w http.ResponseWriter) bool { _, _ = w.Write([]byte(`{"active":"true"}`)); return true }},
		{name: "too large", before: func(w http.ResponseWriter) bool {
			_, _ = w.Write([]byte(`{"active":true,"x":"` + strings.Repeat("x", 70<<10) + `"}`))
			return true
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := newEndpoint(t, map[string]string{"good": activeReply(`,"sub":"ada"`)})
			e.before = row.before
			var events []token.Event
			i := e.introspector(t, func(o *token.IntrospectorOptions) {
				o.OnEvent = func(_ context.Context, e token.Event) { events = append(events, e) }
			})
			_, err := i.Introspect(t.Context(), "good")
			require.ErrorIs(t, err, auth.ErrUnavailable)
			require.Len(t, events, 1)
			require.Equal(t, token.IntrospectionFailed, events[0].Reason)
			e.mu.Lock()
			e.before = nil
			e.mu.Unlock()
			_, err = i.Introspect(t.Context(), "good")
			require.NoError(t, err, "a failure is not cached")
		})
	}
	t.Run("wrong secret", func(t *testing.T) {
		e := newEndpoint(t, nil)
		_, err := e.introspector(t, func(o *token.IntrospectorOptions) { o.Secret = []byte("other") }).Introspect(t.Context(), "x")
		require.ErrorIs(t, err, auth.ErrUnavailable)
	})
	t.Run("endpoint hangs", func(t *testing.T) {
		if testing.Short() {
			t.Skip("slow: waits for the timeout of 2 s")
		}
		e := newEndpoint(t, nil)
		release := make(chan struct{})
		defer close(release)
		e.before = func(http.ResponseWriter) bool { <-release; return true }
		began := time.Now()
		_, err := e.introspector(t, nil).Introspect(t.Context(), "x")
		require.ErrorIs(t, err, auth.ErrUnavailable)
		require.Less(t, time.Since(began), 10*time.Second)
	})
}

func TestConcurrentRequestsShareAnIntrospection(t *testing.T) {
	e := newEndpoint(t, map[string]string{"good": activeReply(`,"sub":"ada"`)})
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	e.before = func(http.ResponseWriter) bool {
		once.Do(func() { close(arrived) })
		<-release
		return false
	}
	i := e.introspector(t, nil)
	var all sync.WaitGroup
	var failed atomic.Int32
	for range 100 {
		all.Go(func() {
			if _, err := i.Introspect(context.Background(), "good"); err != nil {
				failed.Add(1)
			}
		})
	}
	<-arrived
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := i.Introspect(canceled, "good")
	require.ErrorIs(t, err, auth.ErrUnavailable, "a request that ends does not end the call of the others")
	close(release)
	all.Wait()
	require.Zero(t, failed.Load())
	require.EqualValues(t, 1, e.calls.Load())
}

func TestFloodEvictsNoActiveToken(t *testing.T) {
	e := newEndpoint(t, map[string]string{"good": activeReply(`,"sub":"ada"`)})
	i := e.introspector(t, func(o *token.IntrospectorOptions) { o.CacheEntries = 8 })
	_, err := i.Introspect(t.Context(), "good")
	require.NoError(t, err)
	for n := range 100 {
		_, err := i.Introspect(t.Context(), fmt.Sprint("made-up-", n))
		require.ErrorIs(t, err, auth.ErrInvalid)
	}
	calls := e.calls.Load()
	_, err = i.Introspect(t.Context(), "good")
	require.NoError(t, err)
	require.Equal(t, calls, e.calls.Load())
}

// A map is an IntrospectionCache for tests of the interface.
type sharedReplies struct {
	mu      sync.Mutex
	replies map[string][]byte
	ttl     time.Duration
}

func (s *sharedReplies) Load(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replies[key], nil
}

func (s *sharedReplies) Store(_ context.Context, key string, reply []byte, ttl time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[key], s.ttl = reply, ttl
	return nil
}

func TestProcessesShareActiveReplies(t *testing.T) {
	e := newEndpoint(t, map[string]string{"good": activeReply(`,"sub":"ada"`)})
	shared := &sharedReplies{replies: make(map[string][]byte)}
	share := func(o *token.IntrospectorOptions) { o.Shared = shared }
	for range 3 { // processes
		i := e.introspector(t, share)
		p, err := i.Introspect(t.Context(), "good")
		require.NoError(t, err)
		require.Equal(t, "ada", p.Subject())
		_, err = i.Introspect(t.Context(), "bad")
		require.ErrorIs(t, err, auth.ErrInvalid)
	}
	require.EqualValues(t, 4, e.calls.Load(), "only active replies are shared")
	require.Len(t, shared.replies, 1)
	require.LessOrEqual(t, shared.ttl, 10*time.Second)
	for key := range shared.replies {
		require.NotContains(t, key, "good", "the token itself is not a key")
	}
}

func TestNewIntrospectorReportsAllProblems(t *testing.T) {
	_, err := token.NewIntrospector(token.IntrospectorOptions{URL: "http://issuer.example/introspect", CacheFor: time.Hour, CacheEntries: -1, MaxSize: -1, InsecureHTTP: true})
	for _, part := range []string{
		`token: URL "http://issuer.example/introspect": must be an https URL, because its host is not a loopback address`, "token: ClientID: must not be empty",
		"token: Secret: must not be empty", "token: Audience: must not be empty: tokens for other services would pass",
		"token: CacheFor 1h0m0s: must be at most 1m", "token: CacheEntries -1: must not be negative", "token: MaxSize -1: must be between 0 and 65536",
	} {
		require.ErrorContains(t, err, part)
	}
	_, err = token.Bearer(token.BearerOptions{})
	require.EqualError(t, err, "token: JWT: must not be empty; did you mean NewVerifier?")
	_, err = token.Bearer(token.BearerOptions{Opaque: new(token.Introspector)})
	require.ErrorContains(t, err, "token: Opaque: is a zero Introspector")
}
