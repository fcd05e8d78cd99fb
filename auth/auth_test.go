package auth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// scheme is an authenticator for "Authorization: <name> <user>", with a result
// for each user.
type scheme struct {
	name, header, challenge string
	refusals                map[string]error
}

func (s scheme) Challenge() string { return s.challenge }

func (s scheme) Authenticate(r *http.Request) (*auth.Principal, error) {
	user := r.Header.Get(s.header)
	if s.header == "Authorization" {
		var name string
		if n, _ := fmt.Sscanf(user, "%s %s", &name, &user); n != 2 || name != s.name {
			return nil, nil
		}
	}
	if user == "" {
		return nil, nil
	}
	if err := s.refusals[user]; err != nil {
		return nil, err
	}
	return auth.NewPrincipal(auth.Identity{CallerType: auth.Person, Subject: user, Scope: []string{"orders:read"}})
}

var (
	bearer = scheme{name: "Bearer", header: "Authorization", challenge: "Bearer", refusals: map[string]error{
		"bad": auth.ErrInvalid.With("why", "signature"), "old": auth.ErrExpired, "gone": auth.ErrRevoked, "garbled": auth.ErrMalformed,
		"down": auth.ErrUnavailable, "later": auth.ErrUnavailable.Header("Retry-After", "60"), "bug": errors.New("nil map"),
	}}
	signed = scheme{header: "X-Signed", challenge: `Signed alg="x"`, refusals: map[string]error{"bad": auth.ErrInvalid}}
	silent = scheme{header: "X-Key", refusals: map[string]error{"bad": auth.ErrInvalid}}
)

// serve sends one request through a middleware with all three schemes, behind a
// Responder.
func serve(t *testing.T, o auth.Options, r *http.Request, next http.HandlerFunc) *http.Response {
	t.Helper()
	o.Authenticators = []auth.Authenticator{bearer, signed, silent}
	m, err := auth.New(o)
	require.NoError(t, err)
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	w := httptest.NewRecorder()
	failures.Handler(m.Handler(next)).ServeHTTP(w, r)
	return w.Result()
}

func whoami(w http.ResponseWriter, r *http.Request) {
	p, ok := auth.From(r.Context())
	fmt.Fprint(w, p, ok)
}

func code(t *testing.T, res *http.Response) string {
	t.Helper()
	var body struct {
		Code string `json:"code"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&body))
	return body.Code
}

// RFC 6750, section 3; RFC 9110, section 11.6.1.
func TestResponsesHaveChallenges(t *testing.T) {
	const bare, other = `Bearer realm="api"`, `Signed alg="x", realm="api"`
	for _, row := range []struct {
		name   string
		header http.Header
		status int
		code   string
		want   []string
	}{
		{name: "TH1 nothing", status: 401, code: "auth_required", want: []string{bare, other}},
		{name: "TH4 a scheme of nobody", header: http.Header{"Authorization": {"Basic eDp5"}}, status: 401, code: "auth_required", want: []string{bare, other}},
		{
			name:   "invalid",
			header: http.Header{"Authorization": {"Bearer bad"}},
			status: 401,
			code:   "auth_invalid",
			want:   []string{bare + `, error="invalid_token"`, other},
		},
		{
			name:   "expired",
			header: http.Header{"Authorization": {"Bearer old"}},
			status: 401,
			code:   "auth_expired",
			want:   []string{bare + `, error="invalid_token"`, other},
		},
		{
			name:   "revoked",
			header: http.Header{"Authorization": {"Bearer gone"}},
			status: 401,
			code:   "auth_revoked",
			want:   []string{bare + `, error="invalid_token"`, other},
		},
		{
			name:   "malformed",
			header: http.Header{"Authorization": {"Bearer garbled"}},
			status: 400,
			code:   "auth_malformed",
			want:   []string{bare + `, error="invalid_request"`, other},
		},
		{name: "the second scheme", header: http.Header{"X-Signed": {"bad"}}, status: 401, code: "auth_invalid", want: []string{bare, other + `, error="invalid_token"`}},
		{name: "a scheme without a challenge", header: http.Header{"X-Key": {"bad"}}, status: 401, code: "auth_invalid", want: []string{bare, other}},
		{
			name:   "TH2 two good ones",
			header: http.Header{"Authorization": {"Bearer ada"}, "X-Key": {"ada"}},
			status: 400,
			code:   "auth_malformed",
			want:   []string{bare, other},
		},
		{
			name:   "a good one and a bad one",
			header: http.Header{"Authorization": {"Bearer bad"}, "X-Key": {"ada"}},
			status: 400,
			code:   "auth_malformed",
			want:   []string{bare, other},
		},
		{name: "TH9 the source is down", header: http.Header{"Authorization": {"Bearer down"}}, status: 503, code: "auth_unavailable"},
		{name: "a bug in the authenticator", header: http.Header{"Authorization": {"Bearer bug"}}, status: 500, code: "internal_error"},
		{name: "good", header: http.Header{"Authorization": {"Bearer ada"}}, status: 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/orders", nil)
			r.Header = row.header
			res := serve(t, auth.Options{}, r, whoami)
			require.Equal(t, row.status, res.StatusCode)
			require.Equal(t, row.want, res.Header["Www-Authenticate"])
			if row.code != "" {
				require.Equal(t, row.code, code(t, res))
				require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			}
		})
	}
}

func TestRetryAfterIsSent(t *testing.T) {
	for user, want := range map[string]string{"down": "5", "later": "60"} {
		r := httptest.NewRequest("GET", "/orders", nil)
		r.Header.Set("Authorization", "Bearer "+user)
		require.Equal(t, want, serve(t, auth.Options{}, r, whoami).Header.Get("Retry-After"))
	}
}

func TestPublicAndOptionalRoutesAllowAnonymousClients(t *testing.T) {
	o := auth.Options{Public: []string{"POST /auth/login", "/assets/"}, Optional: []string{"GET /products"}}
	for _, row := range []struct {
		name, method, target, authorization, body string
		status                                    int
	}{
		{name: "a path that climbs out", method: "GET", target: "/assets/../orders", status: 401},
		{name: "the same, escaped", method: "GET", target: "/assets/%2e%2e/orders", status: 401},
		{name: "an escaped slash", method: "GET", target: "/assets%2Fx", status: 401},
		{name: "a doubled slash", method: "POST", target: "//auth/login", status: 401},
		{name: "a slash at the end", method: "POST", target: "/auth/login/", status: 401},
		{name: "another case", method: "POST", target: "/Auth/login", status: 401},
		{name: "another method", method: "PUT", target: "/auth/login", status: 401},
		{name: "TH7 a bad credential on an optional route", method: "GET", target: "/products", authorization: "Bearer bad", status: 401},
		{name: "TH7 a strange scheme on an optional route", method: "GET", target: "/products", authorization: "Negotiate x", status: 401},
		{name: "TH8 a preflight, inside instead of behind cors", method: "OPTIONS", target: "/orders", status: 401},
		{name: "anonymous on an optional route", method: "GET", target: "/products", body: "anonymous false", status: 200},
		{name: "known on an optional route", method: "GET", target: "/products", authorization: "Bearer ada", body: "person ada true", status: 200},
		{name: "a public route", method: "POST", target: "/auth/login", body: "anonymous false", status: 200},
		{
			name:          "a bad credential on a public route is not read",
			method:        "POST",
			target:        "/auth/login",
			authorization: "Bearer bad",
			body:          "anonymous false",
			status:        200,
		},
		{
			name:          "a good credential on a public route is not read",
			method:        "GET",
			target:        "/assets/a.css",
			authorization: "Bearer ada",
			body:          "anonymous false",
			status:        200,
		},
		{name: "a known caller", method: "GET", target: "/orders", authorization: "Bearer ada", body: "person ada true", status: 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(row.method, row.target, nil)
			if row.authorization != "" {
				r.Header.Set("Authorization", row.authorization)
			}
			w := serve(t, o, r, whoami)
			require.Equal(t, row.status, w.StatusCode)
			if row.status == 200 {
				var body [100]byte
				n, _ := w.Body.Read(body[:])
				require.Equal(t, row.body, string(body[:n]))
			}
		})
	}
}

// The log has the schemes, because a setup that reads one credential twice looks
// like a client that sends two.
func TestTwoCredentialsAreLogged(t *testing.T) {
	other := bearer
	other.challenge = ""
	m := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{bearer, other}}))
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer ada")
	_, err := m.Authenticate(r)
	require.ErrorIs(t, err, auth.ErrMalformed)
	require.Contains(t, logged(err), `reason="two authenticators find a credential of theirs"`)
	require.Equal(t, auth.SeveralCredentials, auth.ReasonOf(err))
}

func TestPanickingHooksChangeNoResponse(t *testing.T) {
	var events []auth.Event
	o := auth.Options{OnEvent: func(_ context.Context, e auth.Event) {
		events = append(events, e)
		panic("a hook")
	}, Logger: slog.New(slog.DiscardHandler)}
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer bad")
	require.Equal(t, 401, serve(t, o, r, whoami).StatusCode)
	r.Header.Set("Authorization", "Bearer ada")
	admin := auth.Require(auth.Role("admin"))(http.HandlerFunc(whoami))
	require.Equal(t, 403, serve(t, o, r, admin.ServeHTTP).StatusCode)

	require.Len(t, events, 2)
	require.Equal(t, auth.CredentialRefused, events[0].Reason)
	require.ErrorIs(t, events[0].Err, auth.ErrInvalid)
	require.Equal(t, auth.AccessDenied, events[1].Reason)
	require.Equal(t, "ada", events[1].Principal.Subject())
}

func TestAuthenticateAgreesWithHandler(t *testing.T) {
	m, err := auth.New(auth.Options{Authenticators: []auth.Authenticator{bearer}, Optional: []string{"/products"}})
	require.NoError(t, err)
	r := httptest.NewRequest("GET", "/products", nil)
	p, err := m.Authenticate(r)
	require.NoError(t, err)
	require.Nil(t, p)
	r.Header.Set("Authorization", "Bearer gone")
	_, err = m.Authenticate(r)
	require.ErrorIs(t, err, auth.ErrRevoked)
}
