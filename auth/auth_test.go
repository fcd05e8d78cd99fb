package auth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

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
		{"TH1 nothing", nil, 401, "auth_required", []string{bare, other}},
		{"TH4 a scheme of nobody", http.Header{"Authorization": {"Basic eDp5"}}, 401, "auth_required", []string{bare, other}},
		{"invalid", http.Header{"Authorization": {"Bearer bad"}}, 401, "auth_invalid", []string{bare + `, error="invalid_token"`, other}},
		{"expired", http.Header{"Authorization": {"Bearer old"}}, 401, "auth_expired", []string{bare + `, error="invalid_token"`, other}},
		{"revoked", http.Header{"Authorization": {"Bearer gone"}}, 401, "auth_revoked", []string{bare + `, error="invalid_token"`, other}},
		{"malformed", http.Header{"Authorization": {"Bearer garbled"}}, 400, "auth_malformed", []string{bare + `, error="invalid_request"`, other}},
		{"the second scheme", http.Header{"X-Signed": {"bad"}}, 401, "auth_invalid", []string{bare, other + `, error="invalid_token"`}},
		{"a scheme without a challenge", http.Header{"X-Key": {"bad"}}, 401, "auth_invalid", []string{bare, other}},
		{"TH2 two good ones", http.Header{"Authorization": {"Bearer ada"}, "X-Key": {"ada"}}, 400, "auth_malformed", []string{bare, other}},
		{"a good one and a bad one", http.Header{"Authorization": {"Bearer bad"}, "X-Key": {"ada"}}, 400, "auth_malformed", []string{bare, other}},
		{"TH9 the source is down", http.Header{"Authorization": {"Bearer down"}}, 503, "auth_unavailable", nil},
		{"a bug in the authenticator", http.Header{"Authorization": {"Bearer bug"}}, 500, "internal_error", nil},
		{"good", http.Header{"Authorization": {"Bearer ada"}}, 200, "", nil},
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
		{"a path that climbs out", "GET", "/assets/../orders", "", "", 401},
		{"the same, escaped", "GET", "/assets/%2e%2e/orders", "", "", 401},
		{"an escaped slash", "GET", "/assets%2Fx", "", "", 401},
		{"a doubled slash", "POST", "//auth/login", "", "", 401},
		{"a slash at the end", "POST", "/auth/login/", "", "", 401},
		{"another case", "POST", "/Auth/login", "", "", 401},
		{"another method", "PUT", "/auth/login", "", "", 401},
		{"TH7 a bad credential on an optional route", "GET", "/products", "Bearer bad", "", 401},
		{"TH7 a strange scheme on an optional route", "GET", "/products", "Negotiate x", "", 401},
		{"TH8 a preflight, inside instead of behind cors", "OPTIONS", "/orders", "", "", 401},
		{"anonymous on an optional route", "GET", "/products", "", "anonymous false", 200},
		{"known on an optional route", "GET", "/products", "Bearer ada", "person ada true", 200},
		{"a public route", "POST", "/auth/login", "", "anonymous false", 200},
		{"a bad credential on a public route is not read", "POST", "/auth/login", "Bearer bad", "anonymous false", 200},
		{"a good credential on a public route is not read", "GET", "/assets/a.css", "Bearer ada", "anonymous false", 200},
		{"a known caller", "GET", "/orders", "Bearer ada", "person ada true", 200},
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

func TestNewRefuses(t *testing.T) {
	for _, row := range []struct {
		name    string
		options auth.Options
		want    string
	}{
		{"no authenticator", auth.Options{}, "auth: Authenticators: must not be empty; did you mean a *token.Verifier?"},
		{"a nil authenticator", auth.Options{Authenticators: []auth.Authenticator{bearer, nil}}, "auth: Authenticators[1]: must not be nil"},
		{"FT9 a typed nil", auth.Options{Authenticators: []auth.Authenticator{bearer, (*pointed)(nil)}}, "auth: Authenticators[1]: must not be a nil *auth_test.pointed; did you drop the constructor's error?"},
		{"FT9 a nil func", auth.Options{Authenticators: []auth.Authenticator{authenticatorFunc(nil)}}, "auth: Authenticators[0]: must not be a nil auth_test.authenticatorFunc; did you drop the constructor's error?"},
		{"FT9 two bearer authenticators", auth.Options{Authenticators: []auth.Authenticator{silent, bearer, signed, bearer}},
			"auth: Authenticators[3]: takes Bearer as Authenticators[1] does, so both would claim each token; did you mean token.ByIssuer?"},
		{"FT9 the scheme has no case", auth.Options{Authenticators: []auth.Authenticator{bearer, scheme{challenge: `bearer scope="x"`}}},
			"auth: Authenticators[1]: takes Bearer as Authenticators[0] does, so both would claim each token; did you mean token.ByIssuer?"},
		{"FT9 one authenticator twice", auth.Options{Authenticators: []auth.Authenticator{&pointed{}, bearer, onePointed, onePointed}}, "auth: Authenticators[3]: is the same as Authenticators[2], so both would claim each credential"},
		{"FT9 a challenge that is a second header", auth.Options{Authenticators: []auth.Authenticator{scheme{challenge: "Signed\r\nX: y"}}}, `auth: Authenticators[0]: Challenge "Signed\r\nX: y": is not a scheme and parameters (RFC 9110, section 11.6.1)`},
		{"FT9 a challenge with a realm of its own", auth.Options{Authenticators: []auth.Authenticator{scheme{challenge: `Bearer Realm="x"`}}}, `auth: Authenticators[0]: Challenge "Bearer Realm=\"x\"": has a realm; did you mean Options.Realm?`},
		{"everything public", auth.Options{Authenticators: []auth.Authenticator{bearer}, Public: []string{"/"}}, `auth: Public[0] "/": opens every path; did you mean "/{$}"?`},
		{"everything optional", auth.Options{Authenticators: []auth.Authenticator{bearer}, Optional: []string{"GET /"}}, `auth: Optional[0] "GET /": opens every path; did you mean "GET /{$}"?`},
		{"public and optional", auth.Options{Authenticators: []auth.Authenticator{bearer}, Public: []string{"/a"}, Optional: []string{"/a"}}, `auth: Optional[0] "/a": is the same pattern as auth: Public[0] "/a"`},
		{"TH6 a realm that ends the quotation", auth.Options{Authenticators: []auth.Authenticator{bearer}, Realm: "a\"\r\nX: y"}, `auth: Realm "a\"\r\nX: y": contains characters other than visible ASCII and space, or " or \`},
		{"TH6 two problems", auth.Options{Realm: "é"}, "auth: Authenticators: must not be empty; did you mean a *token.Verifier?\nauth: Realm \"é\": contains characters other than visible ASCII and space, or \" or \\"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := auth.New(row.options)
			require.EqualError(t, err, row.want)
		})
	}
}

// pointed is an authenticator of a pointer, as *token.Verifier is.
type pointed struct{ _ byte }

func (*pointed) Authenticate(*http.Request) (*auth.Principal, error) { return nil, nil }
func (*pointed) Challenge() string                                   { return "" }

var onePointed = new(pointed)

type authenticatorFunc func(*http.Request) (*auth.Principal, error)

func (f authenticatorFunc) Authenticate(r *http.Request) (*auth.Principal, error) { return f(r) }
func (authenticatorFunc) Challenge() string                                       { return "" }

// A value that no constructor made refuses, and does not panic.
func TestZeroValuesRefuse_FT9(t *testing.T) {
	for name, m := range map[string]*auth.Middleware{"FT9 a nil Middleware": nil, "FT9 a zero Middleware": {}} {
		t.Run(name, func(t *testing.T) {
			failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
			srv := httptest.NewServer(failures.Handler(m.Handler(http.HandlerFunc(whoami))))
			t.Cleanup(srv.Close)
			res, err := http.Get(srv.URL)
			require.NoError(t, err)
			t.Cleanup(func() { _ = res.Body.Close() })
			require.Equal(t, 503, res.StatusCode)
			require.Equal(t, "auth_unavailable", code(t, res))
			_, err = m.Authenticate(httptest.NewRequest("GET", "/", nil))
			require.Contains(t, logged(err), "reason=\"the Middleware was not made by New\"")
		})
	}
	for name, r := range map[string]*auth.Revocations{"FT9 nil Revocations": nil, "FT9 zero Revocations": {}} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			for _, err := range []error{
				r.Check(ctx, "a", "b", "c", time.Now()), r.Ready(ctx), r.Run(ctx), r.RevokeToken(ctx, "a", time.Now()),
				r.RevokeSession(ctx, "a", time.Now()), r.RevokeSubject(ctx, "a", time.Now(), time.Now()),
			} {
				require.ErrorIs(t, err, auth.ErrUnavailable)
				require.Contains(t, logged(err), "reason=\"the Revocations were not made by NewRevocations\"")
			}
		})
	}
	_, err := auth.NewRevocations(auth.RevocationsOptions{MaxEntries: -1, Feed: (*nilFeed)(nil)})
	require.EqualError(t, err, "auth: MaxEntries: is negative; did you mean 0, for the default?\nauth: Feed: must not be a nil *auth_test.nilFeed; did you drop the constructor's error?")
}

type nilFeed struct{ auth.RevocationFeed }

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
