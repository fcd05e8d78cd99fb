package session

import (
	"net/http"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
)

// Cookie changes the refresh cookie.
type Cookie struct {
	// Name must begin with __Host-, and must not end in -attempt, like the name of
	// the attempt cookie. Two managers behind one host need different names. Empty
	// means __Host-refresh.
	Name string
	// Transient omits Max-Age, so that the browser deletes the cookie when it is
	// closed.
	Transient bool
}

// clearCookie clears the refresh cookie, and the request's attempt cookie.
func (m *Manager) clearCookie(w http.ResponseWriter, r *http.Request) {
	c := m.cookie
	c.MaxAge = -1
	replaceCookie(w, &c)
	if len(r.CookiesNamed(m.cookie.Name+attemptSuffix)) > 0 {
		m.clearAttempt(w)
	}
}

// credential returns the content of the request's refresh token. It does not call
// the store. Several cookies with the name are refused, even equal ones, because
// it is unknown which of them this service set.
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

// TokenHeader names the request header in which a client that is no browser
// sends its refresh token, where NativeClients allows it, or "new" at a login
// without one.
const TokenHeader = "Refresh-Token"

// isNative reports whether the client of a request keeps its token itself.
func (m *Manager) isNative(r *http.Request) bool { return m.native && len(r.Header[TokenHeader]) > 0 }

// nativeToken returns the token of such a request. A page's script could send
// the header too, and read the body; but not without the headers that browsers
// add: Origin on every POST, Sec-Fetch-Site and its kin wherever the page is
// https. Names that begin with Sec- are forbidden to scripts (Fetch, section
// 2.2.2, "forbidden request-header").
func nativeToken(r *http.Request, cookies int) (string, error) {
	for name := range r.Header {
		if name == "Origin" || strings.HasPrefix(name, "Sec-") {
			return "", auth.ErrDenied.With("reason", "a browser sent "+TokenHeader)
		}
	}
	lines := r.Header[TokenHeader]
	if len(lines) > 1 || cookies > 0 {
		return "", auth.ErrMalformed.With("header", TokenHeader)
	}
	return lines[0], nil
}
