package session

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
)

// Cookie changes the refresh cookie.
type Cookie struct {
	// Name begins with __Host-. "": __Host-refresh. Two managers behind one
	// host need two names.
	Name string
	// Transient leaves Max-Age out, so that the cookie ends when the browser
	// is closed.
	Transient bool
}

// AttemptHeader names the request header in which a client numbers its
// attempts to refresh.
const AttemptHeader = "Refresh-Attempt"

// setCookie hands out a refresh token until its session ends.
func (m *Manager) setCookie(w http.ResponseWriter, token string, expires, now time.Time) {
	c := m.cookie
	c.Value = token
	if !m.transient {
		c.MaxAge = max(1, int(expires.Sub(now)/time.Second)) // 0 would mean no age
	}
	m.withdrawCookie(w)
	http.SetCookie(w, &c)
}

func (m *Manager) clearCookie(w http.ResponseWriter) {
	c := m.cookie
	c.MaxAge = -1
	m.withdrawCookie(w)
	http.SetCookie(w, &c)
}

// withdrawCookie takes ours back, so that no answer sets it twice. Cookies of
// others stay.
func (m *Manager) withdrawCookie(w http.ResponseWriter) {
	h := w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, m.cookie.Name+"=") })
	if len(h["Set-Cookie"]) == 0 {
		delete(h, "Set-Cookie")
	}
}

// setSuccessor hands out a successor before anything else can fail: in the cookie, or
// to a native client in the header in which it sent its token. Only an answer
// that fails keeps the header; one that succeeds has the token in the body.
func (m *Manager) setSuccessor(w http.ResponseWriter, r *http.Request, token string, expires, now time.Time) {
	if m.isNative(r) {
		w.Header().Set(TokenHeader, token)
		return
	}
	m.setCookie(w, token, expires, now)
}

// clearSuccessor takes back what was offered.
func (m *Manager) clearSuccessor(w http.ResponseWriter) {
	w.Header().Del(TokenHeader)
	m.withdrawCookie(w)
}

// credential returns what the request's refresh token says. It touches no
// store. Several cookies of the name are refused, even when they are equal:
// which of them is ours would be a guess.
func (m *Manager) credential(r *http.Request) (credential, error) {
	cookies := r.CookiesNamed(m.cookie.Name)
	text := ""
	switch {
	case m.isNative(r):
		var err error
		if text, err = nativeToken(r, len(cookies)); err != nil {
			return credential{}, err
		}
	case len(cookies) == 0:
		return credential{}, auth.ErrMissing
	case len(cookies) > 1:
		return credential{}, auth.ErrMalformed.With("refresh_cookies", len(cookies))
	default:
		text = cookies[0].Value
	}
	c, ok := m.keys.parseToken(text, time.Now())
	if !ok {
		return credential{}, auth.ErrInvalid.With("reason", "no token of ours")
	}
	return c, nil
}

// attemptOf returns the hash of the request's attempt. A request that has none
// gets one of its own, so that a store may repeat its call. A client that keeps
// its token itself has to number its attempts: a 503 sets it no cookie.
func (m *Manager) attemptOf(r *http.Request) ([32]byte, error) {
	lines := r.Header[AttemptHeader]
	switch {
	case len(lines) == 0 && !m.isNative(r):
		return sha256.Sum256([]byte(rand.Text())), nil
	case len(lines) != 1 || !isAttempt(lines[0]):
		return [32]byte{}, auth.ErrMalformed.With("header", AttemptHeader)
	}
	return sha256.Sum256([]byte(lines[0])), nil
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
