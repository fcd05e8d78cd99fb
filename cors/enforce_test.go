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
		{"an unlisted page", "POST", "/", []string{"cross-site"}, []string{"https://evil.example"}, false, false},
		{"an unlisted page in an old browser", "POST", "/", nil, []string{"https://evil.example"}, false, false},
		{"a sandboxed frame", "POST", "/", nil, []string{"null"}, false, false},
		{"a sibling that is not listed", "POST", "/", []string{"same-site"}, []string{"https://blog.example.com"}, false, false},
		{"a sibling without an origin", "POST", "/", []string{"same-site"}, nil, false, false},
		{"our own host without TLS", "POST", "/", nil, []string{"http://api.example.com"}, false, false},
		{"our own host on another port", "POST", "/", nil, []string{"https://api.example.com:8443"}, false, false},
		{"our own host after userinfo", "POST", "/", nil, []string{"https://evil@api.example.com"}, false, false},
		{"our own host, as ftp", "POST", "/", nil, []string{"ftp://api.example.com"}, false, false},
		{"our own host with a dot", "POST", "/", nil, []string{"https://api.example.com."}, false, false},
		{"two sites", "POST", "/", []string{"same-origin", "same-origin"}, nil, false, false},
		{"an unknown site", "POST", "/", []string{"same"}, nil, false, false},
		{"an empty site", "POST", "/", []string{""}, nil, false, false},
		{"two origins", "POST", "/", nil, []string{allowedOrigin, allowedOrigin}, false, false},
		{"an empty origin", "POST", "/", nil, []string{""}, false, false},
		{"an unknown method", "QUERY", "/", []string{"cross-site"}, []string{"https://evil.example"}, false, false},
		{"a method in lower case", "get", "/", []string{"cross-site"}, nil, false, false},
		{"a path that cleans to an exempt one", "POST", "/sso//callback", []string{"cross-site"}, []string{"null"}, false, false},
		{"an exempt path with another method", "PUT", "/sso/callback", []string{"cross-site"}, []string{"null"}, false, false},
		{"an exempt route", "POST", "/sso/callback", []string{"cross-site"}, []string{"null"}, true, true},
		{"HEAD from an unlisted page", "HEAD", "/", []string{"cross-site"}, []string{"https://evil.example"}, true, false},
		{"a read from an unlisted page", "GET", "/", []string{"cross-site"}, []string{"https://evil.example"}, true, false},
		{"OPTIONS", "OPTIONS", "/", []string{"cross-site"}, []string{"https://evil.example"}, true, true},
		{"a listed origin", "POST", "/", []string{"cross-site"}, []string{allowedOrigin}, true, true},
		{"a listed origin, old browser", "POST", "/", nil, []string{allowedOrigin}, true, true},
		{"our own page", "POST", "/", []string{"same-origin"}, []string{"https://api.example.com"}, true, true},
		{"our own page without a referrer", "POST", "/", []string{"same-origin"}, []string{"null"}, true, true},
		{"the address bar", "POST", "/", []string{"none"}, nil, true, true},
		{"our own page, old browser", "POST", "/", nil, []string{"https://api.example.com"}, true, true},
		{"no browser", "POST", "/", nil, nil, true, true},
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
