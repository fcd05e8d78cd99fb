package token_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// RFC 6750, section 2, through auth's Middleware and over a socket.
func TestAuthorizationHeaderIsParsed(t *testing.T) {
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{verifier(t, nil)}}))
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	srv := httptest.NewServer(failures.Handler(callers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))))
	t.Cleanup(srv.Close)
	good := sign(goodHeader().json(), goodClaims().json())
	const invalidRequest, invalidToken = `Bearer realm="api", error="invalid_request"`, `Bearer realm="api", error="invalid_token"`
	for _, row := range []struct {
		name, query string
		lines       []string
		status      int
		challenge   string
	}{
		{name: "TH1 none", status: 401, challenge: `Bearer realm="api"`},
		{name: "TH4 Basic", lines: []string{"Basic eDp5"}, status: 401, challenge: `Bearer realm="api"`},
		{name: "TH4 Negotiate", lines: []string{"Negotiate abc"}, status: 401, challenge: `Bearer realm="api"`},
		{name: "TH2 Bearer and a space", lines: []string{"Bearer "}, status: 400, challenge: invalidRequest},
		{name: "TH2 Bearer alone", lines: []string{"Bearer"}, status: 400, challenge: invalidRequest},
		{name: "TH2 two words", lines: []string{"Bearer a b"}, status: 400, challenge: invalidRequest},
		{name: "TH2 a tab", lines: []string{"Bearer\t" + good}, status: 400, challenge: invalidRequest},
		{name: "TH2 a list", lines: []string{"Bearer " + good + ", Bearer " + good}, status: 400, challenge: invalidRequest},
		{name: "TH2 two headers", lines: []string{"Bearer " + good, "Bearer " + good}, status: 400, challenge: invalidRequest},
		{name: "TH2 two headers of two schemes", lines: []string{"Basic eDp5", "Bearer " + good}, status: 400, challenge: invalidRequest},
		{name: "TH2 and one in the query", query: "?access_token=x", lines: []string{"Bearer " + good}, status: 400, challenge: invalidRequest},
		{name: "TH2 and one in the query, escaped", query: "?a=b&access%5Ftoken=x", lines: []string{"Bearer " + good}, status: 400, challenge: invalidRequest},
		{name: "TH1 only in the query", query: "?access_token=" + good, status: 401, challenge: `Bearer realm="api"`},
		{name: "TH1 nonsense", lines: []string{"Bearer x"}, status: 401, challenge: invalidToken},
		{name: "TH3 good", lines: []string{"Bearer " + good}, status: 200},
		{name: "TH3 bearer", lines: []string{"bearer " + good}, status: 200},
		{name: "TH3 BEARER", query: "?access_tokens=1", lines: []string{"BEARER " + good}, status: 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := http.NewRequest("GET", srv.URL+"/"+row.query, nil)
			require.NoError(t, err)
			r.Header["Authorization"] = row.lines
			res, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, row.status, res.StatusCode)
			require.Equal(t, row.challenge, res.Header.Get("Www-Authenticate"))
			if row.status != 200 {
				require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			}
		})
	}
}
