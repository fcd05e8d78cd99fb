package token_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
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

// publishes answers with the public keys of these algorithms, whose names are
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
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{v}}))
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	s.handler = failures.Handler(callers.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	return s
}

// pass moves the clock on.
func (s *remoteService) pass(d time.Duration) { s.clock.Add(int64(d)) }

// ask sends a fresh token that is signed by the key of an algorithm.
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

// told counts the events of a reason.
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

func TestK1ANewKeyIsFetchedOnce(t *testing.T) {
	p := newPublisher(t, publishes(token.EdDSA))
	s := newRemoteService(t, p)
	require.EqualValues(t, 0, p.fetches.Load(), "New does not dial")
	require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
	require.EqualValues(t, 1, p.fetches.Load())

	p.set(publishes(token.EdDSA, token.ES256))
	s.pass(10*time.Second - 1)
	require.Equal(t, 401, s.ask(token.ES256).StatusCode, "the floor")
	require.EqualValues(t, 1, p.fetches.Load())
	s.pass(1)
	require.Equal(t, 200, s.ask(token.ES256).StatusCode)
	require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
	require.EqualValues(t, 2, p.fetches.Load())
	s.report(p)
}

func TestK2AFloodOfUnknownKids(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{"the server works": publishes(token.EdDSA), "the server hangs": hangs} {
		t.Run("K2 "+name, func(t *testing.T) {
			p := newPublisher(t, publishes(token.EdDSA))
			s := newRemoteService(t, p)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
			p.set(answer)
			token.SetPace(s.keys, 0, 100*time.Millisecond, 0)
			const windows, each, workers = 5, 2000, 8
			for range windows {
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
			require.LessOrEqual(t, p.fetches.Load(), int32(1+windows))
			p.set(publishes(token.EdDSA, token.ES256))
			token.SetPace(s.keys, 0, time.Minute, 0)
			s.pass(10 * time.Second)
			require.Equal(t, 200, s.ask(token.ES256).StatusCode, "the real key")
			require.LessOrEqual(t, p.fetches.Load(), int32(2+windows))
			require.Less(t, s.longest, 4*time.Second, "a wait is a fetch's timeout, 100 ms here")
			s.report(p)
		})
	}
}

func TestK3BadSignaturesFetchNothing(t *testing.T) {
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

func TestK4AndK5WhatAServerCanDo(t *testing.T) {
	elsewhere := newPublisher(t, publishes(token.EdDSA, token.ES256))
	plain := httptest.NewServer(publishes(token.EdDSA, token.ES256))
	t.Cleanup(plain.Close)
	var written atomic.Int64
	for name, answer := range map[string]http.HandlerFunc{
		"500":                  says(500, `{"keys":[]}`),
		"404 with keys":        func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404); publishes(token.ES256)(w, r) },
		"hangs":                hangs,
		"hangs after a header": func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); hangs(w, r) },
		"breaks off": func(w http.ResponseWriter, r *http.Request) {
			says(200, `{"keys":[`)(w, r)
			panic(http.ErrAbortHandler)
		},
		"resets":                  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"HTML":                    says(200, "<!DOCTYPE html><title>Log in</title>"),
		"nothing":                 says(200, ""),
		"no keys":                 says(200, `{"keys":[]}`),
		"null":                    says(200, `{"keys":null}`),
		"another object":          says(200, `{"error":"busy"}`),
		"keys that we cannot use": says(200, `{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`),
		"101 keys":                says(200, `{"keys":[`+strings.Repeat(`{},`, 100)+`{}]}`),
		"deep":                    says(200, `{"keys":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}`),
		"5 MiB": func(w http.ResponseWriter, r *http.Request) {
			chunk := []byte(strings.Repeat(" ", 16<<10))
			for range 320 {
				n, err := w.Write(chunk)
				written.Add(int64(n))
				if err != nil {
					return
				}
			}
			publishes(token.ES256)(w, r)
		},
		"a redirect to http":           http.RedirectHandler(plain.URL, http.StatusFound).ServeHTTP,
		"a redirect to another server": http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect).ServeHTTP,
	} {
		t.Run("K4 "+name, func(t *testing.T) {
			t.Parallel()
			p := newPublisher(t, publishes(token.EdDSA))
			s := newRemoteService(t, p)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
			p.set(answer)
			token.SetPace(s.keys, 0, 300*time.Millisecond, 0)
			s.pass(5 * time.Minute)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode, "the fetch runs beside the request")
			require.Eventually(t, func() bool { return s.told(token.FetchFailed) == 1 }, 20*time.Second, time.Millisecond)
			require.EqualValues(t, 2, p.fetches.Load())
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode, "the last good keys count")
			res := s.ask(token.ES256)
			require.Equal(t, 503, res.StatusCode, "the key may be a new one")
			require.Equal(t, "10", res.Header.Get("Retry-After"))
			require.EqualValues(t, 2, p.fetches.Load())

			// K5: down for longer than MaxStale; H9: and so no key counts.
			s.pass(time.Hour - 5*time.Minute - time.Nanosecond)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
			require.Eventually(t, func() bool { return s.told(token.FetchFailed) == 2 }, 20*time.Second, time.Millisecond)
			s.pass(time.Nanosecond)
			res = s.ask(token.EdDSA)
			require.Equal(t, 503, res.StatusCode)
			require.Equal(t, "10", res.Header.Get("Retry-After"))
			require.Empty(t, res.Header.Values("Www-Authenticate"))

			p.set(publishes(token.EdDSA))
			token.SetPace(s.keys, 0, time.Minute, 0)
			s.pass(10 * time.Second)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode, "and it heals by itself")
			require.EqualValues(t, 4, p.fetches.Load())
			s.report(p)
		})
	}
	t.Cleanup(func() {
		require.Zero(t, elsewhere.fetches.Load(), "redirects are not followed")
		require.Less(t, written.Load(), int64(2*5<<20), "the rest of 5 MiB is not read, both times")
	})
}

func TestK5DownFromTheStart(t *testing.T) {
	p := newPublisher(t, says(500, ""))
	s := newRemoteService(t, p)
	require.ErrorIs(t, s.keys.Ready(t.Context()), auth.ErrUnavailable)
	for range 100 {
		res := s.ask(token.EdDSA)
		require.Equal(t, 503, res.StatusCode, "H9")
		require.Empty(t, res.Header.Values("Www-Authenticate"))
	}
	require.EqualValues(t, 1, p.fetches.Load())
	s.pass(7 * time.Second)
	require.Equal(t, "3", s.ask(token.EdDSA).Header.Get("Retry-After"))
	p.set(publishes(token.EdDSA))
	s.pass(3 * time.Second)
	require.NoError(t, s.keys.Ready(t.Context()))
	require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
	require.EqualValues(t, 2, p.fetches.Load())
	s.report(p)
}

func TestK6ARemovedKeyEnds(t *testing.T) {
	p := newPublisher(t, publishes(token.EdDSA, token.ES256))
	s := newRemoteService(t, p)
	now := noon.Add(4 * time.Minute)
	stays := signAs(token.EdDSA, goodHeader().json(), goodClaims().with(object{"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}).json())
	s.pass(4 * time.Minute)
	require.Equal(t, 200, s.send(t.Context(), stays).StatusCode)
	p.set(publishes(token.ES256))
	s.pass(5*time.Minute - time.Second)
	require.Equal(t, 200, s.send(t.Context(), stays).StatusCode)
	s.pass(time.Second)
	require.Equal(t, 200, s.send(t.Context(), stays).StatusCode, "what was verified before counts until the refresh")
	require.Eventually(t, func() bool { return s.told(token.KeysChanged) == 2 }, 20*time.Second, time.Millisecond)
	require.Equal(t, 401, s.send(t.Context(), stays).StatusCode, "and dies with its key")
	require.Equal(t, 200, s.ask(token.ES256).StatusCode)
	require.EqualValues(t, 2, p.fetches.Load())
	s.report(p)
}

func TestK7OddKeysAreIgnored(t *testing.T) {
	good := jwkOf(t, token.EdDSA)
	rsa := jwkOf(t, token.RS256)
	ec := jwkOf(t, token.ES256)
	rows := map[string]object{
		"a secret":              {"kty": "oct", "kid": "x", "k": b64(strings.Repeat("x", 32)), "alg": "HS256"},
		"for encryption":        good.with(object{"kid": "x", "use": "enc"}),
		"use is a number":       good.with(object{"kid": "x", "use": 1}),
		"signs only":            good.with(object{"kid": "x", "key_ops": []string{"sign"}}),
		"key_ops is a text":     good.with(object{"kid": "x", "key_ops": "verify"}),
		"an unknown type":       {"kty": "AKP", "kid": "x", "alg": "ML-DSA-44", "pub": "AAAA"},
		"no type":               good.with(object{"kid": "x", "kty": nil}),
		"an unknown curve":      ec.with(object{"kid": "x", "crv": "secp256k1"}),
		"X25519":                good.with(object{"kid": "x", "crv": "X25519"}),
		"off the curve":         ec.with(object{"kid": "x", "x": ec["y"]}),
		"a short coordinate":    ec.with(object{"kid": "x", "x": "AAAA"}),
		"a short Ed25519 key":   good.with(object{"kid": "x", "x": "AAAA"}),
		"ES384 for P-256":       ec.with(object{"kid": "x", "alg": "ES384"}),
		"HS256 for Ed25519":     good.with(object{"kid": "x", "alg": "HS256"}),
		"none":                  good.with(object{"kid": "x", "alg": "none"}),
		"RSA of 1024 bits":      rsa.with(object{"kid": "x", "n": b64(strings.Repeat("\xff", 128))}),
		"RSA exponent 3":        rsa.with(object{"kid": "x", "e": "Aw"}),
		"RSA exponent of 5 GiB": rsa.with(object{"kid": "x", "e": b64("\x01\x00\x00\x00\x01")}),
		"RSA without a modulus": rsa.with(object{"kid": "x", "n": nil}),
		"not base64url":         rsa.with(object{"kid": "x", "n": "+/+/"}),
		"shown with its secret": good.with(object{"kid": "x", "d": "AAAA"}),
		"no kid":                good.with(object{"kid": nil}),
		"kid is a number":       good.with(object{"kid": 7}),
		"a kid with a line":     good.with(object{"kid": "a\nb"}),
		"members of two cases":  good.with(object{"kid": "x", "KID": "y"}),
	}
	for name, odd := range rows {
		t.Run("K7 "+name, func(t *testing.T) {
			p := newPublisher(t, says(200, object{"keys": []any{odd, good}, "x": 1}.json()))
			s := newRemoteService(t, p)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode, "the others work")
			require.Equal(t, 1, s.told(token.KeyIgnored))
			require.Equal(t, 401, s.askAs(t.Context(), token.EdDSA, "x").StatusCode)
			s.pass(10 * time.Second)
			require.Equal(t, 401, s.askAs(t.Context(), token.EdDSA, "x").StatusCode)
			require.EqualValues(t, 2, p.fetches.Load())
			require.Equal(t, 1, s.told(token.KeyIgnored), "once for each change")
		})
	}
	t.Run("K7 one kid for two keys: neither counts", func(t *testing.T) {
		set := object{"keys": []any{good.with(object{"kid": "x"}), ec.with(object{"kid": "x"}), rsa.with(object{"kid": "x"}), good, 7}}
		s := newRemoteService(t, newPublisher(t, says(200, set.json())))
		require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
		require.Equal(t, 401, s.askAs(t.Context(), token.EdDSA, "x").StatusCode)
		require.Equal(t, 401, s.askAs(t.Context(), token.ES256, "x").StatusCode)
		require.Equal(t, 3, s.told(token.KeyIgnored))
	})
	t.Run("K7 an alg that is not named is the curve's, or the option's", func(t *testing.T) {
		set := object{"keys": []any{ec.with(object{"alg": nil}), rsa.with(object{"alg": nil})}}
		s := newRemoteService(t, newPublisher(t, says(200, set.json())))
		require.Equal(t, 200, s.ask(token.ES256).StatusCode)
		require.Equal(t, 200, s.ask(token.RS256).StatusCode)
		require.Equal(t, 401, s.askAs(t.Context(), token.PS256, "RS256").StatusCode)
	})
}

func TestK8TheFirstFetchIsOne(t *testing.T) {
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
			case 503:
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
	require.Eventually(t, func() bool { return s.told(token.KeysChanged) == 2 }, 20*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	fetches := p.fetches.Load()
	require.Never(t, func() bool { return p.fetches.Load() > fetches+1 }, 100*time.Millisecond, 10*time.Millisecond)
}

// broken is a transport with a bug.
type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) { panic("nil map") }

func TestAClientThatPanics(t *testing.T) {
	var log strings.Builder
	r := errors.Must(token.NewRemote(token.RemoteOptions{URL: "https://issuer.example/jwks.json", Client: &http.Client{Transport: broken{}}, Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	require.ErrorIs(t, r.Ready(t.Context()), auth.ErrUnavailable)
	require.Contains(t, log.String(), `level=WARN msg="keys of an issuer" reason=keys_fetch_failed url=https://issuer.example/jwks.json kid="" error="fetch keys: panic: nil map"`)
}

// A server that shows another name's certificate, or none that we trust.
func TestRemoteWantsACertificate(t *testing.T) {
	p := newPublisher(t, publishes(token.EdDSA))
	r := errors.Must(token.NewRemote(token.RemoteOptions{URL: p.URL, Logger: slog.New(slog.DiscardHandler)}))
	require.ErrorIs(t, r.Ready(t.Context()), auth.ErrUnavailable)
	var refusal *tls.CertificateVerificationError
	require.ErrorAs(t, r.Ready(t.Context()), &refusal)
	require.Zero(t, p.fetches.Load())
}

func TestNewRemoteRefuses(t *testing.T) {
	_, err := token.NewRemote(token.RemoteOptions{URL: "http://issuer.example/", RSA: token.ES256, MaxStale: 48 * time.Hour, Refresh: time.Second})
	require.EqualError(t, err, `token: URL "http://issuer.example/": is not an https URL without user and fragment; did you mean "https://issuer.example/.well-known/jwks.json"?`+
		"\ntoken: RSA \"ES256\": is no algorithm of RSA keys\ntoken: MaxStale 48h0m0s: is not between 0 and 24h\ntoken: Refresh 1s: is not between 1m and MaxStale")
	for _, url := range []string{"", "/jwks", "https://", "https://a:b@issuer.example/", "https://issuer.example/#x", "file:///etc/passwd", ":"} {
		_, err := token.NewRemote(token.RemoteOptions{URL: url})
		require.ErrorContains(t, err, "is not an https URL", url)
	}
}

// jwkOf returns the published form of a key.
func jwkOf(t *testing.T, alg token.Alg) object {
	t.Helper()
	w := httptest.NewRecorder()
	publishes(alg)(w, httptest.NewRequest("GET", "/", nil))
	var set struct {
		Keys []object `json:"keys"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &set))
	return set.Keys[0]
}
