package auth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// loggedIn is an authenticator for principals with a class of login.
type loggedIn struct{ acr string }

func (l loggedIn) Challenge() string { return "Bearer" }

func (l loggedIn) Authenticate(*http.Request) (*auth.Principal, error) {
	return auth.NewPrincipal(auth.Identity{CallerType: auth.Person, Subject: "ada", ACR: l.acr, AMR: []string{"pwd", "otp"}})
}

func TestACRAsksForAnotherLogin(t *testing.T) {
	for _, row := range []struct {
		name, acr string
		classes   []string
		status    int
		challenge string
	}{
		{name: "listed", acr: "urn:mfa", classes: []string{"urn:hw", "urn:mfa"}, status: 200},
		{name: "another", acr: "urn:pwd", classes: []string{"urn:hw", "urn:mfa"}, status: 401, challenge: `Bearer realm="api", error="insufficient_user_authentication", acr_values="urn:hw urn:mfa"`},
		{name: "unknown", classes: []string{"urn:mfa"}, status: 401, challenge: `Bearer realm="api", error="insufficient_user_authentication", acr_values="urn:mfa"`},
		{name: "unknown and empty class", classes: []string{""}, status: 401, challenge: `Bearer realm="api", error="insufficient_user_authentication"`},
		{name: "prefix", acr: "urn:mf", classes: []string{"urn:mfa"}, status: 401, challenge: `Bearer realm="api", error="insufficient_user_authentication", acr_values="urn:mfa"`},
		{name: "no classes", acr: "urn:mfa", status: 401, challenge: `Bearer realm="api", error="insufficient_user_authentication"`},
		{name: "class that cannot be quoted", acr: "x", classes: []string{`"`}, status: 401, challenge: `Bearer realm="api", error="insufficient_user_authentication"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{loggedIn{row.acr}}}))
			handler := callers.Handler(auth.Require(auth.ACR(row.classes...))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				p, _ := auth.From(r.Context())
				require.Equal(t, row.acr, p.ACR())
				require.Equal(t, []string{"pwd", "otp"}, p.AMR())
			})))
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			require.Equal(t, row.status, w.Code)
			require.Equal(t, row.challenge, w.Header().Get("WWW-Authenticate"))
			if row.status == 401 {
				require.Contains(t, w.Body.String(), `"code":"login_too_weak"`, "a recent login does not help")
			}
		})
	}
}
