package token_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// guarded is a service behind auth's Middleware.
func guarded(t testing.TB, a auth.Authenticator, next http.Handler) http.Handler {
	t.Helper()
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{a}}))
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	return failures.Handler(callers.Handler(next))
}

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// send returns the status and the code of a response.
func send(t testing.TB, h http.Handler, target, text string) (int, string) {
	t.Helper()
	r := httptest.NewRequest("GET", target, nil)
	r.Header.Set("Authorization", "Bearer "+text)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var body struct {
		Code string `json:"code"`
	}
	if w.Body.Len() > 0 {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	}
	return w.Code, body.Code
}

func TestTokensThatBeginAlike_TC1(t *testing.T) {
	v := verifier(t, nil)
	ada := mac(`{"alg":"HS256","kid":"HS256","typ":"at+jwt"}`, goodClaims().with(object{"x": strings.Repeat("x", 200), "zub": 1}).json(), material().secret)
	eve := mac(`{"alg":"HS256","kid":"HS256","typ":"at+jwt"}`, goodClaims().with(object{"x": strings.Repeat("x", 200), "zub": 2}).json(), material().secret)
	require.Equal(t, ada[:200], eve[:200])
	first, err := v.Verify(t.Context(), ada)
	require.NoError(t, err)
	second, err := v.Verify(t.Context(), eve)
	require.NoError(t, err)
	require.NotEqual(t, first.Claims(), second.Claims())
	for _, n := range []int{20, 200, len(ada) - 1} {
		for _, rest := range []string{"", "A", strings.Repeat("A", len(ada)-n), ada[n:] + "A"} {
			if ada[:n]+rest == ada {
				continue
			}
			_, err := v.Verify(t.Context(), ada[:n]+rest)
			require.ErrorIs(t, err, auth.ErrInvalid, "%d bytes and %q", n, rest)
		}
	}
	entries, _ := token.Cached(v)
	require.Equal(t, 2, entries)
}

func TestWhatChangesAfterATokenWasRemembered(t *testing.T) {
	now := noon
	for _, row := range []struct {
		name   string
		change func(t *testing.T, k *token.Keys, r *auth.Revocations)
		status int
		code   string
	}{
		{
			name:   "TC2 exp passes",
			change: func(*testing.T, *token.Keys, *auth.Revocations) { now = noon.Add(5*time.Minute + 30*time.Second) },
			status: 401,
			code:   "auth_expired",
		},
		{
			name:   "TC2 the clock is set back behind nbf",
			change: func(*testing.T, *token.Keys, *auth.Revocations) { now = noon.Add(-31 * time.Second) },
			status: 401,
			code:   "auth_invalid",
		},
		{name: "TC3 its jti is revoked", change: func(t *testing.T, _ *token.Keys, r *auth.Revocations) {
			require.NoError(t, r.RevokeToken(t.Context(), "t1", time.Now().Add(time.Hour)))
		}, status: 401, code: "auth_revoked"},
		{name: "TC3 its sub is revoked", change: func(t *testing.T, _ *token.Keys, r *auth.Revocations) {
			require.NoError(t, r.RevokeSubject(t.Context(), "ada", noon, time.Now().Add(time.Hour)))
		}, status: 401, code: "auth_revoked"},
		{name: "TC3 its key is removed", change: func(t *testing.T, k *token.Keys, _ *auth.Revocations) {
			require.NoError(t, k.Replace(key(token.ES256, token.Schedule{})))
		}, status: 401, code: "auth_invalid"},
		{name: "TC3 its kid is another key now", change: func(t *testing.T, k *token.Keys, _ *auth.Revocations) {
			require.NoError(t, k.Replace(errors.Must(token.NewPublicKey("EdDSA", token.ES256, &material().ec.PublicKey))))
		}, status: 401, code: "auth_invalid"},
		{name: "TC3 nothing that concerns it", change: func(t *testing.T, k *token.Keys, r *auth.Revocations) {
			require.NoError(t, r.RevokeToken(t.Context(), "t2", time.Now().Add(time.Hour)))
			require.NoError(t, k.Replace(key(token.EdDSA, token.Schedule{}), key(token.ES256, token.Schedule{})))
		}, status: 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			now = noon
			k, revoked := keys(t), errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
			v := verifier(t, func(o *token.VerifierOptions) { o.Keys, o.Revocations = k, revoked })
			token.SetClock(func() time.Time { return now }, v)
			h := guarded(t, v, nothing)
			text := sign(goodHeader().json(), goodClaims().with(object{"nbf": noon.Unix()}).json())
			for range 2 {
				status, _ := send(t, h, "/", text)
				require.Equal(t, 200, status)
			}
			entries, _ := token.Cached(v)
			require.Equal(t, 1, entries)
			row.change(t, k, revoked)
			status, code := send(t, h, "/", text)
			require.Equal(t, row.status, status)
			require.Equal(t, row.code, code)
		})
	}
	t.Run("TC3 its sid is revoked", func(t *testing.T) {
		revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
		h := guarded(t, verifier(t, func(o *token.VerifierOptions) { o.Revocations = revoked }), nothing)
		text := sign(goodHeader().json(), goodClaims().with(object{"sid": "s1"}).json())
		status, _ := send(t, h, "/", text)
		require.Equal(t, 200, status)
		require.NoError(t, revoked.RevokeSession(t.Context(), "s1", time.Now().Add(time.Hour)))
		status, code := send(t, h, "/", text)
		require.Equal(t, 401, status)
		require.Equal(t, "auth_revoked", code)
	})
	t.Run("TC3 its key's time ends", func(t *testing.T) {
		v := verifier(t, func(o *token.VerifierOptions) {
			o.Keys = errors.Must(token.NewKeys(key(token.EdDSA, token.Schedule{Retire: noon, Remove: noon.Add(time.Minute)})))
		})
		text := sign(goodHeader().json(), goodClaims().json())
		_, err := v.Verify(t.Context(), text)
		require.NoError(t, err)
		token.SetClock(func() time.Time { return noon.Add(time.Minute) }, v)
		_, err = v.Verify(t.Context(), text)
		require.ErrorIs(t, err, auth.ErrInvalid)
	})
	t.Run("Validate changes its mind", func(t *testing.T) {
		var banned atomic.Bool
		h := guarded(t, verifier(t, func(o *token.VerifierOptions) {
			o.Validate = func(context.Context, *auth.Principal) error {
				if banned.Load() {
					return auth.ErrDenied
				}
				return nil
			}
		}), nothing)
		text := sign(goodHeader().json(), goodClaims().json())
		status, _ := send(t, h, "/", text)
		require.Equal(t, 200, status)
		banned.Store(true)
		status, _ = send(t, h, "/", text)
		require.Equal(t, 403, status)
	})
}

func TestDecisionsAreNotRemembered_TC4(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/a", auth.Require(auth.Scopes("read"))(nothing))
	mux.Handle("/b", auth.Require(auth.Scopes("write"))(nothing))
	h := guarded(t, verifier(t, nil), mux)
	text := sign(goodHeader().json(), goodClaims().with(object{"scope": "read"}).json())
	for range 2 {
		status, _ := send(t, h, "/a", text)
		require.Equal(t, 200, status)
		status, code := send(t, h, "/b", text)
		require.Equal(t, 403, status)
		require.Equal(t, "access_denied", code)
	}
}

func TestVerifiersShareNothing_TC5(t *testing.T) {
	k := keys(t)
	ours := guarded(t, verifier(t, func(o *token.VerifierOptions) { o.Keys = k }), nothing)
	for name, change := range map[string]func(o *token.VerifierOptions){
		"another audience": func(o *token.VerifierOptions) { o.Keys, o.Audience = k, []string{"other"} },
		"another issuer":   func(o *token.VerifierOptions) { o.Keys, o.Issuer = k, "https://other.example" },
		"another typ":      func(o *token.VerifierOptions) { o.Keys, o.Type = k, "JWT" },
	} {
		t.Run("TC5 "+name, func(t *testing.T) {
			theirs := guarded(t, verifier(t, change), nothing)
			text := sign(goodHeader().json(), goodClaims().json())
			for range 2 {
				status, _ := send(t, ours, "/", text)
				require.Equal(t, 200, status)
				status, _ = send(t, theirs, "/", text)
				require.Equal(t, 401, status)
			}
		})
	}
}

func TestHandlersCannotChangeWhatIsRemembered_TC6(t *testing.T) {
	seen := 0
	h := guarded(t, verifier(t, nil), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen++
		p, _ := auth.From(r.Context())
		require.Equal(t, []string{"read"}, p.Scope())
		require.Equal(t, []string{"user"}, p.Roles())
		type own struct {
			Tags []string `json:"tags"`
		}
		claims, err := auth.Claims[own](r.Context())
		require.NoError(t, err)
		require.Equal(t, own{[]string{"a"}}, claims)
		p.Scope()[0], p.Roles()[0], claims.Tags[0] = "write", "admin", "b"
		clear(p.Claims())
	}))
	text := sign(goodHeader().json(), goodClaims().with(object{"scope": "read", "roles": []string{"user"}, "tags": []string{"a"}}).json())
	for range 3 {
		status, _ := send(t, h, "/", text)
		require.Equal(t, 200, status)
	}
	require.Equal(t, 3, seen)
}

// tail is how the token of a number ends, as random as a signature does.
func tail(i int) string {
	sum := sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	return b64(string(sum[:]))
}

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

// TC8: a token that is bound to a key by DPoP (RFC 9449) is no bearer token,
// with or without a proof, now and the next time.
func TestBoundTokens_TC8(t *testing.T) {
	v := verifier(t, nil)
	h := guarded(t, v, nothing)
	text := sign(goodHeader().json(), goodClaims().with(object{"cnf": object{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}).json())
	for _, scheme := range []string{"Bearer ", "DPoP ", "Bearer ", "DPoP "} {
		for _, proof := range []string{"", "a.b.c"} {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", scheme+text)
			r.Header.Set("Dpop", proof)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, 401, w.Code)
		}
	}
	entries, _ := token.Cached(v)
	require.Zero(t, entries)
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
