package redislimit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/netip"
	"strings"
	"sync"
	"time"

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

// place is the key and the field of a limit of a principal.
type place struct {
	key  string
	name string // within the key
}

// place returns the place of a limit. The limits of a tier (login, login-2 and
// login.lease) share a key, so that they are read and written together.
func (k *keyer) place(tag, policy string) place {
	head, _, _ := strings.Cut(policy, ".")
	base := strings.TrimRight(head, "0123456789")
	if cut, ok := strings.CutSuffix(base, "-"); ok && len(base) < len(head) {
		base = cut
	} else {
		base = head
	}
	if len(policy)-len(base) > longestName {
		base = policy
	}
	return place{k.prefix + "{" + tag + "}:" + base, policy[len(base):]}
}

// phase returns by how many milliseconds the slots of a ring are moved, the same
// in all processes.
func (p *place) phase(window time.Duration) uint32 {
	h := uint32(2166136261) // FNV-1a
	for _, part := range [2]string{p.key, p.name} {
		for i := range len(part) {
			h = (h ^ uint32(part[i])) * 16777619
		}
	}
	return uint32(uint64(h) * uint64((milliseconds(window)+7)/8) >> 32) // below the width of a slot
}

// longestName bounds a name within a key.
const longestName = 32

// fingerprint returns the key under which the secret's fingerprint is kept,
// and the fingerprint.
func (k *keyer) fingerprint() (key, value string) {
	return k.prefix + "secret", k.tag(ofFingerprint, "")
}
