package redistest_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
)

// pipes returns a client and a server with a proxy between them. A write to
// either ends when the other side has read it: nothing is under way unseen.
func pipes(t *testing.T) (p *redistest.Proxy, client, server net.Conn) {
	t.Helper()
	p = redistest.StartProxy(t, "127.0.0.1:1")
	client, outer := net.Pipe()
	server, inner := net.Pipe()
	p.Serve(outer, inner)
	return p, client, server
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	require.NoError(t, c.SetWriteDeadline(time.Now().Add(20*time.Second)))
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

func read(t *testing.T, c net.Conn, text string) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	got := make([]byte, len(text))
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, text, string(got))
}

// silent requires that nothing arrives for some time.
func silent(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	n, err := c.Read(make([]byte, 100))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "%d bytes", n)
}

// The second reply arrives while the first is delayed, and has the same delay.
func TestProxyDelaysEachReply(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for timeouts")
	}
	t.Parallel()
	const delay = 2 * time.Second
	p, client, server := pipes(t)
	p.Delay(delay)
	begin := time.Now()
	write(t, server, "first ")
	write(t, server, "second")
	require.Less(t, time.Since(begin), delay, "who is late holds nobody up")
	read(t, client, "first second")
	require.GreaterOrEqual(t, time.Since(begin), delay)
	require.Less(t, time.Since(begin), 2*delay-delay/4)

	p.Delay(0)
	write(t, client, "request")
	read(t, server, "request")
	write(t, server, "what the server said last")
	require.NoError(t, server.Close())
	read(t, client, "what the server said last")
	_, err := client.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

// A command is found even if it arrives in several reads.
func TestProxyFindsCommands(t *testing.T) {
	t.Parallel()
	const whole = "*3\r\n$7\r\nEVALSHA\r\n"
	for cut := 1; cut < len(whole); cut++ {
		p, client, server := pipes(t)
		fired := p.DropReply("evalsha")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			lines := bufio.NewReader(server)
			for range 3 {
				if _, err := lines.ReadString('\n'); err != nil {
					t.Error(err)
				}
			}
		}()
		write(t, client, whole[:cut])
		write(t, client, whole[cut:])
		<-ended
		write(t, server, "the reply")
		select {
		case <-fired:
		case <-time.After(10 * time.Second):
			t.Fatalf("cut after %q, it is not found", whole[:cut])
		}
		write(t, server, "the next")
		read(t, client, "the next")
	}

	// In pieces of one byte, and not in earlier bytes.
	p, client, server := pipes(t)
	go func() { _, _ = io.Copy(io.Discard, server) }()
	write(t, client, "evalsha")
	fired := p.DropReply("evalsha")
	for i := range whole {
		select {
		case <-fired:
			t.Fatal("nobody has asked anew")
		default:
		}
		write(t, client, whole[i:i+1])
	}
	write(t, server, "the reply")
	<-fired

	// Bytes of two connections are no command together.
	fired = p.DropReply("evalsha")
	other, outer := net.Pipe()
	elsewhere, inner := net.Pipe()
	p.Serve(outer, inner)
	go func() { _, _ = io.Copy(io.Discard, elsewhere) }()
	write(t, client, "eval")
	write(t, other, "sha")
	write(t, elsewhere, "the reply")
	read(t, other, "the reply")
	write(t, client, "sha")
	write(t, server, "the reply")
	<-fired
}

// The black hole begins while bytes are copied.
func TestBlackHoleHoldsBytesInFlight(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		ends func(client, server net.Conn) (from, to net.Conn)
	}{
		{name: "requests", ends: func(client, server net.Conn) (from, to net.Conn) { return client, server }},
		{name: "replies", ends: func(client, server net.Conn) (from, to net.Conn) { return server, client }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, client, server := pipes(t)
			from, to := row.ends(client, server)
			write(t, from, strings.Repeat("x", 100))
			read(t, to, "x") // the others are on their way
			p.BlackHole(true)
			silent(t, to)
			p.BlackHole(false)
			read(t, to, strings.Repeat("x", 99))
		})
	}
}
