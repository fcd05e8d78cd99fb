package bench_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	chicors "github.com/go-chi/cors"
	jub0bs "github.com/jub0bs/cors"
	rscors "github.com/rs/cors"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/bench"
)

const app = "https://app.example.com"

// corsPeers serve the same policy. The peers have no Enforce, so ours is off.
func corsPeers() []peer {
	origins := []string{app, "https://*.wild.example"}
	methods, headers, expose := []string{"GET", "POST", "PUT", "DELETE"}, []string{"Authorization", "Content-Type"}, []string{"X-Request-Id"}
	ours := errors.Must(cors.New(cors.Options{
		Origins: origins, Credentials: true, Methods: methods[2:], Headers: headers, Expose: expose, MaxAge: 600e9,
		Enforce: cors.InsecureEnforceOff, Logger: slog.New(slog.DiscardHandler),
	}))
	rs := rscors.New(rscors.Options{AllowedOrigins: origins, AllowCredentials: true, AllowedMethods: methods, AllowedHeaders: headers, ExposedHeaders: expose, MaxAge: 600})
	chi := chicors.New(chicors.Options{AllowedOrigins: origins, AllowCredentials: true, AllowedMethods: methods, AllowedHeaders: headers, ExposedHeaders: expose, MaxAge: 600})
	jub := errors.Must(jub0bs.NewMiddleware(jub0bs.Config{Origins: origins, Credentialed: true, Methods: methods, RequestHeaders: headers, ResponseHeaders: expose, MaxAgeInSeconds: 600}))
	return []peer{
		{name: "ringwall", h: ours.Handler(bench.Nothing)},
		{name: "rs", h: rs.Handler(bench.Nothing)},
		{name: "jub0bs", h: jub.Wrap(bench.Nothing)},
		{name: "go-chi", h: chi.Handler(bench.Nothing)},
	}
}

func corsCases() []request {
	preflight := func(origin, method string, headers ...string) http.Header {
		return http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": headers}
	}
	return []request{
		{name: "no-origin", method: "GET", header: http.Header{}},
		{name: "actual", method: "GET", header: http.Header{"Origin": {app}}, allow: app},
		{name: "actual-wildcard", method: "GET", header: http.Header{"Origin": {"https://a.b.wild.example"}}, allow: "https://a.b.wild.example"},
		{name: "actual-denied", method: "GET", header: http.Header{"Origin": {"https://evil.example"}}},
		{name: "preflight", method: "OPTIONS", header: preflight(app, "PUT", "authorization,content-type"), allow: app},
		{name: "preflight-denied", method: "OPTIONS", header: preflight("https://evil.example", "PUT", "authorization,content-type")},
		{name: "preflight-hostile", method: "OPTIONS", header: preflight(app, "PUT", strings.Repeat("x-a,", 64<<10))}, // 256 KiB
	}
}

type peer struct {
	name string
	h    http.Handler
}

type request struct {
	name, method string
	header       http.Header
	allow        string // Access-Control-Allow-Origin of the response
}

func (q request) new() *http.Request {
	r := httptest.NewRequest(q.method, "/", nil)
	r.Header = q.header
	return r
}

// corsFloor writes what the answer to one case needs, from slices that all
// responses share, and looks at nothing but the Origin: no middleware for CORS
// can do less. It has the answer from ours.
func corsFloor(q request) peer {
	type line struct {
		key    string
		values []string
	}
	w := httptest.NewRecorder()
	corsPeers()[0].h.ServeHTTP(w, q.new())
	var answer []line
	for key, values := range w.Header() {
		answer = append(answer, line{key, values})
	}
	return peer{"floor", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Origin"]) != len(q.header["Origin"]) {
			return
		}
		h := w.Header()
		for _, l := range answer {
			h[l.key] = l.values
		}
	})}
}

func BenchmarkCORS(b *testing.B) {
	for _, q := range corsCases() {
		b.Run(q.name, func(b *testing.B) {
			for _, p := range append(corsPeers(), corsFloor(q)) {
				bench.Measure(b, p.name, p.h, q.new())
			}
		})
	}
}

// The compared libraries must do the same.
func TestCORSAnswersAlike(t *testing.T) {
	for _, q := range corsCases() {
		for _, p := range append(corsPeers(), corsFloor(q)) {
			t.Run(q.name+"/"+p.name, func(t *testing.T) {
				w := httptest.NewRecorder()
				p.h.ServeHTTP(w, q.new())
				require.Equal(t, q.allow, w.Header().Get("Access-Control-Allow-Origin"))
				if q.allow != "" {
					require.Equal(t, "true", w.Header().Get("Access-Control-Allow-Credentials"))
				}
				if q.name == "preflight" {
					require.Equal(t, "PUT", w.Header().Get("Access-Control-Allow-Methods"))
					require.Equal(t, "600", w.Header().Get("Access-Control-Max-Age"))
				}
			})
		}
	}
}
