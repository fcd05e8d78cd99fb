package cors_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
)

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
