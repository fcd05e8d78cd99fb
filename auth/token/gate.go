package token

import (
	"encoding/base64"
	"strings"

	"github.com/ringwall/ringwall/auth"
)

// parts is a compact serialization of three parts (RFC 7515, section 3.1),
// decoded, of which nothing is believed.
type parts struct {
	input              string // the signing input: the first two parts and their dot
	header             header
	payload, signature []byte
}

// header has what a token says about itself.
type header struct{ alg, kid, typ string }

// invalid is a refusal with its reason, which only the log sees.
func invalid(reason string) error { return auth.ErrInvalid.With("reason", reason) }

// split takes a token apart. golang-jwt's parser is more lenient than RFC 7515
// in several places, and what two parsers read differently is a hole.
func split(token string, maxSize int) (parts, error) {
	if len(token) > maxSize {
		return parts{}, invalid("size")
	}
	dots := 0
	for _, c := range []byte(token) {
		switch {
		case c == '.':
			dots++
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return parts{}, invalid("characters")
		}
	}
	if dots != 2 { // four make an encrypted token (RFC 7516)
		return parts{}, invalid("parts")
	}
	end := strings.LastIndexByte(token, '.')
	p := parts{input: token[:end]}
	first, second, _ := strings.Cut(p.input, ".")
	// Strict: bits that do not belong to a byte are zero, so that one token
	// has one spelling.
	strict := base64.RawURLEncoding.Strict()
	head, err := strict.DecodeString(first)
	if err != nil {
		return parts{}, invalid("base64url")
	}
	if p.payload, err = strict.DecodeString(second); err != nil {
		return parts{}, invalid("base64url")
	}
	if p.signature, err = strict.DecodeString(token[end+1:]); err != nil || len(p.signature) == 0 {
		return parts{}, invalid("base64url")
	}
	var ok bool
	if p.header, ok = parseHeader(head); !ok {
		return parts{}, invalid("header")
	}
	return p, nil
}

// parseHeader reads the protected header. Keys inside of it (jwk, jku, x5c,
// x5u) are somebody's claim and are not looked at; crit and b64 change what
// the rest means, and we know no extension (RFC 7515, section 4.1.11; RFC
// 7797; CVE-2025-59420).
func parseHeader(data []byte) (header, bool) {
	list, ok := members(data)
	if !ok {
		return header{}, false
	}
	var h header
	for _, m := range list {
		ok := true
		switch m.name {
		case "alg":
			h.alg, ok = m.text()
		case "kid":
			h.kid, ok = m.text()
		case "typ":
			h.typ, ok = m.text()
		case "crit", "b64", "zip", "enc":
			ok = false
		}
		if !ok {
			return header{}, false
		}
	}
	return h, h.alg != "" && h.kid != "" && h.typ != ""
}
