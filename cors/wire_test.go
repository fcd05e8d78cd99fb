package cors_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// transports serves a handler in three ways: called directly, and over sockets with
// HTTP/1.1 and HTTP/2.
func transports(t *testing.T, h http.Handler) map[string]func(method, target string, header http.Header) *http.Response {
	ways := map[string]func(string, string, http.Header) *http.Response{
		"called": func(method, target string, header http.Header) *http.Response {
			return do(h, method, target, header.Clone())
		},
	}
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		srv := httptest.NewUnstartedServer(h)
		srv.EnableHTTP2 = http2
		srv.Config.DisableGeneralOptionsHandler = true // the asterisk form comes through
		srv.StartTLS()
		t.Cleanup(srv.Close)
		ways[name] = func(method, target string, header http.Header) *http.Response {
			r, err := http.NewRequest(method, srv.URL, nil)
			require.NoError(t, err)
			r.URL.Path = target
			if target == "*" {
				r.URL = &url.URL{Scheme: "https", Host: r.URL.Host, Opaque: "*"}
			}
			if header != nil {
				r.Header = header.Clone()
			}
			res, err := srv.Client().Do(r)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, name, strings.TrimSuffix(res.Proto, ".0"))
			for _, key := range []string{"Date", "Content-Length"} { // net/http's own
				res.Header.Del(key)
			}
			return res
		}
	}
	return ways
}

// everywhere compares the status and the whole header map over each transport.
func everywhere(t *testing.T, ways map[string]func(string, string, http.Header) *http.Response, method, target string, header http.Header, status int, want http.Header) {
	t.Helper()
	for name, send := range ways {
		res := send(method, target, header)
		require.Equal(t, status, res.StatusCode, name)
		require.Equal(t, want, res.Header, name)
		require.LessOrEqual(t, res.ContentLength, int64(0), name)
	}
}
