package nethttp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// form is a multipart form with a file that is larger than the memory that
// the handlers of these tests allow.
func form(t *testing.T) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	require.NoError(t, w.WriteField("name", "ada"))
	file, err := w.CreateFormFile("picture", "a.png")
	require.NoError(t, err)
	_, err = file.Write(bytes.Repeat([]byte("x"), 32<<10))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes(), w.FormDataContentType()
}

// tempFiles redirects temporary files, and returns a function that lists them.
func tempFiles(t *testing.T) func() []string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return func() []string {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
}

// uploads is a handler that ends in every way that a handler may end.
func uploads(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(1); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	if len(r.MultipartForm.File) != 1 {
		panic("the file is missing")
	}
	switch r.PathValue("end") {
	case "panic":
		panic("a mistake")
	case "abort":
		panic(http.ErrAbortHandler)
	case "late":
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		panic("a mistake after the header")
	case "wait":
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the client hangs up
	case "refuse":
		http.Error(w, "no", http.StatusInternalServerError)
	}
}

func TestUploadsLeaveNoTemporaryFiles_FE1(t *testing.T) {
	x := newWorld(t)
	body, contentType := form(t)
	for version := 1; version <= 2; version++ {
		t.Run(fmt.Sprintf("HTTP/%d", version), func(t *testing.T) {
			files := tempFiles(t)
			srv := serve(t, version, x.wrap("POST /uploads/{end}", http.HandlerFunc(uploads)))
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					end := []string{"return", "panic", "abort", "late", "wait", "refuse", "hang-up"}[i%7]
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					var upload io.Reader = bytes.NewReader(body)
					if end == "hang-up" { // in the middle of the file
						upload = io.MultiReader(bytes.NewReader(body[:20<<10]), failing{})
					}
					r, err := http.NewRequestWithContext(ctx, "POST", srv.URL+"/uploads/"+end, upload)
					if err != nil {
						t.Error(err)
						return
					}
					r.Header = x.header.Clone()
					r.Header.Set("Content-Type", contentType)
					res, err := srv.Client().Do(r)
					if err != nil {
						if end != "abort" && end != "hang-up" {
							t.Errorf("%s: %v", end, err)
						}
						return
					}
					if want := map[string]int{"panic": 500, "refuse": 500}[end]; want != 0 && res.StatusCode != want {
						t.Errorf("%s: %d", end, res.StatusCode)
					}
					if end == "wait" {
						cancel()
					}
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				})
			}
			all.Wait()
			srv.Client().CloseIdleConnections()
			srv.Close()
			// Over HTTP/2, a handler may outlive its connection.
			require.Eventually(t, func() bool { return len(files()) == 0 }, 20*time.Second, 10*time.Millisecond, "%v", files())
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// outside is a handler further out: an access log, or a tracer.
func outside(h http.Handler, see func(*http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer see(r)
		h.ServeHTTP(w, r)
	})
}

func TestOuterHandlersSeeTheRouteAndTheForm_FE1(t *testing.T) {
	x := newWorld(t)
	body, contentType := form(t)
	files := tempFiles(t)
	x.each(t, func(t *testing.T, version int, wrap func(string, http.Handler) http.Handler) {
		for _, end := range []string{"return", "abort"} {
			seen := make(chan *http.Request, 1)
			h := wrap("POST /uploads/{end}", http.HandlerFunc(uploads))
			srv := serve(t, version, outside(h, func(r *http.Request) {
				if r.MultipartForm != nil {
					_ = r.MultipartForm.RemoveAll() // net/http leaves it after a panic over HTTP/1.1
				}
				seen <- r
			}))
			r, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/uploads/"+end+"?n=1", bytes.NewReader(body))
			require.NoError(t, err)
			r.Header = x.header.Clone()
			r.Header.Set("Content-Type", contentType)
			res, err := srv.Client().Do(r)
			require.Equal(t, end == "abort", err != nil)
			if err == nil {
				require.Equal(t, 200, res.StatusCode)
				readAll(t, res)
			}
			got := <-seen
			require.Equal(t, "POST /uploads/{end}", got.Pattern)
			require.Equal(t, "ada", got.FormValue("name"))
			require.Equal(t, "ada", got.PostFormValue("name"))
			require.NotNil(t, got.MultipartForm)
			require.Len(t, got.MultipartForm.File, 1)
		}
	})
	require.Empty(t, files())
}

func TestLogHasTheRouteAndNotThePath_FE1(t *testing.T) {
	for _, row := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{name: "a panic", handler: func(http.ResponseWriter, *http.Request) { panic("a mistake") }},
		{name: "a foreign body", handler: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }},
		{name: "a bare 404", handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			x := newWorld(t)
			srv := serve(t, 1, x.wrap("GET /users/{email}", row.handler))
			readAll(t, x.send(t, srv, "GET", "/users/alice@example.com", nil, nil))
			require.Contains(t, x.log.String(), `"route":"GET /users/{email}"`)
			require.NotContains(t, x.log.String(), "alice")
		})
	}
}

func TestTrailersAndPathValuesReachTheHandler_FE1(t *testing.T) {
	x := newWorld(t)
	x.each(t, func(t *testing.T, version int, wrap func(string, http.Handler) http.Handler) {
		inside, out, id := make(chan http.Header, 1), make(chan http.Header, 1), make(chan string, 1)
		h := wrap("POST /orders/{id}", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			inside <- r.Trailer.Clone()
			id <- r.PathValue("id")
		}))
		srv := serve(t, version, outside(h, func(r *http.Request) { out <- r.Trailer.Clone() }))
		r, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/orders/7", io.MultiReader(strings.NewReader("body")))
		require.NoError(t, err)
		r.Header = x.header.Clone()
		r.Trailer = http.Header{"Checksum": {"abc"}}
		res, err := srv.Client().Do(r)
		require.NoError(t, err)
		readAll(t, res)
		require.Equal(t, "7", <-id)
		require.Equal(t, http.Header{"Checksum": {"abc"}}, <-inside)
		require.Equal(t, http.Header{"Checksum": {"abc"}}, <-out)
	})
}

func TestTrailersThatWereNotAnnouncedReachTheHandler_FE1(t *testing.T) {
	x := newWorld(t)
	x.each(t, func(t *testing.T, version int, wrap func(string, http.Handler) http.Handler) {
		if version == 2 {
			return // net/http drops them there
		}
		inside, out := make(chan http.Header, 1), make(chan http.Header, 1)
		h := wrap("POST /", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			inside <- r.Trailer.Clone()
		}))
		srv := serve(t, version, outside(h, func(r *http.Request) { out <- r.Trailer.Clone() }))
		conn := dial(t, srv)
		_, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nChecksum: abc\r\n\r\n", x.header.Get("Authorization"))
		require.NoError(t, err)
		require.Equal(t, http.Header{"Checksum": {"abc"}}, <-inside)
		require.Equal(t, http.Header{"Checksum": {"abc"}}, <-out)
	})
}

// The test fails if net/http adds a field to Request: decide then whether
// CarryBack must set it.
func TestEveryFieldOfARequestIsDecided_FE1(t *testing.T) {
	back := map[string]bool{"MultipartForm": true, "Form": true, "PostForm": true, "Trailer": true, "Pattern": true}
	// Fields of the client's message, which a handler must not change for outer
	// handlers, and fields that net/http recognizes by identity.
	stays := []string{
		"Method", "URL", "Proto", "ProtoMajor", "ProtoMinor", "Header", "Body", "GetBody", "ContentLength", "TransferEncoding", "Close", "Host",
		"RemoteAddr", "RequestURI", "TLS", "Cancel", "Response", "ctx",
		"pat", "matches", "otherValues", // path values
	}
	for i := range reflect.TypeFor[http.Request]().NumField() {
		field := reflect.TypeFor[http.Request]().Field(i)
		require.True(t, back[field.Name] || slices.Contains(stays, field.Name), "CarryBack must set %s, or it must be listed here", field.Name)
	}
}
