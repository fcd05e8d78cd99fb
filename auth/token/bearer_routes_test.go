package token_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

func TestBearerRoutesByForm(t *testing.T) {
	e := newEndpoint(t, map[string]string{"opaque": activeReply(`,"sub":"ada"`), "a.b.c.d.e": activeReply(`,"sub":"jwe"`), "x.y.z": activeReply(`,"sub":"dots"`)})
	v := verifier(t, nil)
	b := errors.Must(token.Bearer(token.BearerOptions{JWT: []*token.Verifier{v}, Opaque: e.introspector(t, nil)}))
	ask := func(text string) (*auth.Principal, error) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+text)
		return b.Authenticate(r)
	}
	for text, subject := range map[string]string{"opaque": "ada", "a.b.c.d.e": "jwe", "x.y.z": "dots", sign(goodHeader().json(), goodClaims().json()): "user"} {
		p, err := ask(text)
		require.NoError(t, err, text)
		if subject != "user" {
			require.Equal(t, subject, p.Subject())
		}
	}
	calls := e.calls.Load()
	foreign := sign(goodHeader().json(), goodClaims().with(object{"iss": "https://evil.example"}).json())
	_, err := ask(foreign)
	require.ErrorIs(t, err, auth.ErrInvalid)
	require.Equal(t, token.ReasonIssuer, auth.ReasonOf(err))
	require.Equal(t, calls, e.calls.Load(), "a JWT is never introspected")
}

func TestBearerRoutesAPIKeys(t *testing.T) {
	m := errors.Must(apikey.New(apikey.Options{
		Prefix: "acme", Store: apikey.NewMemory(), Routes: []string{"/"},
		ClientIP: func(*http.Request) (netip.Addr, bool) { return netip.MustParseAddr("10.1.2.3"), true },
	}))
	_, text, err := m.Create(t.Context(), apikey.Key{Name: "k", Subject: "stock", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	require.NoError(t, err)
	b := errors.Must(token.Bearer(token.BearerOptions{JWT: []*token.Verifier{verifier(t, nil)}, APIKeys: m}))
	for _, row := range []struct{ name, text, subject string }{
		{name: "API key", text: text, subject: "stock"},
		{name: "JWT", text: sign(goodHeader().json(), goodClaims().json()), subject: "ada"},
		{name: "API key with another prefix", text: "x" + text},
		{name: "changed API key", text: text[:len(text)-1] + "-"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer "+row.text)
			p, err := b.Authenticate(r)
			if row.subject == "" {
				require.ErrorIs(t, err, auth.ErrInvalid)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.subject, p.Subject())
		})
	}
}
