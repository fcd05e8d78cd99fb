package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pipes is a listener without wires, so that its connections run by a clock
// that jumps.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialled:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.dialled <- fromHere{theirs}
	return ours
}

// fromHere is a connection whose client is this machine.
type fromHere struct{ net.Conn }

func (fromHere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1234} }

// TestSlowBodiesDoNotDelayRefusals sends a body at a byte a second. A refusal does not wait for
// it. A response that is none has to: net/http reads the body of a request
// before it sends the response. The server's ReadTimeout of 30 s bounds that,
// and takes the place of validate's 10 s.
func TestSlowBodiesDoNotDelayRefusals(t *testing.T) {
	for path, want := range map[string]struct {
		status int
		after  time.Duration
	}{
		"/nowhere":      {status: 401, after: time.Second},
		"/healthz":      {status: 405, after: time.Second},
		"/auth/refresh": {status: 401, after: 4 * time.Second},
		"/auth/login":   {status: 408, after: 30 * time.Second},
		"/auth/logout":  {status: 204, after: 30 * time.Second},
	} {
		t.Run("FD8 "+path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				listener, ended := &pipes{make(chan net.Conn), make(chan struct{})}, make(chan error, 1)
				c := config{self: "http://127.0.0.1:8080", origins: []string{"https://app.example.com"}, insecure: true, rounds: 1, logger: slog.New(slog.DiscardHandler)}
				go func() { ended <- serve(ctx, c, listener, io.Discard) }()
				conn, started := listener.dial(), time.Now()
				var sender sync.WaitGroup
				sender.Go(func() {
					_, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
					for ; err == nil && time.Since(started) < time.Hour; time.Sleep(time.Second) {
						_, err = io.WriteString(conn, " ")
					}
					_ = conn.Close()
				})
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				require.NoError(t, err)
				require.Equal(t, want.status, res.StatusCode)
				require.InDelta(t, want.after, time.Since(started), float64(6*time.Second))
				sender.Wait()
				require.Less(t, time.Since(started), time.Minute)
				stop()
				require.NoError(t, <-ended)
			})
		})
	}
}
