package bench

import (
	"net/http"
	"testing"
)

// Sink is a ResponseWriter that does not allocate.
type Sink struct {
	header http.Header
	status int
}

// Header returns the header map.
func (s *Sink) Header() http.Header { return s.header }

// Write drops the body.
func (s *Sink) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader keeps the status.
func (s *Sink) WriteHeader(status int) { s.status = status }

// Nothing is the handler inside of every ring.
var Nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// Measure serves one request repeatedly: with a new header map for each response, as net/http
// does, and with one map that is cleared, which hides the cost of a growing map.
func Measure(b *testing.B, who string, h http.Handler, r *http.Request) {
	b.Run("map=fresh/who="+who, func(b *testing.B) {
		b.ReportAllocs()
		w := new(Sink)
		for b.Loop() {
			w.header = make(http.Header)
			h.ServeHTTP(w, r)
		}
	})
	b.Run("map=reused/who="+who, func(b *testing.B) {
		b.ReportAllocs()
		w := &Sink{header: make(http.Header, 16)}
		for b.Loop() {
			clear(w.header)
			h.ServeHTTP(w, r)
		}
	})
}
