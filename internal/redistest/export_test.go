package redistest

import "net"

// Serve serves an accepted client connection with the given server connection.
func (p *Proxy) Serve(client, server net.Conn) {
	l := p.link(client)
	p.group.Go(func() { p.join(l, server) })
}
