package token

import (
	"net/http"

	"github.com/ringwall/ringwall/auth"
)

// A binding is what the cnf of a token names (RFC 7800): a key by its thumbprint (RFC
// 9449, section 6.1), a certificate by its (RFC 8705, section 3.1), or neither.
type binding struct{ key, certificate string }

// readBinding reads a cnf, and reports whether this verifier can check all that it
// names.
func (v *Verifier) readBinding(cnf member) (b binding, ok bool) {
	list, ok := members(cnf.value, nil, maxHeader)
	if !ok || len(list) == 0 {
		return b, false
	}
	for _, m := range list {
		switch {
		case m.name == "jkt" && v.dpop != nil:
			b.key, ok = m.stringValue()
		case m.name == "x5t#S256" && v.certificates != nil:
			b.certificate, ok = m.stringValue()
		default:
			ok = false
		}
		if !ok {
			return b, false
		}
	}
	return b, b.key != "" || b.certificate != ""
}

// checkBinding checks that a request has the key and the certificate that its token is
// bound to. The scheme is that of its Authorization header.
func (v *Verifier) checkBinding(r *http.Request, scheme, token string, b binding) error {
	unbound := b == binding{}
	switch {
	case unbound && v.dpop != nil && v.dpop.required, unbound && v.certificates != nil && v.certificates.required:
		return auth.ErrInvalid.With("reason", string(ReasonBound), "actual", "not bound").Wrap(ReasonBound)
	case b.key == "" && scheme == schemeDPoP:
		return auth.ErrInvalid.With("reason", string(ReasonBound), "actual", "not bound to a key").Wrap(ReasonBound) // RFC 9449, section 7.1
	case b.key != "" && scheme != schemeDPoP:
		return invalidClaim("cnf")
	}
	if b.certificate != "" {
		thumbprint, err := v.certificates.thumbprintOf(r)
		if err != nil {
			return err
		}
		if thumbprint != b.certificate {
			return auth.ErrInvalid.With("reason", string(ReasonCertificate)).Wrap(ReasonCertificate)
		}
	}
	if b.key == "" {
		return nil
	}
	thumbprint, err := v.dpop.verifyProof(r, token)
	if err != nil {
		return err
	}
	if thumbprint != b.key {
		return v.dpop.refuse(proofError("jkt"))
	}
	return v.dpop.use(r, thumbprint)
}

const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
)
