package redistest

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Proxy is between clients and a server, and simulates network failures. A method
// affects all bytes that are copied after it has returned. A Proxy is safe for
// concurrent use.
type Proxy struct {
	// Addr is its address, host:port.
	Addr string

	target   string
	group    sync.WaitGroup
	requests atomic.Int64

	mu     sync.RWMutex // held for reading while bytes are copied
	links  map[*link]bool
	delay  time.Duration
	held   chan struct{} // closed when the black hole ends; nil without one
	refuse bool
	storm  bool
	next   *loss // for the reply to a future request
}

// StartProxy starts a proxy for a server.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, links: make(map[*link]bool)}
	p.group.Go(func() { p.accept(l) })
	t.Cleanup(func() {
		p.Refuse(true) // also accepted ones that wait for the server
		_ = l.Close()  // is called once
		p.group.Wait()
	})
	return p
}

// Delay delays each reply by d.
func (p *Proxy) Delay(d time.Duration) { p.applyChange(func() { p.delay = d }) }

// BlackHole holds back all bytes in both directions while on, and delivers them when
// it ends.
func (p *Proxy) BlackHole(on bool) {
	p.applyChange(func() {
		switch {
		case on && p.held == nil:
			p.held = make(chan struct{})
		case !on && p.held != nil:
			close(p.held)
			p.held = nil
		}
	})
}

// Refuse resets all connections. While on, it also resets each new connection.
func (p *Proxy) Refuse(on bool) {
	p.applyChange(func() { p.refuse = on })
	if on {
		p.Reset()
	}
}

// Storm replaces each reply by a reset of the connection while on: commands are
// executed, but clients receive no replies.
func (p *Proxy) Storm(on bool) { p.applyChange(func() { p.storm = on }) }

// DropReply drops the reply to the next request that contains the command, such as
// "evalsha", once. The reply is the next bytes that the server sends on the
// connection, so the client must not have another request on it. Replies in the
// same bytes are also lost. The channel is closed when the reply was dropped.
func (p *Proxy) DropReply(command string) <-chan struct{} { return p.arm(command, false) }

// ResetReply replaces the reply to the next request that contains the command by a
// reset of the connection, once.
func (p *Proxy) ResetReply(command string) <-chan struct{} { return p.arm(command, true) }

func (p *Proxy) arm(command string, reset bool) <-chan struct{} {
	l := &loss{command: []byte(strings.ToLower(command)), reset: reset, fired: make(chan struct{})}
	p.applyChange(func() { p.next = l })
	return l.fired
}

// Reset resets all connections.
func (p *Proxy) Reset() {
	p.applyChange(func() {
		for l := range p.links {
			l.resetConnections()
			delete(p.links, l)
		}
	})
}

// Requests returns the number of reads from clients. For a client that waits for each
// reply, it is the number of round trips.
func (p *Proxy) Requests() int { return int(p.requests.Load()) }

func (p *Proxy) applyChange(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *Proxy) accept(from net.Listener) {
	for {
		client, err := from.Accept()
		if err != nil {
			return
		}
		p.group.Go(func() { p.serveClient(client) })
	}
}
