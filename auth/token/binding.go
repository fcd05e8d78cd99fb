package token

import "net/http"

// A binding has the members of a cnf (RFC 7800): the thumbprint of a key (RFC
// 9449, section 6.1), that of a certificate (RFC 8705, section 3.1), or neither.
type binding struct{ key, certificate string }

// checkBinding checks that a request has the key and the certificate that its token is
// bound to. The scheme is that of its Authorization header.
func (v *Verifier) checkBinding(r *http.Request, scheme, token string, b binding) error {
	unbound := b == binding{}
	switch {
	case unbound && v.dpop != nil && v.dpop.required, unbound && v.certificates != nil && v.certificates.required:
		return refusal(ReasonBound, "actual", "not bound")
	case b.key == "" && scheme == schemeDPoP:
		return refusal(ReasonBound, "actual", "not bound to a key") // RFC 9449, section 7.1
	case b.key != "" && scheme != schemeDPoP:
		return invalidClaim("cnf")
	}
	if b.certificate != "" {
		thumbprint, err := v.certificates.thumbprintOf(r)
		if err != nil {
			return err
		}
		if thumbprint != b.certificate {
			return refusal(ReasonCertificate)
		}
	}
	if b.key == "" {
		return nil
	}
	thumbprint, p, err := v.dpop.verifyProof(r, token)
	if err != nil {
		return err
	}
	if thumbprint != b.key {
		return v.dpop.refuse(proofError("jkt"))
	}
	return v.dpop.use(r, thumbprint, p)
}

const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
)
