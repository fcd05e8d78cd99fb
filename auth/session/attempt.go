package session

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
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
