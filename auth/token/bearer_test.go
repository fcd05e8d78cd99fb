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
		{"TH1 none", "", nil, 401, `Bearer realm="api"`},
		{"TH4 Basic", "", []string{"Basic eDp5"}, 401, `Bearer realm="api"`},
		{"TH4 Negotiate", "", []string{"Negotiate abc"}, 401, `Bearer realm="api"`},
		{"TH2 Bearer and a space", "", []string{"Bearer "}, 400, invalidRequest},
		{"TH2 Bearer alone", "", []string{"Bearer"}, 400, invalidRequest},
		{"TH2 two words", "", []string{"Bearer a b"}, 400, invalidRequest},
		{"TH2 a tab", "", []string{"Bearer\t" + good}, 400, invalidRequest},
		{"TH2 a list", "", []string{"Bearer " + good + ", Bearer " + good}, 400, invalidRequest},
		{"TH2 two headers", "", []string{"Bearer " + good, "Bearer " + good}, 400, invalidRequest},
		{"TH2 two headers of two schemes", "", []string{"Basic eDp5", "Bearer " + good}, 400, invalidRequest},
		{"TH2 and one in the query", "?access_token=x", []string{"Bearer " + good}, 400, invalidRequest},
		{"TH2 and one in the query, escaped", "?a=b&access%5Ftoken=x", []string{"Bearer " + good}, 400, invalidRequest},
		{"TH1 only in the query", "?access_token=" + good, nil, 401, `Bearer realm="api"`},
		{"TH1 nonsense", "", []string{"Bearer x"}, 401, invalidToken},
		{"TH3 good", "", []string{"Bearer " + good}, 200, ""},
		{"TH3 bearer", "", []string{"bearer " + good}, 200, ""},
		{"TH3 BEARER", "?access_tokens=1", []string{"BEARER " + good}, 200, ""},
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
