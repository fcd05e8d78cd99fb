package cors_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
)

func TestOriginFuncAllowsOrigins(t *testing.T) {
	var asked []string
	tenant := func(o cors.Origin) bool {
		asked = append(asked, o.String())
		return strings.HasSuffix(o.Host, "tenant.example") || o.Scheme == "http"
	}
	m := compile(t, cors.Options{Origins: []string{allowedOrigin}, OriginFunc: tenant, Credentials: true})
	for _, row := range []struct {
		name, origin string
		asked, want  bool
	}{
		{name: "null", origin: "null"},
		{name: "not an origin", origin: "https://a.tenant.example/"},
		{name: "a smuggled host", origin: "https://evil.tld@tenant.example"},
		{name: "without TLS", origin: "http://tenant.example"},
		{name: "an extension", origin: "chrome-extension://tenant.example"},
		{name: "refused", origin: "https://evil.example", asked: true},
		{name: "listed", origin: allowedOrigin, want: true},
		{name: "allowed", origin: "https://tenant.example:8443", asked: true, want: true},
		{name: "loopback", origin: "http://127.0.0.1:3000", asked: true, want: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			asked = nil
			require.Equal(t, row.want, m.AllowsOrigin(from(row.origin)))
			require.Equal(t, row.asked, len(asked) == 1)
			if row.asked {
				require.Equal(t, row.origin, asked[0])
			}
			require.Equal(t, []string{"Origin"}, do(m.Handler(next), "GET", "/", http.Header{"Origin": {row.origin}}).Header["Vary"])
		})
	}
	compile(t, cors.Options{OriginFunc: tenant})
	_, err := cors.New(cors.Options{Origins: []string{"*"}, OriginFunc: tenant})
	require.EqualError(t, err, `cors: OriginFunc: is never called with Origins "*"; did you mean one of them?`)
}

// The client gets a 500.
func TestPanicOfOriginFuncAllowsNothing(t *testing.T) {
	m := compile(t, cors.Options{OriginFunc: func(cors.Origin) bool { panic("table is gone") }})
	for _, method := range []string{"GET", "POST", "OPTIONS"} {
		t.Run(method, func(t *testing.T) {
			res := do(chain(t, m.Handler(next)), method, "/", http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}})
			require.Equal(t, 500, res.StatusCode)
			require.NotContains(t, res.Header, "Access-Control-Allow-Origin")
			require.NotContains(t, res.Header, "X-Next")
		})
	}
}

// With Credentials, a scheme without TLS requires InsecureOrigins, except for
// loopback.
func TestExtensionOriginsMatchExactly(t *testing.T) {
	list := []string{
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop", "moz-extension://0a1b2c3d-0000-4000-8000-000000000000",
		"safari-web-extension://0a1b2c3d", "capacitor://localhost", "ionic://localhost", "tauri://localhost",
	}
	m := compile(t, cors.Options{Origins: list, Credentials: true, InsecureOrigins: true})
	for _, origin := range list {
		t.Run(origin, func(t *testing.T) {
			require.True(t, m.AllowsOrigin(from(origin)))
			require.False(t, m.AllowsOrigin(from(origin+"a")))
			require.False(t, m.AllowsOrigin(from(strings.ToUpper(origin))))
			_, err := cors.New(cors.Options{Origins: []string{origin}, Credentials: true})
			require.Equal(t, strings.HasSuffix(origin, "://localhost"), err == nil)
		})
	}
}

// A wildcard must not stand at or above a rule of the Public Suffix List.
func TestCredentialsRefusePublicSuffixes_FC1(t *testing.T) {
	for _, suffix := range []string{
		"co.uk", "github.io", "vercel.app", "s3.amazonaws.com", "compute.amazonaws.com", "elb.amazonaws.com", "kawasaki.jp", "run.app", "amazonaws.com", "windows.net", "core.windows.net",
	} {
		t.Run(suffix, func(t *testing.T) {
			o := cors.Options{Origins: []string{"https://*." + suffix}, Credentials: true}
			_, err := cors.New(o)
			require.EqualError(t, err, `cors: Origins[0] "https://*.`+suffix+`": covers names of unrelated parties under "`+suffix+`", so Credentials need InsecurePublicSuffixes; did you mean your own name under it?`)
			o.InsecurePublicSuffixes = true
			compile(t, o)
			o.InsecurePublicSuffixes, o.Credentials = false, false
			compile(t, o)
		})
	}
	compile(t, cors.Options{Origins: []string{"https://*.example.co.uk", "https://*.me.github.io", "https://*.corp.internal", "https://github.io", "https://*.city.kawasaki.jp"}, Credentials: true})
}

// Each response follows one policy, even while policies change.
func TestReconfigureIsAtomic(t *testing.T) {
	one := cors.Options{Origins: []string{allowedOrigin}, Credentials: true, Expose: []string{"X-One"}}
	two := cors.Options{Origins: []string{allowedOrigin}, Expose: []string{"X-Two"}}
	m := compile(t, one)
	h := m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	whole := map[string]bool{}
	for _, o := range []cors.Options{one, two} {
		require.NoError(t, m.Reconfigure(o))
		whole[fmt.Sprint(do(h, "GET", "/", http.Header{"Origin": {allowedOrigin}}).Header)] = true
	}
	require.Len(t, whole, 2)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 200 {
				if i == 0 {
					if m.Reconfigure(one) != nil || m.Reconfigure(two) != nil {
						t.Error("refused")
					}
				}
				if got := fmt.Sprint(do(h, "GET", "/", http.Header{"Origin": {allowedOrigin}}).Header); !whole[got] {
					t.Errorf("two policies in one response: %s", got)
				}
			}
		})
	}
	wg.Wait()
	require.Error(t, m.Reconfigure(cors.Options{}))
	require.True(t, m.AllowsOrigin(from(allowedOrigin)), "a refused change must change nothing")
}

func ExampleMiddleware_Reconfigure() {
	origins := errors.Must(cors.New(cors.Options{Origins: []string{"https://app.example.com"}}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Origin", "https://new.example.com")
	fmt.Println(origins.AllowsOrigin(r))
	if err := origins.Reconfigure(cors.Options{Origins: []string{"https://app.example.com", "https://new.example.com"}}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(origins.AllowsOrigin(r))
	// Output:
	// false
	// true
}
