package auth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

func TestNewRefuses(t *testing.T) {
	for _, row := range []struct {
		name    string
		options auth.Options
		want    string
	}{
		{name: "no authenticator", options: auth.Options{}, want: "auth: Authenticators: must not be empty; did you mean a *token.Verifier?"},
		{name: "a nil authenticator", options: auth.Options{Authenticators: []auth.Authenticator{bearer, nil}}, want: "auth: Authenticators[1]: must not be nil"},
		{
			name:    "FT9 a typed nil",
			options: auth.Options{Authenticators: []auth.Authenticator{bearer, (*pointed)(nil)}},
			want:    "auth: Authenticators[1]: must not be a nil *auth_test.pointed; did you drop the constructor's error?",
		},
		{
			name:    "FT9 a nil func",
			options: auth.Options{Authenticators: []auth.Authenticator{authenticatorFunc(nil)}},
			want:    "auth: Authenticators[0]: must not be a nil auth_test.authenticatorFunc; did you drop the constructor's error?",
		},
		{name: "FT9 two bearer authenticators", options: auth.Options{Authenticators: []auth.Authenticator{silent, bearer, signed, bearer}},
			want: "auth: Authenticators[3]: takes Bearer as Authenticators[1] does, so both would claim each token; did you mean token.ByIssuer?"},
		{name: "FT9 the scheme has no case", options: auth.Options{Authenticators: []auth.Authenticator{bearer, scheme{challenge: `bearer scope="x"`}}},
			want: "auth: Authenticators[1]: takes Bearer as Authenticators[0] does, so both would claim each token; did you mean token.ByIssuer?"},
		{
			name:    "FT9 one authenticator twice",
			options: auth.Options{Authenticators: []auth.Authenticator{&pointed{}, bearer, onePointed, onePointed}},
			want:    "auth: Authenticators[3]: is the same as Authenticators[2], so both would claim each credential",
		},
		{
			name:    "FT9 a challenge that is a second header",
			options: auth.Options{Authenticators: []auth.Authenticator{scheme{challenge: "Signed\r\nX: y"}}},
			want:    `auth: Authenticators[0]: Challenge "Signed\r\nX: y": is not a scheme and parameters (RFC 9110, section 11.6.1)`,
		},
		{
			name:    "FT9 a challenge with a realm of its own",
			options: auth.Options{Authenticators: []auth.Authenticator{scheme{challenge: `Bearer Realm="x"`}}},
			want:    `auth: Authenticators[0]: Challenge "Bearer Realm=\"x\"": has a realm; did you mean Options.Realm?`,
		},
		{
			name:    "everything public",
			options: auth.Options{Authenticators: []auth.Authenticator{bearer}, Public: []string{"/"}},
			want:    `auth: Public[0] "/": opens every path; did you mean "/{$}"?`,
		},
		{
			name:    "everything optional",
			options: auth.Options{Authenticators: []auth.Authenticator{bearer}, Optional: []string{"GET /"}},
			want:    `auth: Optional[0] "GET /": opens every path; did you mean "GET /{$}"?`,
		},
		{
			name:    "public and optional",
			options: auth.Options{Authenticators: []auth.Authenticator{bearer}, Public: []string{"/a"}, Optional: []string{"/a"}},
			want:    `auth: Optional[0] "/a": is the same pattern as auth: Public[0] "/a"`,
		},
		{
			name:    "TH6 a realm that ends the quotation",
			options: auth.Options{Authenticators: []auth.Authenticator{bearer}, Realm: "a\"\r\nX: y"},
			want:    `auth: Realm "a\"\r\nX: y": contains characters other than visible ASCII and space, or " or \`,
		},
		{
			name:    "TH6 two problems",
			options: auth.Options{Realm: "é"},
			want:    "auth: Authenticators: must not be empty; did you mean a *token.Verifier?\nauth: Realm \"é\": contains characters other than visible ASCII and space, or \" or \\",
		},
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

func (*pointed) Challenge() string { return "" }

var onePointed = new(pointed)

type authenticatorFunc func(*http.Request) (*auth.Principal, error)

func (f authenticatorFunc) Authenticate(r *http.Request) (*auth.Principal, error) { return f(r) }

func (authenticatorFunc) Challenge() string { return "" }

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
