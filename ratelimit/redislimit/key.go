package redislimit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/netip"
	"strings"
	"sync"

	"github.com/ringwall/ringwall/ratelimit"
)

// keyer names keys. A key has the principal as an HMAC, so that Redis, its
// snapshots and MONITOR have no addresses and accounts. Without the secret it is
// unknown whose key it is, and whether two keys belong to one principal.
type keyer struct {
	prefix string
	macs   sync.Pool // of hash.Hash
}

// The first byte of the input of an HMAC is the type of the input.
const (
	ofFingerprint = iota
	ofText
	ofNet
)

// layout is the version of the values. It is a part of every key, so that processes
// with another layout have other keys.
const layout = "}:2:"

func newKeyer(secret []byte, prefix string) *keyer {
	k := &keyer{prefix: prefix}
	k.macs.New = func() any { return hmac.New(sha256.New, secret) }
	return k
}

// tag returns 128 bits of an HMAC, as text.
func (k *keyer) tag(kind byte, text string) string {
	h := k.macs.Get().(hash.Hash)
	defer k.macs.Put(h)
	h.Reset()
	var buffer [sha256.Size]byte
	message := append(buffer[:0], kind)
	_, _ = h.Write(append(message, text...)) // a hash never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(buffer[:0])[:16])
}

// principalTag returns the tag of a principal. All limits of a principal have the
// same tag, and so share a slot of a Cluster.
func (k *keyer) principalTag(key *ratelimit.Key) string {
	if key.Text != "" {
		return k.tag(ofText, key.Text)
	}
	return k.tag(ofNet, netText(key.Net))
}

// netText returns bytes that no other network has.
func netText(p netip.Prefix) string {
	b, _ := p.MarshalBinary() // never fails
	return string(b)
}

// place is the key of a limit of a principal, and the number of the limit within it.
type place struct {
	key string
	id  uint16
}

// placeOf returns the place of a limit. The limits of a tier (login, login-2 and
// login.lease) share a key, so that they are read and written together.
func (k *keyer) placeOf(tag, policy string) place {
	base, id := splitPolicy(policy)
	return place{k.prefix + "{" + tag + layout + base, id}
}

// splitPolicy returns the name of a tier, and the number of a limit in it. No two
// policies have both in common.
func splitPolicy(policy string) (base string, id uint16) {
	base, leased := strings.CutSuffix(policy, ".lease")
	if leased {
		id = 1
	}
	if i := strings.LastIndexByte(base, '-'); i >= 0 {
		if n := indexOf(base[i+1:]); n > 0 {
			return base[:i], id + 2*n
		}
	}
	return base, id
}

// indexOf returns the number of 1 to 9999 that a text is, or 0.
func indexOf(text string) (n uint16) {
	if len(text) > 4 || strings.HasPrefix(text, "0") {
		return 0
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0
		}
		n = 10*n + uint16(c-'0')
	}
	return n
}

// fingerprint returns the key under which the secret's fingerprint is kept,
// and the fingerprint.
func (k *keyer) fingerprint() (key, value string) {
	return k.prefix + "secret", k.tag(ofFingerprint, "")
}
