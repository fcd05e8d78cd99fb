package token_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
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

func TestANewKeyIsFetchedOnce_TK1(t *testing.T) {
	p := newPublisher(t, publishes(token.EdDSA))
	s := newRemoteService(t, p)
	require.EqualValues(t, 0, p.fetches.Load(), "New does not dial")
	require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
	require.EqualValues(t, 1, p.fetches.Load())

	p.set(publishes(token.EdDSA, token.ES256))
	s.pass(1)
	require.Equal(t, 200, s.ask(token.ES256).StatusCode, "the first unknown kid after a fetch does not wait")
	require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
	require.EqualValues(t, 2, p.fetches.Load())
	s.report(p)
}

// A 401 would make clients throw good tokens away.
func TestNewKeyWithinTheFloorIsUnavailable_TK11(t *testing.T) {
	p := newPublisher(t, publishes(token.EdDSA))
	s := newRemoteService(t, p)
	require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
	s.pass(time.Second)
	require.Equal(t, 401, s.ask(token.ES256).StatusCode, "the keys were fetched after the request arrived")
	require.EqualValues(t, 2, p.fetches.Load())

	p.set(publishes(token.EdDSA, token.ES256))
	s.pass(3 * time.Second)
	res := s.ask(token.ES256)
	require.Equal(t, 503, res.StatusCode)
	require.Equal(t, "7", res.Header.Get("Retry-After"))
	now := noon.Add(time.Duration(s.clock.Load()))
	for name, claims := range map[string]object{
		"issued before the keys were fetched": {"iat": now.Add(-33 * time.Second).Unix(), "exp": now.Add(time.Minute).Unix()},
		"of another issuer":                   {"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "iss": "https://other.example"},
		"without iat":                         {"iat": nil, "exp": now.Add(time.Minute).Unix()},
		"not an object":                       nil,
	} {
		payload := `[]`
		if claims != nil {
			payload = goodClaims().with(claims).json()
		}
		text := signAs(token.ES256, goodHeader().with(object{"alg": token.ES256, "kid": "ES256"}).json(), payload)
		require.Equal(t, 401, s.send(t.Context(), text).StatusCode, name)
	}
	require.EqualValues(t, 2, p.fetches.Load(), "the floor")

	s.pass(7*time.Second - 1)
	require.Equal(t, 503, s.ask(token.ES256).StatusCode)
	s.pass(1)
	require.Equal(t, 200, s.ask(token.ES256).StatusCode)
	require.EqualValues(t, 3, p.fetches.Load())
}

// The issuer goes down right after a fetch, with its keys rotated.
func TestOutageAfterAGoodFetchIsNeverA401_TK12(t *testing.T) {
	p := newPublisher(t, publishes(token.EdDSA))
	s := newRemoteService(t, p)
	require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
	p.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })
	for range 30 {
		s.pass(time.Second)
		res := s.ask(token.ES256)
		require.Equal(t, 503, res.StatusCode)
		require.NotEmpty(t, res.Header.Get("Retry-After"))
		require.Equal(t, 200, s.ask(token.EdDSA).StatusCode, "known keys work all the while")
	}
	require.LessOrEqual(t, p.fetches.Load(), int32(1+1+3), "one in ten seconds")
}

func TestFloodOfUnknownKidsCausesFewFetches_TK2(t *testing.T) {
	for _, row := range []struct {
		name    string
		answer  http.HandlerFunc
		windows int
	}{{name: "TK2 the server works", answer: publishes(token.EdDSA), windows: 5},
		{name: "TK2 the server hangs", answer: hangs, windows: 2}} {
		t.Run(row.name, func(t *testing.T) {
			p := newPublisher(t, publishes(token.EdDSA))
			s := newRemoteService(t, p)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
			p.set(row.answer)
			token.SetPace(s.keys, 0, 100*time.Millisecond, 0)
			const each, workers = 2000, 8
			for range row.windows {
				s.pass(10 * time.Second)
				var wg sync.WaitGroup
				for range workers {
					wg.Go(func() {
						for range each / workers {
							res := s.askAs(t.Context(), token.HS256, fmt.Sprint("k", time.Now().UnixNano()))
							if res.StatusCode != 401 && res.StatusCode != 503 {
								t.Errorf("%d", res.StatusCode)
							}
						}
					})
				}
				require.Equal(t, 200, s.ask(token.EdDSA).StatusCode, "known keys work all the while")
				wg.Wait()
			}
			require.LessOrEqual(t, p.fetches.Load(), int32(1+row.windows))
			p.set(publishes(token.EdDSA, token.ES256))
			token.SetPace(s.keys, 0, time.Minute, 0)
			s.pass(10 * time.Second)
			require.Equal(t, 200, s.ask(token.ES256).StatusCode, "the real key")
			require.LessOrEqual(t, p.fetches.Load(), int32(2+row.windows))
			require.Less(t, s.longest, 15*time.Second, "a wait is a fetch's timeout, 100 ms here, on a machine that does other things too")
			s.report(p)
		})
	}
}

func TestBadSignaturesFetchNothing_TK3(t *testing.T) {
	p := newPublisher(t, publishes(token.EdDSA))
	s := newRemoteService(t, p)
	require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
	s.pass(time.Minute)
	for i := range 1000 {
		text := sign(goodHeader().json(), goodClaims().with(object{"jti": fmt.Sprint(i)}).json())
		require.Equal(t, 401, s.send(t.Context(), text[:len(text)-86]+b64(strings.Repeat("x", 64))).StatusCode)
	}
	require.EqualValues(t, 1, p.fetches.Load())
	s.report(p)
}

func TestRemovedKeyEndsItsTokens_TK6(t *testing.T) {
	p := newPublisher(t, publishes(token.EdDSA, token.ES256))
	s := newRemoteService(t, p)
	now := noon.Add(4 * time.Minute)
	stays := signAs(token.EdDSA, goodHeader().json(), goodClaims().with(object{"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}).json())
	s.pass(4 * time.Minute)
	require.Equal(t, 200, s.send(t.Context(), stays).StatusCode)
	other := signAs(token.ES256, goodHeader().with(object{"alg": "ES256", "kid": "ES256"}).json(), goodClaims().with(object{"iat": now.Unix(), "exp": now.Add(20 * time.Minute).Unix()}).json())
	remembered, err := s.v.Verify(t.Context(), other)
	require.NoError(t, err)
	p.set(publishes(token.ES256))
	s.pass(5*time.Minute - time.Second)
	require.Equal(t, 200, s.send(t.Context(), stays).StatusCode)
	s.pass(time.Second)
	require.Equal(t, 200, s.send(t.Context(), stays).StatusCode, "what was verified before counts until the refresh")
	require.Eventually(t, func() bool { return s.told(token.KeysChanged) == 1 }, 20*time.Second, time.Millisecond)
	require.Equal(t, 401, s.send(t.Context(), stays).StatusCode, "and dies with its key")
	require.Equal(t, 200, s.ask(token.ES256).StatusCode)
	again, err := s.v.Verify(t.Context(), other)
	require.NoError(t, err)
	require.Same(t, remembered, again, "what was verified with a key that stays needs no second look")
	require.EqualValues(t, 3, p.fetches.Load(), "the last for a kid that is unknown now")
	s.report(p)
}

func TestConcurrentRequestsShareTheFirstFetch_TK8(t *testing.T) {
	release := make(chan struct{})
	p := newPublisher(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		publishes(token.EdDSA)(w, r)
	})
	s := newRemoteService(t, p)
	var ok, gave, running atomic.Int32
	var wg sync.WaitGroup
	for i := range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			defer cancel()
			running.Add(1)
			switch res := s.askAs(ctx, token.EdDSA, "EdDSA"); res.StatusCode {
			case 200:
				ok.Add(1)
			case 499:
				gave.Add(1)
			}
		})
		if i%4 == 0 { // the client hangs up, the first of them first
			cancel()
		}
	}
	require.Eventually(t, func() bool { return running.Load() == 100 && gave.Load() == 25 && p.fetches.Load() == 1 }, 20*time.Second, time.Millisecond)
	close(release)
	wg.Wait()
	require.EqualValues(t, 75, ok.Load())
	require.EqualValues(t, 1, p.fetches.Load(), "and nobody's hanging up ended it")
	s.report(p)
}

func TestRunKeepsKeysFresh(t *testing.T) {
	p := newPublisher(t, publishes(token.EdDSA))
	s := newRemoteService(t, p)
	token.SetClock(time.Now, s.keys)
	token.SetPace(s.keys, time.Millisecond, 0, 20*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.keys.Run(ctx) }()
	require.Eventually(t, func() bool { return p.fetches.Load() >= 3 }, 20*time.Second, time.Millisecond, "without any request")
	p.set(says(500, ""))
	require.Eventually(t, func() bool { return s.told(token.FetchFailed) >= 3 }, 20*time.Second, time.Millisecond, "it goes on trying")
	p.set(publishes(token.ES256))
	require.Eventually(t, func() bool { return s.told(token.KeysChanged) == 1 }, 20*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	fetches := p.fetches.Load()
	require.Never(t, func() bool { return p.fetches.Load() > fetches+1 }, 100*time.Millisecond, 10*time.Millisecond)
}

// A server that hangs, and a flood that waits for it: only so many do.
func TestWaitingIsBounded_TK8(t *testing.T) {
	release := make(chan struct{})
	p := newPublisher(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		publishes(token.EdDSA)(w, r)
	})
	s := newRemoteService(t, p)
	token.SetPace(s.keys, 0, time.Minute, 0)
	var ok, gave atomic.Int32
	var wg sync.WaitGroup
	text := sign(goodHeader().json(), goodClaims().json())
	for range 1200 {
		wg.Go(func() {
			switch res := s.send(t.Context(), text); {
			case res.StatusCode == 200:
				ok.Add(1)
			case res.StatusCode == 503 && res.Header.Get("Retry-After") == "1":
				gave.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return gave.Load() == 200 }, 30*time.Second, time.Millisecond)
	require.Zero(t, ok.Load())
	close(release)
	wg.Wait()
	require.EqualValues(t, 1000, ok.Load())
	require.EqualValues(t, 1, p.fetches.Load())
}
