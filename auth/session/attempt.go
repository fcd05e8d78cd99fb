package session

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/auth"
)

// AttemptHeader names the request header in which a client names its attempt to
// refresh. A client must send a new random value of 16 to 64 characters of base64url for
// each attempt, and the same value when it repeats a request.
const AttemptHeader = "Refresh-Attempt"

const (
	// attemptSuffix is appended to the name of the refresh cookie for the name of the
	// attempt cookie.
	attemptSuffix = "-attempt"
	// attemptLabel separates the MACs of attempts from those of tokens.
	attemptLabel = "ringwall refresh attempt 1\x00"
	nonceSize    = 16
)

// An attempt is one attempt of a client to refresh, which it may make with
// several requests.
type attempt struct {
	hash [32]byte
	// nonce is the name of an attempt without AttemptHeader. It is nil if the client
	// sent AttemptHeader.
	nonce []byte
	// repeated reports whether nonce is from the request's attempt cookie.
	repeated bool
}

// attemptOf returns the attempt of a request to use the credential. Without
// AttemptHeader, a browser gets a name in a cookie. A native client must send
// AttemptHeader, because it has no cookies.
func (m *Manager) attemptOf(r *http.Request, c credential) (attempt, error) {
	lines := r.Header[AttemptHeader]
	switch {
	case len(lines) == 0 && !m.isNative(r):
		return m.cookieAttempt(r, c), nil
	case len(lines) != 1 || !isAttempt(lines[0]):
		return attempt{}, auth.ErrMalformed.With("header", AttemptHeader)
	}
	return attempt{hash: sha256.Sum256([]byte(lines[0]))}, nil
}

// cookieAttempt returns the attempt of the request's attempt cookie, if a 503 to this
// token set the cookie, and a new attempt otherwise. An invalid cookie is not an error,
// because it may belong to an earlier token.
func (m *Manager) cookieAttempt(r *http.Request, c credential) attempt {
	var a attempt
	if cookies := r.CookiesNamed(m.cookie.Name + attemptSuffix); len(cookies) == 1 {
		a.nonce, a.repeated = m.keys.parseAttempt(cookies[0].Value, c, time.Now())
	}
	if !a.repeated {
		a.nonce = make([]byte, nonceSize)
		_, _ = rand.Read(a.nonce) // never fails (crypto/rand)
	}
	// The label has characters that isAttempt refuses, so a client cannot name the attempt.
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
		return // no key signs, so no token is valid
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

// attemptCookie returns the attempt cookie without a value and an age. It has the
// attributes of the refresh cookie.
func (m *Manager) attemptCookie() http.Cookie {
	cookie := m.cookie
	cookie.Name += attemptSuffix
	return cookie
}
