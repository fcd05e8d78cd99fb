package browser

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Beside serves another handler on another port, only over HTTP/1.1 and TLS, with the
// certificate that Chromium trusts. A handler may hijack the connection: see [Cut].
func (s *Server) Beside(h http.Handler) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	beside := &Server{Port: port, Certificate: s.Certificate, certificate: s.certificate, listener: listener}
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{s.certificate}, MinVersion: tls.VersionTLS12},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2
	}
	beside.servers = []*http.Server{srv}
	beside.done.Go(func() { _ = srv.ServeTLS(listener, "", "") })
	return beside, nil
}

// Cut ends the connection of a request without a response: with FIN, or with RST.
func Cut(w http.ResponseWriter, reset bool) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	if secure, ok := conn.(*tls.Conn); ok && reset {
		if tcp, ok := secure.NetConn().(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			return tcp.Close()
		}
	}
	return conn.Close()
}
