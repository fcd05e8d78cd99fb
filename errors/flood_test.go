package errors_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// TestStackOfPanicsAlone_E12 holds that an outage does not fill the disk with the
// Responder's own stack, which is the same for every error.
func TestStackOfPanicsAlone_E12(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fail  func(http.ResponseWriter, *http.Request)
		stack bool
	}{
		{"an error without a kind", respondWith(io.EOF), false},
		{"a 503", respondWith(errStore.Wrap(io.EOF)), false},
		{"an http.Error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "pq", 500) }, false},
		{"a bare 502", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, false},
		{"an error after the header", func(w http.ResponseWriter, r *http.Request) {
			defer func() { _ = recover() }()
			write(w)
			errors.Respond(w, r, io.EOF)
		}, false},
		{"a panic", func(http.ResponseWriter, *http.Request) { panic("x") }, true},
		{"a Goexit", func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, true},
	} {
		t.Run("E12 "+tt.name, func(t *testing.T) {
			j := new(journal)
			h := errors.Must(errors.NewResponder(errors.Options{Logger: j.logger()})).Handler(http.HandlerFunc(tt.fail))
			done := make(chan struct{})
			go func() { // a Goexit ends it
				defer close(done)
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			}()
			<-done
			record := j.record(t)
			require.Equal(t, "ERROR", record["level"])
			require.Equal(t, tt.stack, record["stack"] != nil)
			if !tt.stack {
				require.Less(t, len(j.String()), 400)
			}
		})
	}
}

// TestOutageIsSampled_E12 holds that unavailability that a service expects is one
// record in ten seconds for each kind and reason, and that no other 5xx is left
// out.
func TestOutageIsSampled_E12(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  func(i int) error
		want int
	}{
		{"a 503", func(int) error { return errStore.Wrap(io.EOF) }, 1},
		{"a 503 with two reasons", func(i int) error { return errStore.With("reason", fmt.Sprint("shard ", i%2)) }, 2},
		{"two kinds", func(i int) error { return []error{errStore, errors.ErrTimeout}[i%2] }, 2},
		{"a kind that names its own attribute", func(i int) error { return errShards.With("shard", i%4, "reason", "x") }, 4},
		{"a 500", func(int) error { return io.EOF }, 20},
		{"a 507", func(int) error { return errDisk }, 20},
		{"a 4xx", func(int) error { return errNoOrder }, 20},
	} {
		t.Run("E12 "+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, i := new(journal), 0
				h := errors.Must(errors.NewResponder(errors.Options{Logger: j.logger()})).Handler(errors.HandlerFunc(
					func(http.ResponseWriter, *http.Request) error { i++; return tt.err(i) }))
				for range 20 {
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
				}
				require.Equal(t, tt.want, j.records())
				if tt.want == 1 {
					time.Sleep(10 * time.Second) // of the bubble
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
					require.Contains(t, j.String(), `"suppressed":19`)
				}
			})
		})
	}
}

var (
	errShards = errors.Define(503, "test_shards", "Try again later.").Sampled("shard")
	errDisk   = errors.Define(507, "test_disk_full", "No more orders are accepted right now.")
)
