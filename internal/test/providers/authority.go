package providers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An Authority is a certificate authority for one test. It has one server
// certificate, for 127.0.0.1 and localhost.
type Authority struct {
	Certificate tls.Certificate
	pool        *x509.CertPool
	keyFile     string
	certFile    string
	rootFile    string
}

// NewAuthority returns an Authority. Its files are deleted when the test ends.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	require.NoError(t, err)
	root, err = x509.ParseCertificate(rootDER)
	require.NoError(t, err)

	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, server, root, key.Public(), rootKey)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)

	dir := t.TempDir()
	a := &Authority{
		Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pool:        x509.NewCertPool(), keyFile: filepath.Join(dir, "server.key"), certFile: filepath.Join(dir, "server.pem"),
		rootFile: filepath.Join(dir, "root.pem"),
	}
	a.pool.AddCert(root)
	require.NoError(t, os.WriteFile(a.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	require.NoError(t, os.WriteFile(a.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(a.rootFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), 0o600))
	return a
}

// Client returns a client that accepts only certificates of the authority, and
// counts its requests. Its connections are closed when the test ends.
func (a *Authority) Client(t testing.TB) (*http.Client, *Requests) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	requests := &Requests{next: transport, paths: map[string]int{}}
	return &http.Client{Transport: requests, Timeout: 30 * time.Second}, requests
}

// Requests counts the requests of a client by their path, those without a
// response included.
type Requests struct {
	next http.RoundTripper

	mu    sync.Mutex
	paths map[string]int
}

// RoundTrip counts a request and sends it.
func (r *Requests) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.paths[req.URL.Path]++
	r.mu.Unlock()
	return r.next.RoundTrip(req)
}

// To returns the number of requests to a path.
func (r *Requests) To(path string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.paths[path]
}
