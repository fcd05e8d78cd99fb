package validate_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// gauge is a body that measures the live heap while it is read.
type gauge struct {
	rest  string
	taken int
	base  uint64
	peak  uint64
	last  runtime.MemStats // when it was read last
}

func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (g *gauge) Read(b []byte) (int, error) {
	if len(g.rest) == 0 || g.taken%(32<<10) < 4<<10 {
		g.peak = max(g.peak, live()-g.base)
	}
	n := copy(b[:min(len(b), 4<<10)], g.rest)
	g.rest, g.taken = g.rest[n:], g.taken+n
	runtime.ReadMemStats(&g.last)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// requireBound requires the status of a request, and that the heap grows by at most a
// number of bytes while it is refused. The measure is that of the whole process, in which
// the runtime allocates too, and with -race a sync.Pool drops a part of what it is given.
// So the least of up to three requests counts.
func requireBound(t *testing.T, h http.Handler, r *http.Request, body string, want int, bound uint64) {
	t.Helper()
	var peak uint64
	for range 3 {
		var status int
		status, peak = peakOf(t, h, r.Clone(t.Context()), body)
		require.Equal(t, want, status)
		if peak <= bound {
			return
		}
	}
	require.LessOrEqual(t, peak, bound)
}

// peakOf returns the growth of the heap while a request is refused: the live bytes while
// the body is read, and all later allocations.
func peakOf(t *testing.T, h http.Handler, r *http.Request, body string) (status int, peak uint64) {
	t.Helper()
	g := &gauge{rest: body}
	r.Body = io.NopCloser(g)
	w := httptest.NewRecorder()
	runtime.GC()
	g.base = live()
	h.ServeHTTP(w, r)
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	t.Logf("%d bytes sent, %d read: peak %d KiB", len(body), g.taken, g.peak>>10)
	return w.Code, max(g.peak, g.peak+after.TotalAlloc-g.last.TotalAlloc)
}

// A record has eight rules that an empty object breaks.
type record struct {
	A int8 `json:"a" validate:"min=1"`
	B int8 `json:"b" validate:"min=1"`
	C int8 `json:"c" validate:"min=1"`
	D int8 `json:"d" validate:"min=1"`
	E int8 `json:"e" validate:"min=1"`
	F int8 `json:"f" validate:"min=1"`
	G int8 `json:"g" validate:"min=1"`
	H int8 `json:"h" validate:"min=1"`
}

type records struct {
	V   []record `json:"v" validate:"max=1000000"`
	Any any      `json:"any"`
}

// A bomb takes at most Limits.Body plus 64 KiB of memory: each limit acts before the
// allocation that it limits. It holds VJ15 to VJ19 and VT9.
func TestRefusedBodiesBoundTheHeap(t *testing.T) {
	const body = 1 << 20
	h := quietly(errors.Must(validate.Handle(func(http.ResponseWriter, *http.Request, *records) error { return nil }, validate.Options{Logger: quiet, Gzip: true})))
	invalid := `{"v":[` + strings.Repeat("{},", 998) + "{}]}"
	for _, row := range []struct {
		name, body, encoding string
		status               int
	}{
		{"VJ16 depth", strings.Repeat("[", 5<<20), "", 413},
		{"VJ16 depth of objects", strings.Repeat(`{"any":`, 1<<18), "", 413},
		{"VJ17 items", "[" + strings.Repeat("0,", 10<<20), "", 413},
		{"VJ17 objects", "[" + strings.Repeat("{},", 1<<20), "", 413},
		{"VJ17 tokens", `{"any":[` + strings.Repeat("["+strings.Repeat("0,", 900)+"0],", 900), "", 413},
		{"VJ15 a name", `{"` + strings.Repeat("a", 4<<20), "", 413},
		{"VJ19 keys", "{" + strings.Repeat(`"a":1,`, 1<<20), "", 413},
		{"VJ9 a number", `{"any":` + strings.Repeat("9", 4<<20), "", 413},
		{"a string", `{"any":"` + strings.Repeat("a", 4<<20), "", 413},
		{"strings", `{"any":[` + strings.Repeat(`"`+strings.Repeat("a", 60<<10)+`",`, 40), "", 413},
		{"VT13 spaces", "{}" + strings.Repeat(" ", 40<<20), "", 413},
		{"VT9 gzip of zeros", zip(t, strings.Repeat("\x00", 40<<20)), "gzip", 413},
		{"VT9 gzip of spaces", zip(t, strings.Repeat(" ", 40<<20)), "gzip", 413},
		{"VT9 gzip of empty members", strings.Repeat(zip(t, ""), 100_000), "gzip", 413},
		{"VJ18 999 invalid items", invalid, "", 422},
		{"VJ18 999 invalid items in a megabyte", invalid + strings.Repeat(" ", body-len(invalid)), "", 422},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			r.ContentLength = -1
			r.Header = jsonType()
			if row.encoding != "" {
				r.Header.Set("Content-Encoding", row.encoding)
			}
			requireBound(t, h, r, row.body, row.status, body+64<<10)
		})
	}
}

// The same for forms, whose file the handler reads. It holds VM2, VM4 and VF2.
func TestRefusedFormsBoundTheHeap(t *testing.T) {
	const body, file = 1 << 20, 1 << 20
	limits := validate.Options{Logger: quiet, Limits: validate.Limits{File: file}}
	forms := quietly(errors.Must(validate.Handle(func(_ http.ResponseWriter, _ *http.Request, in *picture) error {
		_, err := io.Copy(io.Discard, &in.File)
		return err
	}, limits)))
	plain := quietly(errors.Must(validate.Form[contactForm](limits))(http.NotFoundHandler()))
	header := func(lines string) string {
		return part("Content-Disposition: form-data; name=\"alt\"\r\n"+lines, "x")
	}
	for _, row := range []struct {
		name, body string
		h          http.Handler
	}{
		{"VM2 parts", strings.Repeat(textPart("tag", "a"), 50_000), forms},
		{"VM2 a header of 10 MB", header("X-A: " + strings.Repeat("a", 10<<20)), forms},
		{"VM2 100 000 header lines", header(strings.Repeat("A: b\r\n", 100_000) + "A: b"), forms},
		{"VM2 a long field", textPart("alt", strings.Repeat("a", 10<<20)), forms},
		{"VM2 long fields", strings.Repeat(textPart("tag", strings.Repeat("a", 60<<10)), 40), forms},
		{"VM2 a preamble", strings.Repeat("a\r\n", 1<<20), forms},
		{"VM4 a large file", filePart("picture", "a.png", "image/png", png+strings.Repeat("a", 20<<20)), forms},
		{"VF2 20 000 fields", strings.Repeat("a=1&", 1<<20), plain},
		{"VF2 a long field", "name=" + strings.Repeat("a", 10<<20), plain},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			r.ContentLength = -1
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
			if strings.HasPrefix(row.name, "VF2") {
				r.Header = formHeader()
			}
			want := 413
			if row.name == "VM2 a preamble" {
				want = 400 // no longer one is needed to refuse it
			}
			requireBound(t, row.h, r, row.body, want, body+64<<10)
		})
	}
}

type contactForm struct {
	Name string `form:"name" validate:"max=10"`
}

// quietly wraps a handler in a Responder that logs nothing.
func quietly(h http.Handler) http.Handler {
	return errors.Must(errors.NewResponder(errors.Options{Logger: quiet})).Handler(h)
}

// A body with many problems costs hardly more than reading and decoding it, because only
// Limits.Errors of them are collected.
func TestProblemsAreBounded(t *testing.T) {
	h := quietly(errors.Must(validate.JSON[records](validate.Options{
		Logger: quiet, Limits: validate.Limits{Items: 1 << 20, Tokens: 1 << 20, Body: 1 << 20},
	}))(http.NotFoundHandler()))
	body := `{"v":[` + strings.Repeat("{},", 340_000) + "{}]}"
	allocated := func(f func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	decoding := allocated(func() { require.NoError(t, json.Unmarshal([]byte(body), new(records))) })
	w := httptest.NewRecorder()
	refusing := allocated(func() {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header = jsonType()
		h.ServeHTTP(w, r)
	})
	require.Equal(t, 422, w.Code)
	require.Contains(t, w.Body.String(), "(and at least 19 more problems)")
	require.Less(t, refusing, decoding+uint64(len(body)+128<<10))
}
