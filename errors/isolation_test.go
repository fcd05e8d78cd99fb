package errors_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

func TestPanicInACallbackBecomesA500(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options errors.Options
		status  int
	}{
		{name: "TrustCorrelation", options: errors.Options{TrustCorrelation: func(*http.Request) bool { panic("hook") }}, status: 500},
		{name: "Map", options: errors.Options{Map: func(error) *errors.Kind { panic("hook") }}, status: 500},
		{name: "InsecureKeepBody", options: errors.Options{InsecureKeepBody: func(*http.Request) bool { panic("hook") }}, status: 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, j := serve(t, tt.options, errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				switch tt.name {
				case "Map":
					return io.EOF
				case "InsecureKeepBody":
					http.Error(w, "leak", http.StatusServiceUnavailable)
					return nil
				}
				return errNoOrder
			}))
			res, body := do(t, s, "GET", "/", http.Header{"X-Correlation-Id": {"somebody"}})
			require.Equal(t, tt.status, res.StatusCode)
			require.NotContains(t, body, "leak")
			require.Contains(t, j.String(), "hook")
		})
	}
}

// The client message of a cause does not replace that of the kind that wraps it.
func TestCausesAreOnlyLogged(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		code string
	}{
		{name: "wrapped", err: errNoOrder.Wrap(offence{errBusy}), code: "order_not_found"},
		{name: "joined behind a kind", err: errors.Join(errNoOrder, offence{errBusy}), code: "order_not_found"},
		{name: "opaque", err: errors.Opaque(offence{errBusy}), code: "internal_error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := serve(t, errors.Options{Details: true}, errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return tt.err }))
			_, body := do(t, s, "GET", "/", nil)
			require.Contains(t, body, tt.code)
			require.NotContains(t, body, "qty")
		})
	}
}

var errShared = errNoOrder.Header("Retry-After", "5") // one error for all responses

// An error in a package variable serves many responses. A handler that modifies
// header values must not change those of the next response, or the correlation
// ID.
func TestResponsesDoNotShareHeadersOfAnError(t *testing.T) {
	h := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)})).Handler(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			spoil(w.Header())
			errors.Respond(w, r, errShared)
		}))
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		require.Equal(t, "5", w.Header().Get("Retry-After"))
		require.Regexp(t, "^[0-9a-f]{32}$", w.Header().Get("X-Correlation-Id"))
		require.Contains(t, w.Body.String(), w.Header().Get("X-Correlation-Id"))
		spoil(w.Header())
	}
}

func spoil(h http.Header) {
	for key, lines := range h {
		for i := range lines {
			lines[i] = "spoiled"
		}
		h[key] = append(lines, "more")
	}
}

// After a real upgrade (RFC 6455), frames pass both ways, and an error is logged
// but not written.
func TestErrorAfterAWebSocketUpgradeIsOnlyLogged(t *testing.T) {
	s, j := serve(t, errors.Options{}, errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if r.Header.Get("Upgrade") != "websocket" {
			return errNoOrder
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		_, _ = fmt.Fprintf(buffered, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
		frame := make([]byte, 2+4+5) // a masked text of five bytes
		if _, err := io.ReadFull(buffered, frame); err != nil {
			return err
		}
		for i := range frame[6:] {
			frame[6+i] ^= frame[2+i%4]
		}
		_, _ = buffered.Write(append([]byte{0x81, 5}, frame[6:]...))
		_ = buffered.Flush()
		return errNoOrder.Wrap(io.ErrUnexpectedEOF)
	}))
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	require.NoError(t, err)
	mask := []byte{1, 2, 3, 4}
	frame := append([]byte{0x81, 0x80 | 5}, mask...)
	for i, c := range []byte("hello") {
		frame = append(frame, c^mask[i%4])
	}
	_, err = conn.Write(frame)
	require.NoError(t, err)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	require.Equal(t, 101, res.StatusCode)
	require.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", res.Header.Get("Sec-WebSocket-Accept"), "RFC 6455, section 1.3")
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "\x81\x05hello", string(rest), "nothing of ours follows")
	require.Eventually(t, func() bool { return j.records() == 1 }, 5*time.Second, time.Millisecond)
}
