package token

import (
	"math"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// A proof is a DPoP proof whose signature is not verified yet.
type proof struct {
	parts                       parts
	alg                         Alg
	key                         published
	id, method, uri, accessHash string
	nonce                       string
	issued                      time.Time
}

// proofError returns a refusal of a proof for one of its members.
func proofError(name string) error {
	return refusal(ReasonProof, "claim", name)
}

// readProof reads the members of a proof (RFC 9449, section 4.2).
func readProof(text string) (p proof, err error) {
	if len(text) > maxProof {
		return p, proofError("size")
	}
	if p.parts, err = split(text); err != nil {
		return p, proofError("parts")
	}
	header, err := strict.DecodeString(p.parts.header)
	if err != nil {
		return p, proofError("header")
	}
	payload, err := strict.DecodeString(p.parts.payload)
	if err != nil {
		return p, proofError("payload")
	}
	if wrong := p.readHeader(string(header)); wrong != "" {
		return p, proofError(wrong)
	}
	if wrong := p.readPayload(string(payload)); wrong != "" {
		return p, proofError(wrong)
	}
	return p, nil
}

// readHeader returns the name of a member that is wrong.
func (p *proof) readHeader(text string) (wrong string) {
	list, ok := members(text, nil, maxHeader)
	if !ok {
		return "header"
	}
	fields := published(list)
	for _, name := range []string{"crit", "b64", "zip", "enc"} {
		if fields.memberNamed(name).value != "" {
			return name
		}
	}
	typ, _ := fields.stringMember("typ")
	alg, _ := fields.stringMember("alg")
	key := fields.memberNamed("jwk")
	if normalizeType(typ) != "dpop+jwt" {
		return "typ"
	}
	if key.value == "" {
		return "jwk"
	}
	p.alg = Alg(alg)
	if p.key, ok = members(key.value, nil, maxHeader); !ok || slices.ContainsFunc(p.key, isPrivate) {
		return "jwk" // a key with its private part is stolen already
	}
	return ""
}

// readPayload returns the name of a claim that is wrong.
func (p *proof) readPayload(text string) (wrong string) {
	list, ok := members(text, nil, maxClaims)
	if !ok {
		return "payload"
	}
	for _, claim := range []struct {
		name     string
		to       *string
		required bool
	}{{"jti", &p.id, true}, {"htm", &p.method, true}, {"htu", &p.uri, true}, {"ath", &p.accessHash, false}, {"nonce", &p.nonce, false}} {
		text, ok := published(list).stringMember(claim.name)
		if !ok || claim.required && text == "" || len(text) > 2048 {
			return claim.name
		}
		*claim.to = text
	}
	issued := published(list).memberNamed("iat")
	if issued.value == "" {
		return "iat"
	}
	if p.issued, ok = issued.date(math.Floor); !ok {
		return "iat"
	}
	return ""
}

// verifySignature verifies the signature with the key in the header, and returns the
// thumbprint of the key.
func (p *proof) verifySignature() (thumbprint string, err error) {
	key, err := p.key.parseKey("proof", p.alg)
	if err != nil || !key.alg.sameAs(p.alg) {
		return "", proofError("jwk")
	}
	signature, err := strict.DecodeString(p.parts.signature)
	if err != nil {
		return "", proofError("signature")
	}
	if err := key.algorithm.method.Verify(p.parts.input, signature, key.verify); err != nil {
		return "", proofError("signature")
	}
	return Thumbprint(key.verify)
}

// sameURI reports whether an htu names a request, without query and fragment, after
// the normalization of RFC 3986, section 6.2.2 and 6.2.3 (RFC 9449, section 4.3).
func sameURI(htu, origin, escapedPath string) bool {
	u, err := url.Parse(htu)
	o, err2 := url.Parse(origin)
	if err != nil || err2 != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return strings.EqualFold(u.Scheme, o.Scheme) && hostOf(htu) == hostOf(origin) && normalPath(u.EscapedPath()) == normalPath(escapedPath)
}

// normalPath returns a path with the escapes of unreserved characters decoded, other
// escapes in upper case, and without dot segments.
func normalPath(escaped string) string {
	if escaped == "" {
		return "/"
	}
	var b strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '%' || i+2 >= len(escaped) {
			b.WriteByte(escaped[i])
			continue
		}
		hex := strings.ToUpper(escaped[i : i+3])
		if c, err := url.PathUnescape(hex); err == nil && isUnreserved(c[0]) {
			b.WriteByte(c[0])
		} else {
			b.WriteString(hex)
		}
		i += 2
	}
	text := b.String()
	if !strings.Contains(text, "/.") {
		return text
	}
	clean := path.Clean(text)
	if strings.HasSuffix(text, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// isUnreserved reports whether c is an unreserved character of RFC 3986, section 2.3.
func isUnreserved(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("-._~", c) >= 0
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
