package cors_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/internal/sameorigin/origincases"
)

// CWE-352. The server is https://api.example.com.
func TestEnforceRefusesCrossOriginWrites(t *testing.T) {
	o := options()
	o.Enforce, o.Exempt = cors.EnforceUnsafe, []string{"POST /sso/callback"}
	o.Scheme = func(*http.Request) string { return "https" }
	o.Host = func(*http.Request) string { return "API.example.com:443" }
	unsafe := compile(t, o)
	o.Enforce = cors.EnforceAll
	all := compile(t, o)
	for _, row := range []struct {
		name, method, target string
		sites, origins       []string
		unsafe, all          bool
	}{
		{name: "an unlisted page", method: "POST", target: "/", sites: []string{"cross-site"}, origins: []string{"https://evil.example"}},
		{name: "an unlisted page in an old browser", method: "POST", target: "/", origins: []string{"https://evil.example"}},
		{name: "a sandboxed frame", method: "POST", target: "/", origins: []string{"null"}},
		{name: "a sibling that is not listed", method: "POST", target: "/", sites: []string{"same-site"}, origins: []string{"https://blog.example.com"}},
		{name: "a sibling without an origin", method: "POST", target: "/", sites: []string{"same-site"}},
		{name: "our own host without TLS", method: "POST", target: "/", origins: []string{"http://api.example.com"}},
		{name: "our own host on another port", method: "POST", target: "/", origins: []string{"https://api.example.com:8443"}},
		{name: "our own host after userinfo", method: "POST", target: "/", origins: []string{"https://evil@api.example.com"}},
		{name: "our own host, as ftp", method: "POST", target: "/", origins: []string{"ftp://api.example.com"}},
		{name: "our own host with a dot", method: "POST", target: "/", origins: []string{"https://api.example.com."}},
		{name: "two sites", method: "POST", target: "/", sites: []string{"same-origin", "same-origin"}},
		{name: "an unknown site", method: "POST", target: "/", sites: []string{"same"}},
		{name: "an empty site", method: "POST", target: "/", sites: []string{""}},
		{name: "two origins", method: "POST", target: "/", origins: []string{allowedOrigin, allowedOrigin}},
		{name: "an empty origin", method: "POST", target: "/", origins: []string{""}},
		{name: "an unknown method", method: "QUERY", target: "/", sites: []string{"cross-site"}, origins: []string{"https://evil.example"}},
		{name: "a method in lower case", method: "get", target: "/", sites: []string{"cross-site"}},
		{name: "a path that cleans to an exempt one", method: "POST", target: "/sso//callback", sites: []string{"cross-site"}, origins: []string{"null"}},
		{name: "an exempt path with another method", method: "PUT", target: "/sso/callback", sites: []string{"cross-site"}, origins: []string{"null"}},
		{name: "an exempt route", method: "POST", target: "/sso/callback", sites: []string{"cross-site"}, origins: []string{"null"}, unsafe: true, all: true},
		{name: "HEAD from an unlisted page", method: "HEAD", target: "/", sites: []string{"cross-site"}, origins: []string{"https://evil.example"}, unsafe: true},
		{name: "a read from an unlisted page", method: "GET", target: "/", sites: []string{"cross-site"}, origins: []string{"https://evil.example"}, unsafe: true},
		{name: "OPTIONS", method: "OPTIONS", target: "/", sites: []string{"cross-site"}, origins: []string{"https://evil.example"}, unsafe: true, all: true},
		{name: "a listed origin", method: "POST", target: "/", sites: []string{"cross-site"}, origins: []string{allowedOrigin}, unsafe: true, all: true},
		{name: "a listed origin, old browser", method: "POST", target: "/", origins: []string{allowedOrigin}, unsafe: true, all: true},
		{name: "our own page", method: "POST", target: "/", sites: []string{"same-origin"}, origins: []string{"https://api.example.com"}, unsafe: true, all: true},
		{name: "our own page without a referrer", method: "POST", target: "/", sites: []string{"same-origin"}, origins: []string{"null"}, unsafe: true, all: true},
		{name: "the address bar", method: "POST", target: "/", sites: []string{"none"}, unsafe: true, all: true},
		{name: "our own page, old browser", method: "POST", target: "/", origins: []string{"https://api.example.com"}, unsafe: true, all: true},
		{name: "no browser", method: "POST", target: "/", unsafe: true, all: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(row.method, row.target, nil)
			if row.sites != nil {
				r.Header["Sec-Fetch-Site"] = row.sites
			}
			if row.origins != nil {
				r.Header["Origin"] = row.origins
			}
			require.Equal(t, row.unsafe, unsafe.Check(r) == nil, "EnforceUnsafe")
			require.Equal(t, row.all, all.Check(r) == nil, "EnforceAll")
		})
	}
}

func TestEnforceAgreesWithSession_FC7(t *testing.T) {
	for _, enforce := range []cors.Enforcement{cors.EnforceUnsafe, cors.EnforceAll} {
		m := compile(t, cors.Options{Origins: []string{origincases.Listed}, Enforce: enforce})
		for _, c := range origincases.Table {
			t.Run(c.Name, func(t *testing.T) {
				if c.Allowed {
					require.NoError(t, m.Check(c.Request("/")))
					return
				}
				require.ErrorIs(t, m.Check(c.Request("/")), cors.ErrOriginDenied)
			})
		}
	}
}

// Without Scheme and Host, over HTTP/1.1 and HTTP/2.
func TestOwnOriginIsRecognized(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(compile(t, cors.Options{Origins: []string{allowedOrigin}}).Handler(next))
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		t.Cleanup(srv.Close)
		for origin, status := range map[string]int{srv.URL: 200, strings.Replace(srv.URL, "https", "http", 1): 403, srv.URL + "0": 403, allowedOrigin: 200} {
			r, err := http.NewRequest("POST", srv.URL, nil)
			require.NoError(t, err)
			r.Header.Set("Origin", origin)
			res, err := srv.Client().Do(r)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http2, res.ProtoMajor == 2)
			require.Equal(t, status, res.StatusCode, origin)
		}
	}
}

func TestRefusalHasVaryButNoCORSHeaders(t *testing.T) {
	m := compile(t, cors.Options{Origins: []string{allowedOrigin}, Credentials: true})
	ways := transports(t, m.Handler(next))
	for way, send := range ways {
		res := send("POST", "/", http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}})
		require.Equal(t, 403, res.StatusCode, way)
		require.NotEmpty(t, res.Header.Get("X-Correlation-Id"))
		res.Header.Del("X-Correlation-Id")
		require.Equal(t, http.Header{
			"Vary": {"Origin"}, "Content-Type": {"application/json"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"},
		}, res.Header, way)
	}

	m = compile(t, cors.Options{Origins: []string{allowedOrigin}, Enforce: cors.EnforceAll})
	res := do(m.Handler(next), "GET", "/", nil)
	require.Equal(t, []string{"Origin, Sec-Fetch-Site"}, res.Header["Vary"])
}
