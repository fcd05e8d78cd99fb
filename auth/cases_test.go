package auth_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
)

// The order of the rings: a preflight has no credentials (Fetch, section 3.2.5),
// so it is answered before auth.
func TestPreflightsAreForCORS_TH8(t *testing.T) {
	inner := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{bearer}})).Handler(http.HandlerFunc(whoami))
	origins := errors.Must(cors.New(cors.Options{Origins: []string{"https://app.example.com"}, Credentials: true, Headers: []string{"Authorization"}, Logger: slog.New(slog.DiscardHandler)}))
	preflight := httptest.NewRequest("OPTIONS", "/orders", nil)
	preflight.Header = http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"authorization"}}

	w := httptest.NewRecorder()
	inner.ServeHTTP(w, preflight)
	require.Equal(t, 401, w.Code, "auth alone")
	w = httptest.NewRecorder()
	origins.Handler(inner).ServeHTTP(w, preflight)
	require.Equal(t, 204, w.Code, "cors outside of it")
	require.Equal(t, "https://app.example.com", w.Header().Get("Access-Control-Allow-Origin"))
}

// A handler without a middleware gets no principal.
func TestHandlerWithoutMiddlewareHasNoPrincipal_AZ1(t *testing.T) {
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, known := auth.From(r.Context())
		require.False(t, known)
		require.Nil(t, p)
		_, loaded := auth.ObjectFrom[order](r.Context())
		require.False(t, loaded)
	})
	w := httptest.NewRecorder()
	ok.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, 200, w.Code)
	for name, ctx := range map[string]context.Context{"no Middleware": t.Context(), "a nil principal": auth.NewContext(t.Context(), nil)} {
		t.Run("AZ1 Require, and "+name, func(t *testing.T) {
			w := httptest.NewRecorder()
			auth.Require()(ok).ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
			require.Equal(t, 401, w.Code)
		})
	}
}

// An object that does not exist and one of another owner get one response (OWASP
// API1:2023).
func TestMissingAndForeignObjectsLookAlike_AZ2(t *testing.T) {
	h := auth.Require(auth.Object(errNoOrder, load, mine))(http.HandlerFunc(whoami))
	answers := make(map[string]string)
	for _, id := range []string{"2", "3"} {
		r := httptest.NewRequest("GET", "/?id="+id, nil)
		r.Header.Set("Authorization", "Bearer ada")
		res := serve(t, auth.Options{}, r, h.ServeHTTP)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		for _, name := range []string{"X-Correlation-Id", "Date"} {
			res.Header.Del(name)
		}
		unique := regexp.MustCompile(`[0-9a-f]{32}`)
		answers[id] = fmt.Sprint(res.StatusCode, unique.ReplaceAllString(fmt.Sprint(res.Header), "-"), unique.ReplaceAllString(string(body), "-"))
	}
	require.Equal(t, answers["3"], answers["2"])
	require.Contains(t, answers["2"], "order_not_found")
}

// Secrets and MACs are compared in constant time: no other comparison of bytes
// is anywhere in the code below this folder (ASVS 5.0 11.2.4).
func TestSecretsAreComparedInConstantTime_AZ7(t *testing.T) {
	uses := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotRegexp(t, `\b(bytes\.(Equal|Compare|HasPrefix)|slices\.Equal|reflect\.DeepEqual)\(`, string(source), path)
		uses += strings.Count(string(source), "hmac.Equal(") + strings.Count(string(source), "subtle.ConstantTime")
		return nil
	}))
	require.NotZero(t, uses)
}
