package token

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// CertificatesOptions configures [Certificates]. The zero value takes the certificate
// of a client from the TLS connection of the request.
type CertificatesOptions struct {
	// Header is the header in which a proxy that terminates TLS sends the client's
	// certificate: as RFC 9440 writes it (Client-Cert: :MIIB...:), or as nginx does
	// (PEM with percent-encoding). Empty means that the service terminates TLS.
	Header string
	// Trusted lists the addresses of these proxies. The header of any other peer is
	// refused. It is required with Header.
	Trusted []netip.Prefix
	// Required refuses access tokens that are not bound to a certificate or a key.
	Required bool
}

// Certificates verifies that the client of a request has the certificate that its
// access token is bound to (RFC 8705, section 3). The TLS server must request client
// certificates: tls.RequireAnyClientCert or a stricter mode.
type Certificates struct {
	header   string
	trusted  []netip.Prefix
	required bool
}

// NewCertificates returns a Certificates. It reports all invalid options, joined.
func NewCertificates(o CertificatesOptions) (*Certificates, error) {
	var problems []error
	if o.Header != "" && len(o.Trusted) == 0 {
		problems = append(problems, errors.New("token: Trusted: must not be empty: any client could send the header "+o.Header+"; did you mean the addresses of the proxy?"))
	}
	if o.Header == "" && len(o.Trusted) > 0 {
		problems = append(problems, errors.New(`token: Trusted: has no effect without Header; did you mean "Client-Cert"?`))
	}
	if strings.ContainsAny(o.Header, " :") {
		problems = append(problems, errors.New("token: Header "+strconv.Quote(o.Header)+": is not the name of a header"))
	}
	for i, prefix := range o.Trusted {
		if !prefix.IsValid() || prefix.Bits() == 0 {
			problems = append(problems, fmt.Errorf("token: Trusted[%d] %s: must not be the whole internet, nor invalid", i, prefix))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &Certificates{header: http.CanonicalHeaderKey(o.Header), trusted: slices.Clone(o.Trusted), required: o.Required}, nil
}

// thumbprintOf returns the SHA-256 thumbprint of the client's certificate in
// base64url, or "" if the request has none.
func (c *Certificates) thumbprintOf(r *http.Request) (string, error) {
	der, err := c.certificateOf(r)
	if der == nil || err != nil {
		return "", err
	}
	return CertificateThumbprint(der), nil
}

// CertificateThumbprint returns the SHA-256 thumbprint of a certificate in DER, in
// base64url: the x5t#S256 of a token that is bound to it (RFC 8705, section 3.1).
func CertificateThumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// certificateOf returns the client's certificate in DER.
func (c *Certificates) certificateOf(r *http.Request) ([]byte, error) {
	if c.header == "" {
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			return nil, nil
		}
		return r.TLS.PeerCertificates[0].Raw, nil
	}
	lines := r.Header[c.header]
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	trusted := err == nil && slices.ContainsFunc(c.trusted, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap().WithZone("")) })
	switch {
	case len(lines) == 0 || lines[0] == "" && len(lines) == 1:
		return nil, nil
	case !trusted || len(lines) > 1:
		return nil, malformed(ReasonCertificate, "the certificate header comes from an unlisted peer, or twice")
	}
	if der := readCertificate(lines[0]); der != nil {
		return der, nil
	}
	return nil, malformed(ReasonCertificate, "the certificate header is unreadable")
}

// readCertificate returns the DER of a certificate of RFC 9440 or of nginx, or nil.
func readCertificate(text string) []byte {
	if inner, ok := strings.CutPrefix(text, ":"); ok {
		inner, ok = strings.CutSuffix(inner, ":")
		der, err := base64.StdEncoding.Strict().DecodeString(inner)
		if !ok || err != nil {
			return nil
		}
		return der
	}
	plain, err := url.PathUnescape(text)
	if err != nil {
		return nil
	}
	block, rest := pem.Decode([]byte(plain))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil
	}
	return block.Bytes
}
