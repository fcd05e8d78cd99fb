package cors_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
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

func TestEveryDecisionIsReportedAsAnEvent(t *testing.T) {
	var got []cors.Event
	o := options()
	o.Enforce, o.Exempt, o.Logger = cors.EnforceUnsafe, []string{"/sso"}, slog.New(slog.DiscardHandler)
	o.OnEvent = func(_ context.Context, e cors.Event) {
		got = append(got, e)
		panic("a hook that fails changes nothing")
	}
	o.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(403) }
	h := compile(t, o).Handler(next)
	evil := []string{"https://evil.example"}
	for _, row := range []struct {
		name, method, target string
		header               http.Header
		want                 cors.Event
		reason               string
	}{
		{
			name:   "a write from an unlisted origin",
			method: "POST",
			target: "/",
			header: http.Header{"Origin": evil},
			want:   cors.Event{Refused: true, Reason: cors.Unlisted},
			reason: "unlisted",
		},
		{
			name:   "a cross-site write without Origin",
			method: "POST",
			target: "/",
			header: http.Header{"Sec-Fetch-Site": {"cross-site"}},
			want:   cors.Event{Refused: true, Reason: cors.ForeignSite},
			reason: "foreign_site",
		},
		{
			name:   "a write from two origins",
			method: "POST",
			target: "/",
			header: http.Header{"Origin": append(evil, evil...)},
			want:   cors.Event{Refused: true, Reason: cors.SeveralOrigins},
			reason: "several_origins",
		},
		{
			name:   "a preflight from an unlisted origin",
			method: "OPTIONS",
			target: "/",
			header: http.Header{"Origin": evil, acrm: {"PUT"}},
			want:   cors.Event{Preflight: true, Refused: true, Reason: cors.Unlisted},
			reason: "unlisted",
		},
		{
			name:   "a preflight for a method",
			method: "OPTIONS",
			target: "/",
			header: http.Header{"Origin": {allowedOrigin}, acrm: {"PATCH"}},
			want:   cors.Event{Preflight: true, Refused: true, Reason: cors.MethodNotAllowed},
			reason: "method_not_allowed",
		},
		{
			name:   "a preflight for a header",
			method: "OPTIONS",
			target: "/",
			header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: {"x-evil"}},
			want:   cors.Event{Preflight: true, Refused: true, Reason: cors.HeaderNotAllowed},
			reason: "header_not_allowed",
		},
		{name: "an exempt write", method: "POST", target: "/sso", header: http.Header{"Origin": evil}, want: cors.Event{Reason: cors.Exempted}, reason: "exempted"},
		{
			name:   "a read from an unlisted origin",
			method: "GET",
			target: "/",
			header: http.Header{"Origin": evil},
			want:   cors.Event{Reason: cors.Unlisted},
			reason: "unlisted",
		},
		{name: "no browser", method: "GET", target: "/", header: http.Header{}, want: cors.Event{Reason: cors.NoOrigin}, reason: "no_origin"},
		{name: "a listed origin", method: "PUT", target: "/", header: http.Header{"Origin": {allowedOrigin}}, want: cors.Event{Reason: cors.Listed}, reason: "listed"},
		{
			name:   "a listed preflight",
			method: "OPTIONS",
			target: "/",
			header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}},
			want:   cors.Event{Preflight: true, Reason: cors.Listed},
			reason: "listed",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			got = nil
			res := do(h, row.method, row.target, row.header)
			want := row.want
			want.Method, want.Path = row.method, row.target
			if want.Preflight {
				want.Method = row.header[acrm][0]
			}
			if from := row.header["Origin"]; len(from) > 0 {
				want.Origin = from[0]
			}
			require.Equal(t, []cors.Event{want}, got)
			require.Equal(t, row.want.Refused, res.StatusCode == 403)
			require.Equal(t, row.reason, string(row.want.Reason))
		})
	}
	got = nil
	do(h, "OPTIONS", "/", http.Header{"Origin": {"https://" + strings.Repeat("a", 1<<16)}, acrm: {strings.Repeat("A", 1<<16)}})
	require.Len(t, got, 1)
	require.Len(t, got[0].Method, 100)
	require.Less(t, len(got[0].Origin), 400)
}

func TestFailedPreflightIsLoggedOncePerMinute_FC6(t *testing.T) {
	evil := []string{"https://evil.example"}
	for _, row := range []struct {
		name   string
		header http.Header
		want   string // "": nothing
	}{
		{
			name:   "a megabyte of headers",
			header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: {strings.Repeat("x", 1<<20)}},
			want:   "reason=header_not_allowed origin=https://app.example.com method=PUT headers=xxx",
		},
		{
			name:   "a line break",
			header: http.Header{"Origin": {"https://evil.example\nlevel=ERROR"}, acrm: {"PUT"}},
			want:   `reason=unlisted origin="https://evil.example\nlevel=ERROR" method=PUT headers=""`,
		},
		{name: "an unlisted origin", header: http.Header{"Origin": evil, acrm: {"PUT"}}, want: `reason=unlisted origin=https://evil.example method=PUT headers=""`},
		{
			name:   "two origins",
			header: http.Header{"Origin": append(evil, allowedOrigin), acrm: {"PUT"}},
			want:   `reason=several_origins origin="https://evil.example | https://app.example.com" method=PUT`,
		},
		{
			name:   "a method",
			header: http.Header{"Origin": {allowedOrigin}, acrm: {"PATCH"}},
			want:   `reason=method_not_allowed origin=https://app.example.com method=PATCH`,
		},
		{
			name:   "a header",
			header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: {"x-evil"}},
			want:   `reason=header_not_allowed origin=https://app.example.com method=PUT headers=x-evil`,
		},
		{name: "a listed origin", header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var log bytes.Buffer
			o := options()
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			h := compile(t, o).Handler(next)
			for range 100 {
				do(h, "OPTIONS", "/", row.header.Clone())
			}
			if row.want == "" {
				require.Empty(t, log.String())
				return
			}
			require.Contains(t, log.String(), `level=WARN msg="preflight refused" `+row.want)
			require.LessOrEqual(t, strings.Count(log.String(), "\n"), 2, "a minute may end in between")
			require.Less(t, log.Len(), 1000)
		})
	}
}

// Any page can cause the first record, but cannot suppress the second.
func TestUnlistedOriginsDoNotHideFailuresOfListedOnes_FC6(t *testing.T) {
	var log bytes.Buffer
	o := options()
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	h := compile(t, o).Handler(next)
	do(h, "OPTIONS", "/", http.Header{"Origin": {"https://evil.example"}, acrm: {"PUT"}})
	do(h, "OPTIONS", "/", http.Header{"Origin": {allowedOrigin}, acrm: {"PATCH"}})
	require.Contains(t, log.String(), "reason=unlisted")
	require.Contains(t, log.String(), "reason=method_not_allowed")
}

func TestDebugLogsMistakes(t *testing.T) {
	var log bytes.Buffer
	o := options()
	o.Debug, o.Logger = true, slog.New(slog.NewTextHandler(&log, nil))
	m := compile(t, o)
	listed := http.Header{"Origin": {allowedOrigin}}
	for _, row := range []struct {
		name   string
		h      http.Handler
		header http.Header
		method string
		want   string // "": nothing
	}{
		{
			name:   "a preflight that failed",
			h:      m.Handler(next),
			header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: {"x-evil"}},
			method: "OPTIONS",
			want:   "reason=header_not_allowed origin=https://app.example.com method=PUT headers=x-evil",
		},
		{name: "two middlewares", h: m.Handler(m.Handler(next)), header: listed, method: "GET", want: "outer middleware also sets Access-Control-Allow-Origin"},
		{
			name:   "a handler that adds",
			h:      m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Add("Access-Control-Allow-Origin", "*") })),
			header: listed,
			method: "GET",
			want:   "handler also sets Access-Control-Allow-Origin",
		},
		{name: "a handler that sets", h: m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "https://x.example")
		})), header: listed, method: "GET", want: "handler also sets Access-Control-Allow-Origin"},
		{
			name:   "a handler that sets Vary",
			h:      m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Vary", "Accept") })),
			header: listed,
			method: "GET",
			want:   "handler removed Origin from Vary",
		},
		{name: "nothing wrong", h: m.Handler(next), header: listed, method: "GET"},
	} {
		t.Run(row.name, func(t *testing.T) {
			log.Reset()
			do(row.h, row.method, "/", row.header)
			if row.want == "" {
				require.Empty(t, log.String())
			}
			require.Contains(t, log.String(), row.want)
		})
	}
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
