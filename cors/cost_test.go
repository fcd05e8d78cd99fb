package cors_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
)

// Handlers own the value slices in the header map (rs/cors issue 198). So does
// outer middleware, also those of a preflight.
func TestHandlersMayModifyHeaders(t *testing.T) {
	o := options()
	o.Enforce = cors.EnforceAll
	listed, everybody := compile(t, o), compile(t, cors.Options{Origins: []string{"*"}, MaxAge: cors.NoCache})
	for _, row := range []struct {
		name   string
		m      *cors.Middleware
		method string
		header http.Header
	}{
		{name: "a failed preflight", m: listed, method: "OPTIONS", header: http.Header{"Origin": {"https://evil.example"}, acrm: {"PUT"}}},
		{name: "a preflight", m: listed, method: "OPTIONS", header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: {"x-a"}}},
		{name: "a preflight from any origin", m: everybody, method: "OPTIONS", header: http.Header{"Origin": {"null"}, acrm: {"GET"}}},
		{name: "no origin", m: listed, method: "GET", header: http.Header{"Sec-Fetch-Site": {"none"}}},
		{name: "a listed origin", m: listed, method: "GET", header: http.Header{"Origin": {allowedOrigin}}},
		{name: "everybody", m: everybody, method: "GET", header: http.Header{"Origin": {"https://a.example"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := row.m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			want := do(h, row.method, "/", row.header.Clone()).Header
			require.NotEmpty(t, want)
			var wg sync.WaitGroup
			for range 128 {
				wg.Go(func() {
					for range 20 {
						r := httptest.NewRequest(row.method, "/", nil)
						r.Header = row.header.Clone()
						w := httptest.NewRecorder()
						h.ServeHTTP(w, r)
						if !reflect.DeepEqual(want, w.Header()) {
							t.Errorf("another response changed: %v", w.Header())
						}
						spoil(w.Header())
					}
				})
			}
			wg.Wait()
		})
	}
}

func spoil(h http.Header) {
	for key, lines := range h {
		for i := range lines {
			lines[i] = "changed"
		}
		h[key] = append(lines, "more")
	}
}

func TestHandlerDoesNotAllocate(t *testing.T) {
	o := options()
	o.OnEvent = func(context.Context, cors.Event) {}
	h := compile(t, o).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, row := range []struct {
		name, method string
		header       http.Header
	}{
		{name: "1 MiB of listed headers", method: "OPTIONS", header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: {strings.Repeat("x-a,", 1<<18)}}},
		{
			name:   "1 MiB of commas in 1024 lines",
			method: "OPTIONS",
			header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: slices.Repeat([]string{strings.Repeat(",", 1023)}, 1024)},
		},
		{name: "65 536 empty lines", method: "OPTIONS", header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: make([]string, 1<<16)}},
		{name: "1 MiB of one name", method: "OPTIONS", header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: {strings.Repeat("a", 1<<20)}}},
		{name: "a method of 500 KB", method: "OPTIONS", header: http.Header{"Origin": {allowedOrigin}, acrm: {strings.Repeat("A", 500_000)}}},
		{name: "an origin of 100 KB", method: "GET", header: http.Header{"Origin": {"https://" + strings.Repeat("a", 100_000) + ".wild.example"}}},
		{name: "a smuggled host", method: "GET", header: http.Header{"Origin": {"https://evil.tld%00.wild.example"}}},
		{name: "no origin", method: "GET", header: http.Header{}},
		{name: "a listed origin", method: "GET", header: http.Header{"Origin": {allowedOrigin}}},
		{name: "an origin of a wildcard", method: "GET", header: http.Header{"Origin": {"https://a.b.wild.example"}}},
		{name: "a preflight", method: "OPTIONS", header: http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: {"authorization,Content-Type"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(row.method, "/", nil)
			r.Header = row.header
			w := &discard{header: http.Header{}}
			require.Zero(t, testing.AllocsPerRun(1000, func() { clear(w.header); h.ServeHTTP(w, r) }))
		})
	}
}

// discard is a ResponseWriter that does not allocate.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
