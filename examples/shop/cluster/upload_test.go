package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/testlog"
)

// journal is the log of the program.
type journal struct{ testlog.Log }

// record waits for the record of the failed request.
func (j *journal) record(t *testing.T) (record map[string]any) {
	t.Helper()
	require.Eventually(t, func() bool {
		for line := range strings.Lines(j.String()) {
			record = nil
			if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == "request failed" {
				return true
			}
		}
		return false
	}, 10*time.Second, time.Millisecond)
	return record
}

// watchLog makes a journal the default log of the test.
func watchLog(t *testing.T) *journal {
	t.Helper()
	j, before := &journal{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
	return j
}

// front serves the balancer before a shop as main does, over TLS.
func front(t *testing.T, http2 bool, timeout time.Duration, shop http.HandlerFunc) *httptest.Server {
	t.Helper()
	behind := httptest.NewServer(shop)
	t.Cleanup(behind.Close)
	u, err := url.Parse(behind.URL)
	require.NoError(t, err)
	srv := httptest.NewUnstartedServer(balance([]*url.URL{u}))
	srv.Config.ReadTimeout, srv.EnableHTTP2 = timeout, http2
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// TestUploadThatDoesNotArrive_FX1 holds that a client that is slow or goes away is
// not an error of the shops: no 502, and no record above Debug.
func TestUploadThatDoesNotArrive_FX1(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, tt := range []struct {
			name string
			slow bool
			body bool
		}{
			{name: "a slow upload", slow: true, body: true},
			{name: "an aborted upload", body: true},
			{name: "a client that does not wait"},
		} {
			t.Run(fmt.Sprint("FX1 ", tt.name, ", HTTP/2 ", http2), func(t *testing.T) {
				log := watchLog(t)
				timeout := time.Minute
				if tt.slow {
					timeout = 300 * time.Millisecond
				}
				reached := make(chan struct{}, 1)
				srv := front(t, http2, timeout, func(_ http.ResponseWriter, r *http.Request) {
					reached <- struct{}{}
					_, _ = io.Copy(io.Discard, r.Body)
					<-r.Context().Done()
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var body io.Reader
				rest, send := io.Pipe()
				if tt.body {
					go func() { _, _ = send.Write([]byte("half")) }()
					body = rest
				}
				r, err := http.NewRequestWithContext(ctx, "POST", srv.URL+"/orders", body)
				require.NoError(t, err)
				done := make(chan int, 1)
				go func() {
					res, err := srv.Client().Do(r)
					if err != nil {
						done <- 0
						return
					}
					_ = res.Body.Close()
					done <- res.StatusCode
				}()
				<-reached
				if !tt.slow {
					cancel()
					require.NoError(t, send.CloseWithError(context.Canceled)) // the client waits for its body
				}
				select {
				case code := <-done:
					require.Contains(t, []int{0, 408, 499}, code)
				case <-time.After(10 * time.Second):
					require.Fail(t, "no response")
				}
				_ = send.Close()
				record := log.record(t)
				require.Equal(t, "DEBUG", record["level"], record)
				require.Contains(t, []any{408.0, 499.0}, record["status"])
				require.NotContains(t, log.String(), `"level":"ERROR"`)
			})
		}
	}

	t.Run("FX1 a shop that is away is an error", func(t *testing.T) {
		log := watchLog(t)
		w := ask(balance([]*url.URL{nobody(t)}), nil)
		require.Equal(t, 502, w.Code)
		require.Equal(t, "ERROR", log.record(t)["level"])
	})
}

// TestOneCorrelationID_FX1 checks that a response has the ID of the process that
// made it, and no second one.
func TestOneCorrelationID_FX1(t *testing.T) {
	watchLog(t)
	srv := front(t, true, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Correlation-Id", "of the shop")
		w.WriteHeader(409)
	})
	res, err := srv.Client().Get(srv.URL)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, []string{"of the shop"}, res.Header.Values("X-Correlation-Id"))

	w := ask(balance([]*url.URL{nobody(t)}), nil)
	require.Len(t, w.Header().Values("X-Correlation-Id"), 1)
	require.Contains(t, w.Body.String(), w.Header().Get("X-Correlation-Id"))
}
