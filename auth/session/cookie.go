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

// clearCookie clears the refresh cookie, and the attempt cookie if the request has one.
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
		return credential{}, auth.ErrInvalid.With("reason", "the token was not issued by this service, or its key was removed")
	}
	return c, nil
}

// TokenHeader names the request header in which a native client sends its refresh token,
// or "new" at a login without one. It is read only if Options.NativeClients is set.
const TokenHeader = "Refresh-Token"

// isNative reports whether the client of a request keeps its token itself.
func (m *Manager) isNative(r *http.Request) bool { return m.native && len(r.Header[TokenHeader]) > 0 }

// nativeToken returns the token of a request with TokenHeader. It refuses requests of
// browsers, because the script of a page must not read a refresh token in a body. A
// browser adds Origin to every POST, and Sec-Fetch-Site if the URL is https. A script
// cannot remove these headers, nor set one whose name begins with Sec- (Fetch, section
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
