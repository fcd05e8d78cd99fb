package browser

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// A Server serves HTTPS and HTTP on one port, for a browser with HSTS for the
// host and port.
type Server struct {
	Port        string
	Certificate *x509.Certificate
	certificate tls.Certificate
	listener    net.Listener
	servers     []*http.Server
	done        sync.WaitGroup
}

// Serve serves a handler on a free port of loopback.
func Serve(h http.Handler) (*Server, error) {
	certificate, err := selfSigned()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	s := &Server{Port: port, Certificate: certificate.Leaf, certificate: *certificate, listener: listener}
	quiet := log.New(io.Discard, "", 0) // handshakes that Chromium aborts
	plain, secure := newQueue(listener), newQueue(listener)
	s.servers = []*http.Server{
		{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet},
		{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet, TLSConfig: &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}},
	}
	s.done.Go(func() { _ = s.servers[0].Serve(plain) })
	s.done.Go(func() { _ = s.servers[1].ServeTLS(secure, "", "") })
	s.done.Go(func() { sort(listener, plain, secure) })
	return s, nil
}

// Close stops the server, and waits for it.
func (s *Server) Close() {
	_ = s.listener.Close()
	for _, srv := range s.servers {
		_ = srv.Close()
	}
	s.done.Wait()
}

// sort passes each connection to the server for its first byte.
func sort(listener net.Listener, plain, secure *queue) {
	defer plain.end()
	defer secure.end()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			buffered := bufio.NewReader(conn)
			first, err := buffered.Peek(1)
			if err != nil {
				_ = conn.Close()
				return
			}
			_ = conn.SetReadDeadline(time.Time{})
			to := plain
			if first[0] == 0x16 { // a TLS handshake
				to = secure
			}
			to.put(peeked{conn, buffered})
		}()
	}
}

// peeked is a connection of which bytes were read already.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// queue is a listener whose connections another listener accepts.
type queue struct {
	net.Listener
	conns chan net.Conn
	ended chan struct{}
}

func newQueue(l net.Listener) *queue {
	return &queue{Listener: l, conns: make(chan net.Conn), ended: make(chan struct{})}
}

func (q *queue) put(conn net.Conn) {
	select {
	case q.conns <- conn:
	case <-q.ended:
		_ = conn.Close()
	}
}

func (q *queue) end() { close(q.ended) }

func (q *queue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.ended:
		return nil, net.ErrClosed
	}
}

func selfSigned() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.test"},
		DNSNames:  []string{"*.example.test", "evil.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}
