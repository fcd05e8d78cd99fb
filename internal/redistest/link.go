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
	// dialWithin is how long a server has to take a connection.
	dialWithin = 2 * time.Second
	// writeAtOnce is how long those who do not read keep others waiting.
	writeAtOnce = 50 * time.Millisecond
	// maxCommand bounds the commands that are found when they come in pieces.
	maxCommand = 256
	// maxLate bounds the replies of a connection that are late at one time.
	maxLate = 1024
)

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	loss           atomic.Pointer[loss] // of the next reply
	ctx            context.Context      // ends with it
	end            context.CancelFunc
}

// reply is bytes of the server.
type reply struct {
	bytes []byte
	due   time.Time
	loss  *loss // nil: they arrive
}

// loss is what happens to the reply to one request.
type loss struct {
	command []byte
	reset   bool // the connection is lost too
	fired   chan struct{}
}

// serveClient finds a server for a client.
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

// link returns a connection that has no server yet.
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

// join hands over what both say, until one ends.
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

// up hands requests over.
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
			// One byte at least is new.
			if from := max(0, len(before)-len(p.next.command)+1); bytes.Contains(seen[from:], p.next.command) {
				l.loss.Store(p.next)
				p.next = nil
			}
		})
		before = bytes.Clone(seen[max(0, len(seen)-maxCommand):])
		if !p.hand(l, l.server, buffer[:n]) {
			return
		}
	}
}

// lateness returns how late a reply is that comes now.
func (p *Proxy) lateness() time.Duration {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.delay
}

// listen takes replies, and says when each is due.
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

// down hands replies over when they are due.
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
		if r.loss == nil && !p.hand(l, l.client, r.bytes) {
			return
		}
	}
}

// pass waits for the end of a black hole. It reports false when the connection
// ends.
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

// hand writes bytes, but for those that a black hole keeps back until it ends.
// It reports false when they cannot be written.
func (p *Proxy) hand(l *link, to net.Conn, b []byte) bool {
	for len(b) > 0 {
		if !p.pass(l) {
			return false
		}
		p.mu.RLock()
		n, err := 0, error(nil)
		if p.held == nil {
			_ = to.SetWriteDeadline(time.Now().Add(writeAtOnce)) // then others may change something
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

// waitFor waits for so long. It reports false when the connection ends.
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

// close ends both connections.
func (l *link) close() {
	l.end()
	_ = l.client.Close() // by either side first
	if l.server != nil {
		_ = l.server.Close()
	}
}

// resetConnections ends both connections, the client's with RST.
func (l *link) resetConnections() {
	if c, ok := l.client.(*net.TCPConn); ok {
		_ = c.SetLinger(0) // it may be closed
	}
	l.close()
}
