package bench_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/stretchr/testify/require"
	"github.com/unrolled/secure"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/test/bench"
)

// lines are the seven headers of the API profile over HTTPS.
var lines = [][2]string{
	{"Strict-Transport-Security", "max-age=63072000; includeSubDomains"},
	{"X-Content-Type-Options", "nosniff"},
	{"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cache-Control", "no-store"},
}

// headersPeers set the same headers; unrolled/secure has no Cache-Control.
func headersPeers() []peer {
	ours := errors.Must(headers.New(headers.Options{}))
	unrolled := secure.New(secure.Options{
		STSSeconds: 63072000, STSIncludeSubdomains: true, ContentTypeNosniff: true, ContentSecurityPolicy: lines[2][1],
		FrameDeny: true, ReferrerPolicy: "no-referrer", CrossOriginResourcePolicy: "same-origin",
	})
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, l := range lines {
			h.Set(l[0], l[1])
		}
		bench.Nothing.ServeHTTP(w, r)
	})
	shared := make([][]string, len(lines)) // by all responses, which ours are not
	for i, l := range lines {
		shared[i] = []string{l[1]}
	}
	floor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for i, l := range lines {
			h[l[0]] = shared[i]
		}
		bench.Nothing.ServeHTTP(w, r)
	})
	return []peer{{name: "ringwall", h: ours.Handler(bench.Nothing)},
		{name: "Header.Set", h: plain},
		{name: "unrolled", h: unrolled.Handler(bench.Nothing)},
		{name: "floor", h: floor}}
}

func overTLS() *http.Request {
	r := httptest.NewRequest("GET", "https://api.example.com/", nil)
	r.TLS = new(tls.ConnectionState)
	return r
}

func BenchmarkHeaders(b *testing.B) {
	b.Run("api", func(b *testing.B) {
		for _, p := range headersPeers() {
			bench.Measure(b, p.name, p.h, overTLS())
		}
	})
}

func TestHeadersAnswerAlike(t *testing.T) {
	for _, p := range headersPeers() {
		t.Run(p.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			p.h.ServeHTTP(w, overTLS())
			for i, l := range lines {
				if p.name == "unrolled" && (i == 0 || i == len(lines)-1) {
					continue // it spells HSTS in another way, and has no Cache-Control
				}
				require.Equal(t, []string{l[1]}, w.Header()[l[0]], l[0])
			}
		})
	}
}

// clientIPPeers find the client behind two hops. chi's is a middleware that
// puts the address into the context; ours is a function.
func clientIPPeers() []peer {
	ours := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}))
	return []peer{
		{name: "ringwall", h: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			addr, _ := ours.ClientIP(r)
			found(w, addr)
		})},
		{name: "chi", h: middleware.ClientIPFromXFF("10.0.0.0/8")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			found(w, middleware.GetClientIPAddr(r.Context()))
		}))},
	}
}

var client = netip.MustParseAddr("203.0.113.9")

// found responds with 204 if the address is the client's.
func found(w http.ResponseWriter, addr netip.Addr) {
	if addr == client {
		w.WriteHeader(http.StatusNoContent)
	}
}

func twoHops() *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header["X-Forwarded-For"] = []string{"6.6.6.6, 203.0.113.9, 10.0.0.2"}
	return r
}

func BenchmarkClientIP(b *testing.B) {
	b.Run("two-hops", func(b *testing.B) {
		for _, p := range clientIPPeers() {
			bench.Measure(b, p.name, p.h, twoHops())
		}
	})
}

func TestClientIPAnswersAlike(t *testing.T) {
	for _, p := range clientIPPeers() {
		w := httptest.NewRecorder()
		p.h.ServeHTTP(w, twoHops())
		require.Equal(t, http.StatusNoContent, w.Code, p.name)
	}
}
