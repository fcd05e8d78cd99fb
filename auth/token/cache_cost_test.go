package token_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

func TestCacheIsBounded_TC7(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: a million tokens")
	}
	t.Run("TC7 a million tokens", func(t *testing.T) {
		v := verifier(t, nil)
		pad := strings.Repeat("x", 2000)
		most, size := 0, 0
		for i := range 1_000_000 / slowdown {
			token.Remember(v, pad[:i%1900]+tail(i))
			if i%1000 == 0 {
				entries, bytes := token.Cached(v)
				most, size = max(most, entries), max(size, bytes)
			}
		}
		t.Logf("at most %d entries and %d KiB", most, size>>10)
		require.LessOrEqual(t, most, 4096)
		require.LessOrEqual(t, size, 8<<20)
		require.Greater(t, size, 7<<20, "and it is used")
	})
	t.Run("TC7 small caches", func(t *testing.T) {
		for _, n := range []int{1, 2, 255, 256, 257} {
			v := verifier(t, func(o *token.VerifierOptions) { o.CacheEntries = n })
			for i := range 2000 {
				token.Remember(v, tail(i))
			}
			entries, _ := token.Cached(v)
			require.LessOrEqual(t, entries, n)
			require.GreaterOrEqual(t, entries, n*3/4)
		}
	})
	t.Run("TC7 none for invalid ones", func(t *testing.T) {
		v := verifier(t, nil)
		for i := range 2000 {
			text := sign(goodHeader().json(), goodClaims().with(object{"jti": fmt.Sprint(i)}).json())
			for _, bad := range []string{text[:len(text)-86] + b64(strings.Repeat("x", 64)), text + "A", "A" + text} {
				_, err := v.Verify(t.Context(), bad)
				require.Error(t, err)
			}
		}
		for _, genuine := range []object{{"aud": "other"}, {"exp": noon.Add(-time.Minute).Unix(), "iat": noon.Add(-time.Hour).Unix()}, {"nbf": noon.Add(time.Minute).Unix()}, {"cnf": object{"jkt": "TC8"}}} {
			_, err := v.Verify(t.Context(), sign(goodHeader().json(), goodClaims().with(genuine).json()))
			require.Error(t, err)
		}
		entries, _ := token.Cached(v)
		require.Zero(t, entries)
	})
	t.Run("TC7 what is used stays", func(t *testing.T) {
		v := verifier(t, func(o *token.VerifierOptions) { o.CacheEntries = 8 })
		text := sign(goodHeader().json(), goodClaims().json())
		first, err := v.Verify(t.Context(), text)
		require.NoError(t, err)
		for i := range 100 {
			token.Remember(v, fmt.Sprintf("%024d", i))
			again, err := v.Verify(t.Context(), text)
			require.NoError(t, err)
			require.Same(t, first, again, "it was not verified anew")
		}
		for i := range 100 {
			token.Remember(v, fmt.Sprintf("%025d", i))
		}
		again, err := v.Verify(t.Context(), text)
		require.NoError(t, err)
		require.NotSame(t, first, again, "and goes when it is not used")
	})
}

func TestLongTokensAreNotRemembered_TC9(t *testing.T) {
	v := verifier(t, nil)
	head := goodHeader().json()
	for _, n := range []int{1, 1000, 1200, 1500, 5000, 5800} {
		text := sign(head, goodClaims().with(object{"x": strings.Repeat("x", n)}).json())
		before, _ := token.Cached(v)
		for range 2 {
			_, err := v.Verify(t.Context(), text)
			require.NoError(t, err, "%d bytes", len(text))
		}
		after, _ := token.Cached(v)
		require.Equal(t, len(text) <= 2048, after == before+1, "%d bytes", len(text))
	}
}

func TestRaces_TC10(t *testing.T) {
	k, revoked := keys(t), errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
	v := verifier(t, func(o *token.VerifierOptions) { o.Keys, o.Revocations, o.CacheEntries = k, revoked, 8 })
	h := guarded(t, v, nothing)
	texts := make([]string, 32)
	for i := range texts {
		texts[i] = mac(`{"alg":"HS256","kid":"HS256","typ":"at+jwt"}`, goodClaims().with(object{"jti": fmt.Sprint(i), "sid": fmt.Sprint(i)}).json(), material().secret)
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 300 {
				status, _ := send(t, h, "/", texts[(i*7+worker)%len(texts)])
				if status != 200 && status != 401 {
					t.Errorf("%d", status)
				}
			}
		})
	}
	for i := range 50 {
		require.NoError(t, k.Replace(key(token.HS256, token.Schedule{}), key(token.EdDSA, token.Schedule{})))
		if i%2 == 0 {
			require.NoError(t, revoked.RevokeSession(t.Context(), fmt.Sprint(i%16), time.Now().Add(time.Hour)))
		}
	}
	wg.Wait()
	for i, text := range texts {
		status, _ := send(t, h, "/", text)
		want := 200
		if i < 16 && i%2 == 0 {
			want = 401
		}
		require.Equal(t, want, status)
	}
}

func TestHitsThroughTheMiddlewareAllocateLittle(t *testing.T) {
	h := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{verifier(t, func(o *token.VerifierOptions) {
		o.Revocations = errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
	})}})).Handler(nothing)
	r := httptest.NewRequest("GET", "/orders/7?a=b", nil)
	r.Header.Set("Authorization", "Bearer "+signAs(token.RS256, goodHeader().with(object{"alg": "RS256", "kid": "RS256"}).json(), goodClaims().json()))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, 200, w.Code)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }), 3.0)
}

// Without the cache it is still less than what golang-jwt makes alone.
func TestMissesAllocateLessThanGolangJWT(t *testing.T) {
	v, theirs := verifier(t, func(o *token.VerifierOptions) { o.CacheEntries = -1 }), newPeer()
	text := signAs(token.HS256, goodHeader().with(object{"alg": "HS256", "kid": "HS256"}).json(), goodClaims().with(object{"sid": "s1", "scope": "a b", "roles": []string{"r"}}).json())
	ours := testing.AllocsPerRun(100, func() { _, _ = v.Verify(t.Context(), text) })
	golang := testing.AllocsPerRun(100, func() {
		_, _ = theirs.parser.ParseWithClaims(text, &peerClaims{}, func(*jwt.Token) (any, error) { return material().secret, nil })
	})
	t.Logf("ours %v, golang-jwt %v", ours, golang)
	require.LessOrEqual(t, ours, 24.0)
	require.Less(t, ours, golang)
}
