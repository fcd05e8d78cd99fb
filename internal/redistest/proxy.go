package redistest

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Proxy is between a client and a server, and does what networks do to
// both. What a method changes holds for all that is handed over after it has
// returned. It is safe for concurrent use.
type Proxy struct {
	// Addr is its address, host:port.
	Addr string

	target   string
	group    sync.WaitGroup
	requests atomic.Int64

	mu     sync.RWMutex // held to read while bytes are handed over
	links  map[*link]bool
	delay  time.Duration
	held   chan struct{} // closed when the black hole ends; nil without one
	refuse bool
	storm  bool
	next   *loss // of the reply to a request that is still to come
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
		p.Refuse(true) // those too that have been taken, and wait for the server
		_ = l.Close()  // once
		p.group.Wait()
	})
	return p
}

// Delay makes each reply late.
func (p *Proxy) Delay(d time.Duration) { p.applyChange(func() { p.delay = d }) }

// BlackHole keeps all bytes of both sides back while it is on, and hands them
// over when it ends.
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

// Refuse ends new connections at once, and those that are there, while on.
func (p *Proxy) Refuse(on bool) {
	p.applyChange(func() { p.refuse = on })
	if on {
		p.Reset()
	}
}

// Storm resets a connection in place of each reply while on: everything is
// executed, and nothing is told.
func (p *Proxy) Storm(on bool) { p.applyChange(func() { p.storm = on }) }

// DropReply loses the reply to the next request that has the command in it,
// such as "evalsha", once. That is what the server sends next: the client has
// no other request on its connection. What is written together with it is lost
// together with it. The channel is closed when that has happened.
func (p *Proxy) DropReply(command string) <-chan struct{} { return p.arm(command, false) }

// ResetReply resets the connection in place of the reply to the next request
// that has the command in it, once.
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

// Requests returns how many times clients have sent something, which for one
// that waits for its replies is the number of its round trips.
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
