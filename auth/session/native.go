package session

import (
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/auth"
)

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
