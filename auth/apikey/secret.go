package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"strings"
)

const (
	alphabet     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	idLength     = 16 // 95 bits
	secretLength = 43 // 256 bits
	sumLength    = 6  // a CRC-32
)

// random returns n characters of the alphabet, each as likely as the others.
func random(n int) string {
	var b strings.Builder
	for buf := make([]byte, n); b.Len() < n; {
		_, _ = rand.Read(buf) // never fails
		for _, c := range buf {
			if c < 4*byte(len(alphabet)) && b.Len() < n {
				b.WriteByte(alphabet[int(c)%len(alphabet)])
			}
		}
	}
	return b.String()
}

// checksum detects typing mistakes, and lets scanners recognize leaked keys. It
// protects nothing.
func checksum(s string) string {
	sum := crc32.ChecksumIEEE([]byte(s))
	var b [sumLength]byte
	for i := range b {
		b[sumLength-1-i] = alphabet[sum%uint32(len(alphabet))]
		sum /= uint32(len(alphabet))
	}
	return string(b[:])
}

// format makes the text that a client sends: prefix_id_secret and a checksum.
func format(prefix, id, secret string) string {
	text := prefix + "_" + id + "_" + secret
	return text + checksum(text)
}

// parseKey returns the ID and the secret of a key. It accepts only one spelling of a
// key.
func parseKey(prefix, text string) (id, secret string, ok bool) {
	const rest = 1 + idLength + 1 + secretLength + sumLength
	if len(text) != len(prefix)+rest || !strings.HasPrefix(text, prefix+"_") {
		return "", "", false
	}
	body, sum := text[:len(text)-sumLength], text[len(text)-sumLength:]
	id, secret, ok = strings.Cut(body[len(prefix)+1:], "_")
	if !ok || len(id) != idLength || checksum(body) != sum {
		return "", "", false
	}
	for _, c := range []byte(id + secret) {
		if strings.IndexByte(alphabet, c) < 0 {
			return "", "", false
		}
	}
	return id, secret, true
}

// digest returns the stored form of a secret. A secret of 256 random bits needs
// no salt and no slow hash.
func digest(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }
