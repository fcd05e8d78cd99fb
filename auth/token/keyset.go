package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"

	"github.com/ringwall/ringwall/errors"
)

// parseSet reads a JWK Set (RFC 7517, section 5). It ignores unusable keys, with an event
// each. A set without a usable key is an error. A key that is listed twice is one key.
func parseSet(text string, rsaAlg Alg) (keys map[string]*Key, ignored []Event, err error) {
	list, err := rawKeys(text)
	if err == nil {
		err = checkCost(list)
	}
	if err != nil {
		return nil, nil, err
	}
	keys = make(map[string]*Key)
	doubled := make(map[string]bool)
	exposed := exposedKeys(list, rsaAlg)
	ignore := func(kid string, err error) { ignored = append(ignored, Event{Reason: KeyIgnored, Kid: kid, Err: err}) }
	for _, members := range list {
		kid, _ := members.stringMember("kid")
		key, err := members.publicKey(rsaAlg)
		first, known := keys[kid]
		switch {
		case err != nil:
			ignore(kid, err)
		case slices.ContainsFunc(exposed, key.sameMaterial):
			ignore(kid, errors.New("another entry publishes the private part of the key"))
		case known && first.same(&key):
			// The same key is listed twice.
		case known || doubled[kid]:
			// It is unknown which of the two keys is meant.
			doubled[kid] = true
			delete(keys, kid)
			ignore(kid, errors.New("another key has the same kid"))
		default:
			keys[kid] = &key
		}
	}
	if len(keys) == 0 {
		return nil, nil, errors.Join(append([]error{errors.New("no key of the set verifies tokens")}, reasons(ignored)...)...)
	}
	return keys, ignored, nil
}

// checkCost bounds the work for the RSA keys of a set, which grows as the cube of
// their lengths: requests wait for it. It is about a second at most.
func checkCost(list []published) error {
	const most = 42 * 4096 * 4096 * 4096
	cost := int64(0)
	for _, members := range list {
		n := new(big.Int).SetBytes(members.bytes("n"))
		if bits := int64(n.BitLen()); bits <= maxModulus {
			cost += bits * bits * bits
		}
	}
	if cost > most {
		return errors.New("the RSA keys of the set cost too much to check: more than 42 of 4096 bits do, or 5 of 8192")
	}
	return nil
}

func reasons(events []Event) (list []error) {
	for _, e := range events {
		list = append(list, e.Err)
	}
	return list
}

// published is a JWK from a key set.
type published []member

// rawKeys returns the members of each key of a set.
func rawKeys(text string) (keys []published, err error) {
	outer, ok := members(text, nil, maxClaims)
	if !ok {
		return nil, errors.New("the set is not a JSON object")
	}
	at := slices.IndexFunc(outer, func(m member) bool { return m.name == "keys" })
	if at < 0 || outer[at].value[0] != '[' {
		return nil, errors.New("the set has no array of keys")
	}
	s := scanner{rest: outer[at].value[1:]}
	for !s.acceptByte(']') {
		if len(keys) > 0 && !s.acceptByte(',') {
			return nil, errors.New("the set is not a JSON object") // members has checked it, so this is not reached
		}
		s.space()
		value, ok := s.scanValue()
		if !ok || len(keys) == maxSetKeys {
			return nil, fmt.Errorf("the set has more than %d keys", maxSetKeys)
		}
		// A value that is not an object has no members, and is ignored as a key.
		list, _ := members(value, nil, maxClaims)
		keys = append(keys, list)
	}
	return keys, nil
}

// memberNamed returns a member. Its value is "" if it is missing.
func (p published) memberNamed(name string) member {
	m, _ := memberOf(p, name)
	return m
}

// stringMember returns the value of a member that is a string, and false if it has
// another type.
func (p published) stringMember(name string) (string, bool) {
	m := p.memberNamed(name)
	if m.value == "" {
		return "", true
	}
	return m.stringValue()
}

// bytes returns a member that is base64url, or nil.
func (p published) bytes(name string) []byte {
	text, _ := p.stringMember(name)
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return b
}

// publicKey returns the key if it can verify tokens.
func (p published) publicKey(rsaAlg Alg) (Key, error) {
	kid, _ := p.stringMember("kid")
	_, ok := p.stringMember("alg")
	use, fine := p.stringMember("use")
	operations := p.memberNamed("key_ops")
	purposes, _ := operations.texts()
	switch {
	case slices.ContainsFunc(p, isPrivate):
		return Key{}, errors.New("the key is published with its private part")
	case !ok || !fine || use != "" && use != "sig", operations.value != "" && !slices.Contains(purposes, "verify"):
		return Key{}, errors.New("the key is not for signatures")
	}
	key, err := p.parseKey(kid, rsaAlg)
	if err != nil {
		return Key{}, err
	}
	if m := p.memberNamed("issuer"); m.value != "" {
		if key.issuer, ok = m.stringValue(); !ok || key.issuer == "" {
			return Key{}, errors.New("the issuer of the key is not a string")
		}
	}
	key.x5t, _ = p.stringMember("x5t")
	return key, nil
}

// parseKey returns the key under a kid, whatever it is for.
func (p published) parseKey(kid string, rsaAlg Alg) (Key, error) {
	named, _ := p.stringMember("alg")
	switch kty, _ := p.stringMember("kty"); kty {
	case "OKP":
		if crv, _ := p.stringMember("crv"); crv != "Ed25519" {
			return Key{}, errors.New("the curve is unknown")
		}
		return NewPublicKey(kid, algOf(named, EdDSA), ed25519.PublicKey(p.bytes("x")))
	case "EC":
		return p.ec(kid, named)
	case "RSA":
		return p.rsa(kid, algOf(named, rsaAlg))
	default:
		return Key{}, fmt.Errorf("the key type %q is unknown", kty)
	}
}

// exposedKeys returns the keys of a set that are shown with their private
// part, for any use.
func exposedKeys(list []published, rsaAlg Alg) (exposed []*Key) {
	for _, members := range list {
		if !slices.ContainsFunc(members, isPrivate) {
			continue
		}
		members = slices.DeleteFunc(slices.Clone(members), func(m member) bool { return m.name == "alg" }) // the key may be for encryption
		if key, err := members.parseKey("exposed", rsaAlg); err == nil {
			exposed = append(exposed, &key)
		}
	}
	return exposed
}

// isPrivate finds the members of private keys and of secrets (RFC 7518,
// section 6).
func isPrivate(m member) bool {
	return slices.Contains([]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}, m.name)
}

// algOf returns the algorithm that a key names, or else the one that it has
// then.
func algOf(named string, otherwise Alg) Alg {
	if named == "" {
		return otherwise
	}
	return Alg(named)
}

func (p published) ec(kid, named string) (Key, error) {
	var curve elliptic.Curve
	var alg Alg
	switch crv, _ := p.stringMember("crv"); crv {
	case "P-256":
		curve, alg = elliptic.P256(), ES256
	case "P-384":
		curve, alg = elliptic.P384(), ES384
	case "P-521":
		curve, alg = elliptic.P521(), ES512
	default:
		return Key{}, errors.New("the curve is unknown")
	}
	size := (curve.Params().BitSize + 7) / 8
	x, y := p.bytes("x"), p.bytes("y")
	if len(x) != size || len(y) != size {
		return Key{}, errors.New("the coordinates do not have the size of the curve (RFC 7518, section 6.2.1)")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return Key{}, fmt.Errorf("read the point: %w", err)
	}
	return NewPublicKey(kid, algOf(named, alg), key)
}

func (p published) rsa(kid string, alg Alg) (Key, error) {
	e := new(big.Int).SetBytes(p.bytes("e"))
	if e.BitLen() > 31 {
		return Key{}, errors.New("the RSA exponent has more than 31 bits")
	}
	return NewPublicKey(kid, alg, &rsa.PublicKey{N: new(big.Int).SetBytes(p.bytes("n")), E: int(e.Int64())})
}

// same reports whether two keys accept the same tokens.
func (k *Key) same(other *Key) bool {
	public, ok := k.verify.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.alg.sameAs(other.alg) && k.issuer == other.issuer && public.Equal(other.verify)
}

// sameMaterial reports whether two keys have one private half.
func (k *Key) sameMaterial(other *Key) bool {
	public, ok := k.verify.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(other.verify)
}
