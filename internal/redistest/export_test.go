package redistest

import "net"

// Serve is what a proxy does with a connection that it has taken, and a
// server's.
func (p *Proxy) Serve(client, server net.Conn) {
	l := p.link(client)
	p.group.Go(func() { p.join(l, server) })
}
