package main

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/testlog"
)

// TestUploadThatDoesNotArrive_FX1 holds that a client that is slow or goes away is
// not an error of the service: no 502, and no record above Debug.
func TestUploadThatDoesNotArrive_FX1(t *testing.T) {
	const (
		json     = "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
		picture  = "PUT /products/RAM1/picture HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n--x\r\n"
		download = "GET /products HTTP/1.1\r\nHost: a\r\n\r\n"
	)
	for _, tt := range []struct {
		name, request string
		slow          bool
	}{
		{name: "a body that the rules read is cut off", request: json},
		{name: "a body that the rules read is slow", request: json, slow: true},
		{name: "a body that the service reads is cut off", request: picture},
		{name: "a body that the service reads is slow", request: picture, slow: true},
		{name: "a client that does not wait for the answer", request: download},
	} {
		t.Run("FX1 "+tt.name, func(t *testing.T) {
			reached := make(chan struct{}, 1)
			service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				reached <- struct{}{}
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			}))
			t.Cleanup(service.Close)
			upstream, err := url.Parse(service.URL)
			require.NoError(t, err)
			log := &testlog.Log{}
			handler, err := edge(config{upstream: upstream, logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			require.NoError(t, err)
			front := httptest.NewUnstartedServer(handler)
			front.Config.ReadTimeout = time.Minute
			if tt.slow {
				front.Config.ReadTimeout = 300 * time.Millisecond
			}
			front.Start()
			t.Cleanup(front.Close)

			conn, err := net.Dial("tcp", front.Listener.Addr().String())
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			_, err = io.WriteString(conn, tt.request)
			require.NoError(t, err)
			if tt.slow {
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				require.NoError(t, err)
				require.Contains(t, []int{408, 499}, res.StatusCode)
			} else {
				if tt.request != json { // which the rules read before the service sees it
					<-reached
				}
				require.NoError(t, conn.Close())
			}
			record := recordOf(t, log)
			require.Equal(t, "DEBUG", record["level"], record)
			require.Contains(t, []any{408.0, 499.0}, record["status"])
			require.NotContains(t, log.String(), `"level":"ERROR"`)
		})
	}
}

// recordOf waits for the record of the failed request.
func recordOf(t *testing.T, log *testlog.Log) (record map[string]any) {
	t.Helper()
	require.Eventually(t, func() bool {
		for line := range strings.Lines(log.String()) {
			record = nil
			if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == "request failed" {
				return true
			}
		}
		return false
	}, 10*time.Second, time.Millisecond, log)
	return record
}
