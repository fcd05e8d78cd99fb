package redistest

import (
	"bytes"
	"context"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
)

const (
	// dialWithin is the timeout of a connection to the server.
	dialWithin = 2 * time.Second
	// writeAtOnce bounds one write, which blocks changes of the proxy if the
	// receiver does not read.
	writeAtOnce = 50 * time.Millisecond
	// maxCommand is the number of bytes kept to find a command that arrives in
	// several reads.
	maxCommand = 256
	// maxLate is the maximum number of delayed replies of a connection.
	maxLate = 1024
)

// A link is one connection through the proxy.
type link struct {
	client, server net.Conn
	loss           atomic.Pointer[loss] // for the next reply
	ctx            context.Context      // ends with the link
	end            context.CancelFunc
}

// A reply has the bytes of one read from the server.
type reply struct {
	bytes []byte
	due   time.Time
	loss  *loss // nil means that the reply is not lost
}

// A loss drops the reply to one request.
type loss struct {
	command []byte
	reset   bool // also reset the connection
	fired   chan struct{}
}

// serveClient connects a client to the server.
func (p *Proxy) serveClient(client net.Conn) {
	l := p.link(client)
	dialer := net.Dialer{Timeout: dialWithin}
	server, err := dialer.DialContext(l.ctx, "tcp", p.target)
	if err != nil {
		l.resetConnections()
		p.forget(l)
		return
	}
	p.join(l, server)
}

// link returns a link that has no server connection yet.
func (p *Proxy) link(client net.Conn) *link {
	l := &link{client: client}
	l.ctx, l.end = context.WithCancel(context.Background())
	p.applyChange(func() {
		if p.refuse {
			l.resetConnections()
			return
		}
		p.links[l] = true
	})
	return l
}

// join copies bytes in both directions until one side closes.
func (p *Proxy) join(l *link, server net.Conn) {
	p.applyChange(func() {
		l.server = server
		if !p.links[l] { // it was reset
			l.close()
		}
	})
	late := make(chan reply, maxLate)
	p.group.Go(func() { p.up(l) })
	p.group.Go(func() { l.listen(late, p.lateness) })
	p.down(l, late)
	p.forget(l)
}

func (p *Proxy) forget(l *link) { p.applyChange(func() { delete(p.links, l) }) }

// up copies requests to the server.
func (p *Proxy) up(l *link) {
	defer l.close()
	buffer, before := make([]byte, 1<<16), []byte(nil)
	for {
		n, err := l.client.Read(buffer)
		if err != nil {
			return
		}
		p.requests.Add(1)
		if !p.pass(l) {
			return
		}
		seen := append(before, bytes.ToLower(buffer[:n])...)
		p.applyChange(func() {
			if p.next == nil {
				return
			}
			// Search only where at least one byte is new.
			if from := max(0, len(before)-len(p.next.command)+1); bytes.Contains(seen[from:], p.next.command) {
				l.loss.Store(p.next)
				p.next = nil
			}
		})
		before = bytes.Clone(seen[max(0, len(seen)-maxCommand):])
		if !p.forward(l, l.server, buffer[:n]) {
			return
		}
	}
}

// lateness returns the current delay of replies.
func (p *Proxy) lateness() time.Duration {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.delay
}

// listen reads replies, and sets the time at which each is due.
func (l *link) listen(late chan<- reply, lateness func() time.Duration) {
	defer close(late)
	buffer := make([]byte, 1<<16)
	for {
		n, err := l.server.Read(buffer)
		if err != nil {
			return
		}
		r := reply{bytes: bytes.Clone(buffer[:n]), due: time.Now().Add(lateness()), loss: l.loss.Swap(nil)}
		select {
		case late <- r:
		case <-l.ctx.Done():
			return
		}
	}
}

// down copies replies to the client when they are due.
func (p *Proxy) down(l *link, late <-chan reply) {
	defer l.close()
	for r := range late {
		if !l.waitFor(time.Until(r.due)) || !p.pass(l) {
			return
		}
		if r.loss != nil {
			close(r.loss.fired)
		}
		p.mu.RLock()
		storm := p.storm
		p.mu.RUnlock()
		if storm || r.loss != nil && r.loss.reset {
			l.resetConnections()
			return
		}
		if r.loss == nil && !p.forward(l, l.client, r.bytes) {
			return
		}
	}
}

// pass waits for the end of a black hole. It reports false if the link ends first.
func (p *Proxy) pass(l *link) bool {
	p.mu.RLock()
	held := p.held
	p.mu.RUnlock()
	if held == nil {
		return true
	}
	select {
	case <-held:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// forward writes bytes, and waits for the end of a black hole if necessary. It reports
// false if they cannot be written.
func (p *Proxy) forward(l *link, to net.Conn, b []byte) bool {
	for len(b) > 0 {
		if !p.pass(l) {
			return false
		}
		p.mu.RLock()
		n, err := 0, error(nil)
		if p.held == nil {
			_ = to.SetWriteDeadline(time.Now().Add(writeAtOnce)) // then release the lock for changes
			n, err = to.Write(b)
		}
		p.mu.RUnlock()
		b = b[n:]
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
	}
	return true
}

// waitFor waits for d. It reports false if the link ends first.
func (l *link) waitFor(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// close closes both connections.
func (l *link) close() {
	l.end()
	_ = l.client.Close() // may be closed already
	if l.server != nil {
		_ = l.server.Close()
	}
}

// resetConnections closes both connections, the client's with RST.
func (l *link) resetConnections() {
	if c, ok := l.client.(*net.TCPConn); ok {
		_ = c.SetLinger(0) // may be closed already
	}
	l.close()
}
