package token

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
)

// parts has the three parts of a compact serialization (RFC 7515, section 3.1). They are
// not verified.
type parts struct {
	input                      string // the signed text: the first two parts and their dot
	header, payload, signature string
}

// header has the members of a header that a verifier reads.
type header struct{ alg, kid, typ, x5t string }

// split returns the parts of a token without decoding them, so that most of a
// flood ends here. It is stricter than golang-jwt's parser, because a token that
// two parsers read differently is a vulnerability.
func split(token string) (parts, error) {
	first := strings.IndexByte(token, '.')
	second := first + 1 + strings.IndexByte(token[first+1:], '.')
	if first < 0 || second <= first || strings.IndexByte(token[second+1:], '.') >= 0 {
		return parts{}, invalid(ReasonParts) // an encrypted token has five (RFC 7516)
	}
	// The decoder refuses all other characters that are not of the alphabet.
	if strings.IndexByte(token, '\n') >= 0 || strings.IndexByte(token, '\r') >= 0 {
		return parts{}, invalid(ReasonEncoding)
	}
	p := parts{input: token[:second], header: token[:first], payload: token[first+1 : second], signature: token[second+1:]}
	if p.signature == "" {
		return parts{}, invalid(ReasonSignature)
	}
	return p, nil
}

// scratch is memory for decoding, which one request uses at a time.
type scratch struct {
	buffer  []byte
	members []member
}

// decode returns the bytes of a part. They are valid until the next call. It refuses a
// part whose unused bits are not zero, so that a token has only one spelling.
func (s *scratch) decode(part string) ([]byte, error) {
	if need := strict.DecodedLen(len(part)); need > len(s.buffer) {
		s.buffer = make([]byte, need)
	}
	n, err := strict.Decode(s.buffer, []byte(part))
	if err != nil {
		return nil, invalid(ReasonEncoding)
	}
	return s.buffer[:n], nil
}

var strict = base64.RawURLEncoding.Strict()

// parseHeader reads the protected header. It ignores keys in the header (jwk,
// jku, x5c, x5u), because any client can write them. crit and b64 change the
// meaning of the rest, and no extension is implemented (RFC 7515, section 4.1.11;
// RFC 7797; CVE-2025-59420).
func parseHeader(text string) (header, error) {
	var buffer [8]member
	list, ok := members(text, buffer[:0], maxHeader)
	if !ok {
		return header{}, invalid(ReasonHeader)
	}
	var h header
	for _, m := range list {
		ok := true
		switch m.name {
		case "alg":
			h.alg, ok = m.stringValue()
		case "kid":
			h.kid, ok = m.stringValue()
		case "typ":
			h.typ, ok = m.stringValue()
		case "x5t":
			h.x5t, _ = m.stringValue() // only read if InsecureNoKid is set
		case "crit", "b64", "zip", "enc":
			ok = false
		}
		if !ok {
			return header{}, invalid(ReasonHeader)
		}
	}
	if h.alg == "" {
		return header{}, invalid(ReasonAlgorithm)
	}
	if _, named := memberOf(list, "typ"); named && h.typ == "" {
		return header{}, invalid(ReasonType) // an empty typ is a wrong one
	}
	return h, nil
}

// keyFor reads the header, and returns the key that it names. Without a kid it returns an
// error, unless InsecureNoKid is set.
func (v *Verifier) keyFor(ctx context.Context, s *scratch, p parts, now time.Time) (*Key, header, error) {
	decoded, err := s.decode(p.header)
	if err != nil {
		return nil, header{}, err
	}
	h, err := parseHeader(string(decoded))
	if err != nil {
		return nil, h, err
	}
	switch {
	case h.typ == "" && v.noType:
	case h.typ == "" || !slices.Contains(v.types, normalizeType(h.typ)):
		return nil, h, typeError(h.typ)
	}
	var key *Key
	switch {
	case h.kid != "":
		key, err = v.keys.findKey(ctx, h.kid, now)
	case v.noKid:
		key, err = v.keys.findUnnamed(ctx, h.x5t, Alg(h.alg), now)
	}
	newer, missing := err.(*newerKeyError)
	switch {
	case missing && v.mayBeIssuedAfter(newer.fetched, s, p):
		return nil, h, newer.err
	case missing:
		return nil, h, invalid(ReasonKey)
	case err != nil:
		return nil, h, err
	case key == nil:
		return nil, h, invalid(ReasonKey)
	case !key.alg.sameAs(Alg(h.alg)):
		return nil, h, invalid(ReasonAlgorithm)
	}
	return key, h, nil
}

// mayBeIssuedAfter reports whether the claims of a token, which is not verified, say
// that it is of this issuer and was issued after a time.
func (v *Verifier) mayBeIssuedAfter(fetched time.Time, s *scratch, p parts) bool {
	payload, err := s.decode(p.payload)
	if err != nil {
		return false
	}
	list, ok := members(string(payload), s.members[:0], maxClaims)
	if !ok {
		return false
	}
	s.members = list
	c, wrong := parseClaims(list, v.identify != nil)
	return wrong == "" && v.issuer.accepts(c.issuer) && c.issued.After(fetched.Add(-v.leeway))
}

// normalizeType returns a typ in lower case without the prefix "application/", which is
// optional (RFC 7515, section 4.1.9).
func normalizeType(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

// verify makes the checks whose results a cached token keeps.
func (v *Verifier) verify(ctx context.Context, token string, p parts, now time.Time) (*entry, error) {
	s := v.scratches.Get().(*scratch)
	defer func() {
		clear(s.members) // the payload of a token must not stay in memory
		v.scratches.Put(s)
	}()
	key, h, err := v.keyFor(ctx, s, p, now)
	if err != nil {
		return nil, err
	}
	signature, err := s.decode(p.signature)
	if err != nil {
		return nil, err
	}
	if err := key.algorithm.method.Verify(p.input, signature, key.verify); err != nil {
		return nil, invalid(ReasonSignature)
	}
	// From here on, the issuer has signed all that is read.
	decoded, err := s.decode(p.payload)
	if err != nil {
		return nil, err
	}
	payload := string(decoded)
	list, ok := members(payload, s.members[:0], maxClaims)
	if !ok {
		return nil, invalidClaim("payload")
	}
	s.members = list
	c, wrong := parseClaims(list, v.identify != nil)
	if wrong != "" {
		return nil, invalidClaim(wrong)
	}
	if err := v.checkClaims(&c, list, normalizeType(h.typ)); err != nil {
		return nil, err
	}
	if !bindsTo(key.issuer, c.issuer) {
		return nil, mismatch(ReasonIssuer, c.issuer, key.issuer)
	}
	id := c.identity(v.kindOf(&c, key), payload)
	if v.identify != nil {
		if id, err = v.identify.identify(clonePayload(payload, list), id, c.times); err != nil {
			return nil, err
		}
	}
	principal, err := auth.NewPrincipal(id)
	if err != nil {
		return nil, auth.ErrInvalid.Wrap(err)
	}
	times := c.times
	times.expires = id.ExpiresAt
	return &entry{token: strings.Clone(token), key: key, times: times, principal: principal, binding: c.binding, words: len(id.Scope) + len(id.Roles)}, nil
}
