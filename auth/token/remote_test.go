package token_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/token"
)

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
	t.Parallel()
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
