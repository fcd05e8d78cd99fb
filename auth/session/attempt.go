package session

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
)

// AttemptHeader names the request header in which a client numbers its
// attempts to refresh.
const AttemptHeader = "Refresh-Attempt"

const (
	// attemptSuffix makes the name of the attempt cookie from that of the
	// refresh cookie.
	attemptSuffix = "-attempt"
	// attemptLabel keeps the MAC of an attempt from being one of a token.
	attemptLabel = "ringwall refresh attempt 1\x00"
	nonceSize    = 16
)

// An attempt is one attempt of a client to refresh, which it may make with
// several requests.
type attempt struct {
	hash [32]byte
	// nonce is the name of an attempt that this package named; nil for one of
	// the client's.
	nonce []byte
	// repeated reports whether the cookie of the request had the nonce.
	repeated bool
}

// attemptOf returns the request's attempt to use the credential. A browser that
// does not number its attempts gets one from this package. A client that keeps
// its token itself has to number them: it has no cookies.
func (m *Manager) attemptOf(r *http.Request, c credential) (attempt, error) {
	lines := r.Header[AttemptHeader]
	switch {
	case len(lines) == 0 && !m.isNative(r):
		return m.ownAttempt(r, c), nil
	case len(lines) != 1 || !isAttempt(lines[0]):
		return attempt{}, auth.ErrMalformed.With("header", AttemptHeader)
	}
	return attempt{hash: sha256.Sum256([]byte(lines[0]))}, nil
}

// ownAttempt returns the attempt of the request's cookie, if a 503 to this very
// token set that, and a new one otherwise. A cookie that is not valid is not an
// error: it may belong to a token of the past.
func (m *Manager) ownAttempt(r *http.Request, c credential) attempt {
	var a attempt
	if cookies := r.CookiesNamed(m.cookie.Name + attemptSuffix); len(cookies) == 1 {
		a.nonce, a.repeated = m.keys.parseAttempt(cookies[0].Value, c, time.Now())
	}
	if !a.repeated {
		a.nonce = make([]byte, nonceSize)
		_, _ = rand.Read(a.nonce) // never fails (crypto/rand)
	}
	// The label makes it differ from every attempt that a client can name.
	a.hash = sha256.Sum256(append([]byte(attemptLabel), a.nonce...))
	return a
}

// offerAttempt sets the attempt cookie on a 503 after which it is unknown whether
// the token was used. The retry then has the same attempt, so it is not theft.
// The cookie lives as long as an idle session, because a browser may be closed or
// asleep when the service recovers.
//
// Such a 503 must not have the successor: a used token would get one whenever the
// store fails. The store gives the successor only to the attempt that used the
// token.
func (m *Manager) offerAttempt(w http.ResponseWriter, a attempt, used credential) {
	if a.nonce == nil {
		return
	}
	value, ok := m.keys.makeAttempt(a.nonce, used, time.Now())
	if !ok {
		return // no key signs: no token works any longer either
	}
	cookie := m.attemptCookie()
	cookie.Value = value
	if !m.transient {
		cookie.MaxAge = int(m.idle / time.Second)
	}
	replaceCookie(w, &cookie)
}

// clearAttempt clears the attempt cookie.
func (m *Manager) clearAttempt(w http.ResponseWriter) {
	cookie := m.attemptCookie()
	cookie.MaxAge = -1
	replaceCookie(w, &cookie)
}

// attemptCookie returns the cookie without a value and an age. It has all that
// protects the refresh cookie.
func (m *Manager) attemptCookie() http.Cookie {
	cookie := m.cookie
	cookie.Name += attemptSuffix
	return cookie
}

// attemptMAC binds an attempt to the one token that it may use.
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

// parseAttempt returns the nonce of an attempt, and false unless this package
// made it for this credential. So a cookie that a script planted counts for
// nothing, nor does one that was set for an earlier token.
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

// replaceCookie sets a cookie in place of one with the same name, so that a
// response sets it once.
func replaceCookie(w http.ResponseWriter, c *http.Cookie) {
	withdrawCookie(w, c.Name)
	http.SetCookie(w, c)
}

// withdrawCookie takes a cookie of ours back. Those of others stay.
func withdrawCookie(w http.ResponseWriter, name string) {
	h := w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, name+"=") })
	if len(h["Set-Cookie"]) == 0 {
		delete(h, "Set-Cookie")
	}
}
