package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// TestServiceTrustsTheMetadataOfAnIssuer starts a service with an Issuer, and
// another that has only the URL of the first.
func TestServiceTrustsTheMetadataOfAnIssuer(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	k := errors.Must(token.NewKeys(errors.Must(token.GenerateKey())))
	i := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: k, Issuer: server.URL, Audience: []string{"stock"}}))
	mux.Handle("/jwks", k.JWKS())
	metadata := errors.Must(i.Metadata(token.MetadataOptions{JWKS: server.URL + "/jwks", TokenEndpoint: server.URL + "/login", Scopes: []string{"stock:read"}}))
	mux.Handle("/.well-known/oauth-authorization-server", metadata)

	r := errors.Must(token.NewRemote(token.RemoteOptions{Issuer: server.URL, Client: server.Client(), Logger: slog.New(slog.DiscardHandler)}))
	v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: r, Audience: []string{"stock"}}))
	text, _, err := i.Issue(t.Context(), token.Grant{Subject: "orders"})
	require.NoError(t, err)
	p, err := v.Verify(t.Context(), text)
	require.NoError(t, err)
	require.Equal(t, "orders", p.Subject())
	w := httptest.NewRecorder()
	metadata.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	require.Equal(t, 405, w.Code)

	_, err = i.Metadata(token.MetadataOptions{JWKS: "https://other.example/jwks", TokenEndpoint: "http://x.example/"})
	require.ErrorContains(t, err, "is on another host than the issuer")
	require.ErrorContains(t, err, `token: TokenEndpoint "http://x.example/": must be an https URL`)
}

// TestClientFindsTheIssuer plays a client that has only the URL of a service, as
// an MCP client does: the 401 names the metadata, and the metadata the issuer.
func TestClientFindsTheIssuer(t *testing.T) {
	issuerOP := newOP(t)
	mux := http.NewServeMux()
	service := httptest.NewTLSServer(mux)
	defer service.Close()
	resource := service.URL + "/mcp"
	path := token.ProtectedResourcePath(resource)
	require.Equal(t, "/.well-known/oauth-protected-resource/mcp", path)
	document := errors.Must(token.ProtectedResource(token.ProtectedResourceOptions{
		Resource: resource, Issuers: []string{issuerOP.URL}, Scopes: []string{"tools"}, Name: "Tools", Documentation: "https://docs.example/", DPoP: newDPoP(t, token.DPoPOptions{}),
	}))
	r := issuerOP.remote(t, nil)
	v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: r, Audience: []string{resource}, Metadata: service.URL + path}))
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{v}}))
	mux.Handle("GET "+path, document)
	mux.Handle("/mcp", callers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := auth.From(r.Context())
		_, _ = io.WriteString(w, "hello "+p.Subject())
	})))

	client := service.Client()
	get := func(address, bearer string) (*http.Response, string) {
		req := errors.Must(http.NewRequest(http.MethodGet, address, nil))
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		res := errors.Must(client.Do(req))
		defer func() { _ = res.Body.Close() }()
		return res, string(errors.Must(io.ReadAll(res.Body)))
	}
	res, _ := get(resource, "")
	require.Equal(t, 401, res.StatusCode)
	found := regexp.MustCompile(`^Bearer resource_metadata="([^"]+)", realm="api"$`).FindStringSubmatch(res.Header.Get("WWW-Authenticate"))
	require.NotNil(t, found, res.Header.Get("WWW-Authenticate"))
	_, body := get(found[1], "")
	var metadata struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported"`
		Proofs   []string `json:"dpop_signing_alg_values_supported"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &metadata))
	require.Equal(t, resource, metadata.Resource, "a client must compare it (RFC 9728, section 3.3)")
	require.Equal(t, []string{issuerOP.URL}, metadata.Servers)
	require.Equal(t, []string{"tools"}, metadata.Scopes)
	require.Contains(t, metadata.Proofs, "ES256")
	_, body = get(resource, signNow(t, object{"iss": metadata.Servers[0], "aud": resource, "sub": "ada"}))
	require.Equal(t, "hello ada", body)
}

func TestProtectedResourceReportsAllProblems(t *testing.T) {
	_, err := token.ProtectedResource(token.ProtectedResourceOptions{Resource: "http://api.example", Scopes: []string{"a b"}, Documentation: "docs"})
	for _, part := range []string{
		`token: Resource "http://api.example": must be an https URL`, "token: Issuers: must not be empty", `token: Documentation "docs"`, `token: Scopes[0] "a b": is not a scope`,
	} {
		require.ErrorContains(t, err, part)
	}
	_, err = token.ProtectedResource(token.ProtectedResourceOptions{Resource: "https://api.example?x", Issuers: []string{"issuer"}})
	require.ErrorContains(t, err, "must not have a query")
	require.ErrorContains(t, err, `token: Issuers[0] "issuer"`)
	_, err = token.NewVerifier(token.VerifierOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}, Metadata: `https://x.example/"`})
	require.ErrorContains(t, err, "token: Metadata")
}

// clientCertificate returns a self-signed certificate for clients.
func clientCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key := errors.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotAfter: time.Now().Add(time.Hour)}
	der := errors.Must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func certificateToken(t *testing.T, c tls.Certificate) string {
	t.Helper()
	thumbprint := token.CertificateThumbprint(c.Certificate[0])
	return signNow(t, object{"cnf": object{"x5t#S256": thumbprint}})
}

// TestTokenNeedsItsCertificate sends tokens over real TLS connections.
func TestTokenNeedsItsCertificate(t *testing.T) {
	v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}, Certificates: errors.Must(token.NewCertificates(token.CertificatesOptions{}))}))
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{v}}))
	server := httptest.NewUnstartedServer(callers.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	own, other := clientCertificate(t), clientCertificate(t)
	text := certificateToken(t, own)
	for _, row := range []struct {
		name         string
		certificates []tls.Certificate
		text         string
		status       int
	}{
		{name: "own certificate", certificates: []tls.Certificate{own}, text: text, status: 200},
		{name: "another certificate", certificates: []tls.Certificate{other}, text: text, status: 401},
		{name: "no certificate", text: text, status: 401},
		{name: "bearer token", text: signNow(t, nil), status: 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			transport := server.Client().Transport.(*http.Transport).Clone()
			transport.TLSClientConfig.Certificates = row.certificates
			defer transport.CloseIdleConnections()
			for range 2 { // the second finds the token in the cache
				req := errors.Must(http.NewRequest(http.MethodGet, server.URL, nil))
				req.Header.Set("Authorization", "Bearer "+row.text)
				res := errors.Must((&http.Client{Transport: transport}).Do(req))
				_ = res.Body.Close()
				require.Equal(t, row.status, res.StatusCode)
			}
		})
	}
}

func TestCertificateHeaderOfAProxyIsRead(t *testing.T) {
	own := clientCertificate(t)
	rfc9440 := ":" + base64.StdEncoding.EncodeToString(own.Certificate[0]) + ":"
	nginx := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})))
	certificates := errors.Must(token.NewCertificates(token.CertificatesOptions{Header: "client-cert", Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Required: true}))
	v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}, Certificates: certificates}))
	for _, row := range []struct {
		name, peer string
		lines      []string
		reason     auth.Reason // "" means accepted
	}{
		{name: "RFC 9440", peer: "10.1.2.3:1", lines: []string{rfc9440}},
		{name: "nginx", peer: "10.1.2.3:1", lines: []string{nginx}},
		{name: "mapped address", peer: "[::ffff:10.1.2.3]:1", lines: []string{rfc9440}},
		{name: "another peer", peer: "192.0.2.1:1", lines: []string{rfc9440}, reason: token.ReasonCertificate},
		{name: "no address", peer: "@", lines: []string{rfc9440}, reason: token.ReasonCertificate},
		{name: "two headers", peer: "10.1.2.3:1", lines: []string{rfc9440, rfc9440}, reason: token.ReasonCertificate},
		{name: "no header", peer: "10.1.2.3:1", reason: token.ReasonCertificate},
		{name: "another certificate", peer: "10.1.2.3:1", lines: []string{":" + base64.StdEncoding.EncodeToString([]byte("other")) + ":"}, reason: token.ReasonCertificate},
		{name: "no certificate", peer: "10.1.2.3:1", lines: []string{"x"}, reason: token.ReasonCertificate},
		{name: "open colon", peer: "10.1.2.3:1", lines: []string{strings.TrimSuffix(rfc9440, ":")}, reason: token.ReasonCertificate},
		{name: "bad escape", peer: "10.1.2.3:1", lines: []string{"%zz"}, reason: token.ReasonCertificate},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = row.peer
			r.Header["Client-Cert"] = row.lines
			r.Header.Set("Authorization", "Bearer "+certificateToken(t, own))
			_, err := v.Authenticate(r)
			require.Equal(t, row.reason, auth.ReasonOf(err), "%v", err)
			require.Equal(t, row.reason == "", err == nil)
		})
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+signNow(t, nil))
	_, err := v.Authenticate(r)
	require.Equal(t, token.ReasonBound, auth.ReasonOf(err), "a bound token is required")
	for _, row := range []struct {
		o       token.CertificatesOptions
		problem string
	}{
		{o: token.CertificatesOptions{Header: "Client-Cert"}, problem: "token: Trusted: must not be empty"},
		{o: token.CertificatesOptions{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, problem: "token: Trusted: has no effect without Header"},
		{o: token.CertificatesOptions{Header: "Client-Cert", Trusted: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, problem: "must not be the whole internet"},
		{o: token.CertificatesOptions{Header: "Client Cert", Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, problem: "is not the name of a header"},
	} {
		_, err := token.NewCertificates(row.o)
		require.ErrorContains(t, err, row.problem)
	}
}
