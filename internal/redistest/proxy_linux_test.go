package redistest_test

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
)

// deaf returns the address of a server that takes no connection: its queue is
// full.
func deaf(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	addr := fmt.Sprint("127.0.0.1:", name.(*syscall.SockaddrInet4).Port)
	for range 100 {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("the queue has no end")
	return ""
}

// A server that accepts no connection delays only its own clients, and not the
// end of the proxy.
func TestProxyEndsAlthoughTheServerAcceptsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for timeouts")
	}
	t.Parallel()
	var p *redistest.Proxy
	begin := time.Now()
	t.Run("while it dials", func(t *testing.T) {
		p = redistest.StartProxy(t, deaf(t))
		waits, err := net.Dial("tcp", p.Addr)
		require.NoError(t, err)
		defer func() { _ = waits.Close() }()
		silent(t, waits)
		p.Refuse(true)
		lost(t, waits)
		if late, err := net.Dial("tcp", p.Addr); err != nil {
			require.ErrorIs(t, err, syscall.ECONNRESET)
		} else {
			lost(t, late)
		}
		p.Refuse(false)
		last, err := net.Dial("tcp", p.Addr) // when the proxy ends
		require.NoError(t, err)
		defer func() { _ = last.Close() }()
		silent(t, last)
	})
	require.Less(t, time.Since(begin), 40*time.Second, "the proxy has ended")

	p = redistest.StartProxy(t, deaf(t))
	waits, err := net.Dial("tcp", p.Addr)
	require.NoError(t, err)
	defer func() { _ = waits.Close() }()
	lost(t, waits) // abandoned
}

// lost requires that a connection is reset.
func lost(t *testing.T, c net.Conn) {
	t.Helper()
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}
