package nethttp_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// compressing compresses every response, and sets the header before the handler
// runs, as CompressHandler of gorilla/handlers does.
func compressing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Add("Vary", "Accept-Encoding")
		w.Header().Set("Content-Disposition", "attachment")
		w.Header().Set("Trailer", "Server-Timing")
		z := gzip.NewWriter(w)
		next.ServeHTTP(compressed{w, z}, r)
		_ = z.Close()
		w.Header().Set("Server-Timing", "app;dur=1")
	})
}

type compressed struct {
	http.ResponseWriter
	to io.Writer
}

func (c compressed) Write(p []byte) (int, error) { return c.to.Write(p) }

func (c compressed) WriteHeader(status int) {
	c.Header().Del("Content-Length")
	c.ResponseWriter.WriteHeader(status)
}

func TestErrorsInsideACompressorKeepItsHeaders_FE4(t *testing.T) {
	x := newWorld(t)
	for version := 1; version <= 2; version++ {
		for name, h := range map[string]http.HandlerFunc{
			"Respond": func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"1"`)
				w.Header().Set("Content-Disposition", "attachment; filename=report.csv")
				w.Header().Add("Trailer", "X-Reason")
				w.Header().Set("X-Reason", "a secret")
				errors.Respond(w, r, errBad)
			},
			"a foreign body": func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "a secret", http.StatusInternalServerError)
			},
			"a panic":    func(http.ResponseWriter, *http.Request) { panic("a secret") },
			"a bare 404": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
			"a handler that encodes, too": func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "br")
				errors.Respond(w, r, errBad)
			},
		} {
			t.Run(fmt.Sprintf("%s HTTP/%d", name, version), func(t *testing.T) {
				srv := serve(t, version, compressing(x.wrap("/", h)))
				res := x.send(t, srv, "GET", "/", nil, http.Header{"Accept-Encoding": {"gzip"}})
				require.Equal(t, []string{"gzip"}, res.Header["Content-Encoding"])
				require.Equal(t, []string{"attachment"}, res.Header["Content-Disposition"])
				require.Empty(t, res.Header["Etag"])
				z, err := gzip.NewReader(res.Body)
				require.NoError(t, err)
				body, err := io.ReadAll(z)
				require.NoError(t, err)
				_, err = io.Copy(io.Discard, res.Body) // the trailers follow
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Regexp(t, `^\{"code":"[a-z_]+","message":"[^"]+","correlation_id":"[0-9a-f]{32}"\}\n$`, string(body))
				require.Equal(t, http.Header{"Server-Timing": {"app;dur=1"}}, res.Trailer)
				require.NotContains(t, fmt.Sprint(res.Header), "secret")
			})
		}
	}
}

func TestUnsatisfiedRangeKeepsItsLength_FE5(t *testing.T) {
	x := newWorld(t)
	content := func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "a.txt", time.Unix(1e9, 0), strings.NewReader("forty-seven bytes of a document, no more of it."))
	}
	for version := 1; version <= 2; version++ {
		for _, method := range []string{"GET", "HEAD"} {
			for _, row := range []struct {
				name    string
				handler http.HandlerFunc
				want    []string
			}{
				{name: "ServeContent", handler: content, want: []string{"bytes */47"}},
				{name: "Respond with the handler's header", handler: func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Range", "bytes */9")
					errors.Respond(w, r, errRange)
				}, want: []string{"bytes */9"}},
				{name: "Respond with the error's header", handler: func(w http.ResponseWriter, r *http.Request) {
					errors.Respond(w, r, errRange.Header("Content-Range", "bytes */8"))
				}, want: []string{"bytes */8"}},
				{name: "the range of another body", handler: func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Range", "bytes 0-4/9")
					errors.Respond(w, r, errRange)
				}},
				{name: "another status", handler: func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Range", "bytes */9")
					errors.Respond(w, r, errBad)
				}},
			} {
				t.Run(fmt.Sprintf("%s %s HTTP/%d", row.name, method, version), func(t *testing.T) {
					srv := serve(t, version, x.wrap("/", row.handler))
					res := x.send(t, srv, method, "/", nil, http.Header{"Range": {"bytes=100-"}})
					body := readAll(t, res)
					require.Contains(t, []int{400, 416}, res.StatusCode)
					require.Equal(t, row.want, res.Header["Content-Range"])
					require.Equal(t, []string{"application/json"}, res.Header["Content-Type"])
					require.Equal(t, method == "GET", strings.HasPrefix(body, `{"code":"`))
				})
			}
		}
	}
}

var errRange = errors.Define(416, "nethttp_range", "The range is not satisfiable.")
