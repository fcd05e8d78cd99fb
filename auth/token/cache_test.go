package token_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
