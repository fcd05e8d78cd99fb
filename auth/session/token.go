package session

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// A Key authenticates refresh tokens (HMAC-SHA256). Distribute a new key to every
// process first, with a Sign in the future, so that each process can check its tokens.
type Key struct {
	// ID is part of the token. It must be unique among the keys of a [Manager].
	ID uint8
	// Secret has 32 to 256 random bytes.
	Secret []byte
	// Sign is the time from which this key may sign new tokens. Of the keys whose Sign
	// has passed, the one with the latest Sign signs. Zero means from the start. Tokens
	// of the key are accepted before Sign too.
	Sign time.Time
	// Remove is the time from which its tokens are refused. To end no session, set
	// it at least Idle after the next key's Sign. Zero means never.
	Remove time.Time
}

const (
	// tokenPrefix lets scanners for leaked secrets find tokens.
	tokenPrefix  = "rt_"
	tokenVersion = 1
	// tokenLabel makes a MAC worthless elsewhere, in case a secret has two uses.
	tokenLabel = "ringwall refresh token 1\x00"
	bodySize   = 1 + 1 + 16 + 16 + 6
	macSize    = 16
	maxGen     = 1<<48 - 1
	idSize     = 16 // of a session
)

// A credential is a decoded refresh token. The token is these bytes in
// base64url, after the prefix:
//
//	version 1 | key 1 | owner 16 | secret 16 | generation 6 | MAC 16
//
// The MAC prevents that forged tokens reach the store. The secret, of which the store
// has only a hash, prevents that a leaked key is enough to forge a token.
type credential struct {
	owner      [16]byte
	secret     [16]byte
	generation uint64
}

// newCredential returns the first token of a new session.
func newCredential(subject string) credential {
	c := credential{owner: ownerOf(subject)}
	_, _ = rand.Read(c.secret[:]) // never fails (crypto/rand)
	return c
}

func ownerOf(subject string) (owner [16]byte) {
	sum := sha256.Sum256([]byte("owner\x00" + subject))
	copy(owner[:], sum[:])
	return owner
}

func ownerID(subject string) string {
	owner := ownerOf(subject)
	return hex.EncodeToString(owner[:])
}

// append appends owner, secret and generation.
func (c credential) append(b []byte) []byte {
	b = append(b, c.owner[:]...)
	b = append(b, c.secret[:]...)
	for shift := 40; shift >= 0; shift -= 8 {
		b = append(b, byte(c.generation>>shift))
	}
	return b
}

func (c credential) ownerID() string { return hex.EncodeToString(c.owner[:]) }

// sessionID returns the public ID of the session, which is a hash of the secret.
func (c credential) sessionID() string {
	sum := sha256.Sum256(append([]byte("sid\x00"), c.secret[:]...))
	return hex.EncodeToString(sum[:idSize])
}

// A keyring is a set of valid keys.
type keyring []Key

// newKeyring copies the keys, and returns all problems of them.
func newKeyring(keys []Key, now time.Time) (keyring, []error) {
	var problems []error
	ring := make(keyring, len(keys))
	seen := [256]bool{}
	for i, k := range keys {
		bad := func(text string) {
			problems = append(problems, errors.New("session: Keys["+strconv.Itoa(i)+"]: "+text))
		}
		if seen[k.ID] {
			bad("ID " + strconv.Itoa(int(k.ID)) + " is listed twice; did you mean another one for the new key?")
		}
		seen[k.ID] = true
		switch {
		case len(k.Secret) < 32 || len(k.Secret) > 256:
			bad("Secret must have 32 to 256 bytes, not " + strconv.Itoa(len(k.Secret)) + "; did you mean 32 random ones?")
		case bytes.Count(k.Secret, k.Secret[:1]) == len(k.Secret):
			bad("Secret is one byte repeated; did you mean 32 random ones?")
		}
		if !k.Remove.IsZero() && !k.Remove.After(k.Sign) {
			bad("Remove must be after Sign")
		}
		k.Secret = bytes.Clone(k.Secret)
		ring[i] = k
	}
	if len(keys) > 0 && ring.signer(now) == nil {
		problems = append(problems, errors.New("session: Keys: contain no key that signs now; did you mean a zero Sign for the first?"))
	}
	return ring, problems
}

// signer returns the key that signs tokens now, or nil.
func (ring keyring) signer(now time.Time) *Key {
	var best *Key
	for i := range ring {
		k := &ring[i]
		if k.removed(now) || now.Before(k.Sign) {
			continue
		}
		if best == nil || k.Sign.After(best.Sign) {
			best = k
		}
	}
	return best
}

func (k *Key) removed(now time.Time) bool { return !k.Remove.IsZero() && !now.Before(k.Remove) }

func (k *Key) mac(label string, body []byte) []byte {
	h := hmac.New(sha256.New, k.Secret)
	h.Write([]byte(label))
	h.Write(body)
	return h.Sum(nil)[:macSize]
}

// makeToken returns the refresh token for a credential. It returns an error if no key
// signs now.
func (ring keyring) makeToken(c credential, now time.Time) (string, error) {
	k := ring.signer(now)
	if k == nil {
		return "", errors.New("session: no key signs now")
	}
	b := make([]byte, 0, bodySize+macSize)
	b = c.append(append(b, tokenVersion, k.ID))
	b = append(b, k.mac(tokenLabel, b)...)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b), nil
}

// parseToken returns the content of a token, and false unless the MAC of one of the keys
// is valid. It accepts exactly one spelling of each token.
func (ring keyring) parseToken(token string, now time.Time) (c credential, ok bool) {
	// The length comes first: the decoder skips line breaks, which would give
	// a token a second spelling.
	text, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(bodySize+macSize) {
		return c, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != bodySize+macSize || b[0] != tokenVersion {
		return c, false
	}
	for i := range ring {
		k := &ring[i]
		if k.ID != b[1] {
			continue
		}
		if k.removed(now) || !hmac.Equal(k.mac(tokenLabel, b[:bodySize]), b[bodySize:]) {
			return c, false
		}
		copy(c.owner[:], b[2:18])
		copy(c.secret[:], b[18:34])
		for _, octet := range b[34:bodySize] {
			c.generation = c.generation<<8 | uint64(octet)
		}
		return c, c.generation < maxGen
	}
	return c, false
}

// attemptMAC returns the MAC that binds an attempt to the one token that it may use.
func (k *Key) attemptMAC(nonce []byte, c credential) []byte {
	return k.mac(attemptLabel, append(c.append(nil), nonce...))
}

// makeAttempt returns the text of an attempt to use the credential: key 1 |
// nonce 16 | MAC 16, in base64url. It returns false when no key signs.
func (ring keyring) makeAttempt(nonce []byte, c credential, now time.Time) (string, bool) {
	k := ring.signer(now)
	if k == nil {
		return "", false
	}
	b := append([]byte{k.ID}, nonce...)
	return base64.RawURLEncoding.EncodeToString(append(b, k.attemptMAC(nonce, c)...)), true
}

// parseAttempt returns the nonce of an attempt, and false unless this package made the
// text for this credential. So a cookie that a script wrote, or that was set for an
// earlier token, is ignored.
func (ring keyring) parseAttempt(text string, c credential, now time.Time) (nonce []byte, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 1+nonceSize+macSize {
		return nil, false
	}
	nonce = bytes.Clone(b[1 : 1+nonceSize])
	for i := range ring {
		if k := &ring[i]; k.ID == b[0] && !k.removed(now) && hmac.Equal(k.attemptMAC(nonce, c), b[1+nonceSize:]) {
			return nonce, true
		}
	}
	return nil, false
}

// isAttempt reports whether s is 16 to 64 characters of base64url.
func isAttempt(s string) bool {
	if len(s) < 16 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
