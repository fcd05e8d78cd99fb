package redistest

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Proxy is between a client and a server, and does what networks do to
// both. It is safe for concurrent use.
type Proxy struct {
	// Addr is its address, host:port.
	Addr string

	target   string
	listener net.Listener
	ended    chan struct{}
	group    sync.WaitGroup
	requests atomic.Int64

	mu     sync.Mutex
	links  map[*link]bool
	delay  time.Duration
	held   chan struct{} // closed when the black hole ends; nil without one
	refuse bool
	storm  bool
	next   *loss // of the reply to a request that is still to come
}

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	loss           atomic.Pointer[loss] // of the next reply
}

// loss is what happens to the reply to one request.
type loss struct {
	command []byte
	reset   bool // the connection is lost too
	fired   chan struct{}
}

// StartProxy starts a proxy for a server.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, listener: l, ended: make(chan struct{}), links: make(map[*link]bool)}
	p.group.Go(p.accept)
	t.Cleanup(func() {
		close(p.ended)
		_ = l.Close() // once
		p.Reset()
		p.group.Wait()
	})
	return p
}

// Delay makes each reply late.
func (p *Proxy) Delay(d time.Duration) { p.set(func() { p.delay = d }) }

// BlackHole keeps all bytes of both sides back while it is on, and hands them
// over when it ends.
func (p *Proxy) BlackHole(on bool) {
	p.set(func() {
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
	p.set(func() { p.refuse = on })
	if on {
		p.Reset()
	}
}

// Storm resets a connection in place of each reply while on: everything is
// executed, and nothing is told.
func (p *Proxy) Storm(on bool) { p.set(func() { p.storm = on }) }

// DropReply loses the reply to the next request that has the command in it,
// such as "evalsha", once. What is written together with it is lost together
// with it. The channel is closed when that has happened.
func (p *Proxy) DropReply(command string) <-chan struct{} { return p.arm(command, false) }

// ResetReply resets the connection in place of the reply to the next request
// that has the command in it, once.
func (p *Proxy) ResetReply(command string) <-chan struct{} { return p.arm(command, true) }

func (p *Proxy) arm(command string, reset bool) <-chan struct{} {
	l := &loss{command: []byte(strings.ToLower(command)), reset: reset, fired: make(chan struct{})}
	p.set(func() { p.next = l })
	return l.fired
}

// Reset resets all connections.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// Requests returns how many times clients have sent something, which for one
// that waits for its replies is the number of its round trips.
func (p *Proxy) Requests() int { return int(p.requests.Load()) }

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuse := p.refuse
		p.mu.Unlock()
		l := &link{client: client}
		if refuse {
			l.reset()
			continue
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			l.reset()
			continue
		}
		l.server = server
		p.set(func() { p.links[l] = true })
		p.group.Go(func() { p.up(l) })
		p.group.Go(func() {
			p.down(l)
			p.set(func() { delete(p.links, l) })
		})
	}
}

// up hands requests over.
func (p *Proxy) up(l *link) {
	defer l.close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := l.client.Read(buffer)
		if err != nil {
			return
		}
		p.requests.Add(1)
		if !p.wait(0) {
			return
		}
		p.set(func() {
			if p.next != nil && bytes.Contains(bytes.ToLower(buffer[:n]), p.next.command) {
				l.loss.Store(p.next)
				p.next = nil
			}
		})
		if _, err := l.server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// down hands replies over.
func (p *Proxy) down(l *link) {
	defer l.close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := l.server.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		delay, storm := p.delay, p.storm
		p.mu.Unlock()
		if !p.wait(delay) {
			return
		}
		lost := l.loss.Swap(nil)
		if lost != nil {
			close(lost.fired)
		}
		if storm || lost != nil && lost.reset {
			l.reset()
			return
		}
		if lost != nil {
			continue
		}
		if _, err := l.client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// wait waits for so long, and for the end of a black hole. It reports false
// when the proxy ends.
func (p *Proxy) wait(d time.Duration) bool {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.ended:
			return false
		}
	}
	p.mu.Lock()
	held := p.held
	p.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-p.ended:
			return false
		}
	}
	return true
}

// close ends both connections.
func (l *link) close() {
	_ = l.client.Close() // by either side first
	if l.server != nil {
		_ = l.server.Close()
	}
}

// reset ends both connections, the client's with RST.
func (l *link) reset() {
	if c, ok := l.client.(*net.TCPConn); ok {
		_ = c.SetLinger(0) // it may be closed
	}
	l.close()
}
