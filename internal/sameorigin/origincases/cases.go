// Package origincases has the one table of cases for the decision of
// internal/sameorigin. cors and auth/session run it too, so that they cannot
// decide differently.
package origincases

import (
	"net/http"
	"net/http/httptest"
)

// Own is the origin of the service, Listed is one that may call it, and Evil is
// neither.
const Own, Listed, Evil = "https://api.example.com", "https://app.example.com", "https://evil.example"

// A Case is a POST to the service, and whether it is allowed.
type Case struct {
	Name           string
	Host           string // "" means that of Own
	Sites, Origins []string
	Allowed        bool
}

// Request returns the request of a case, which came over TLS.
func (c Case) Request(path string) *http.Request {
	r := httptest.NewRequest("POST", Own+path, nil)
	if c.Host != "" {
		r.Host = c.Host
	}
	if c.Sites != nil {
		r.Header["Sec-Fetch-Site"] = c.Sites
	}
	if c.Origins != nil {
		r.Header["Origin"] = c.Origins
	}
	return r
}

// Table has the hostile cases first.
var Table = []Case{
	{"cross-site", "", []string{"cross-site"}, []string{Evil}, false},
	{"cross-site, older browser", "", nil, []string{Evil}, false},
	{"cross-site without Origin", "", []string{"cross-site"}, nil, false},
	{"cross-site with the service's own Origin", "", []string{"cross-site"}, []string{Own}, false},
	{"cross-site from a sandboxed frame", "", []string{"cross-site"}, []string{"null"}, false},
	{"same-site", "", []string{"same-site"}, []string{"https://blog.example.com"}, false},
	{"same-site without Origin", "", []string{"same-site"}, nil, false},
	{"same-site with the service's own Origin", "", []string{"same-site"}, []string{Own}, false},
	{"FC3 an empty site without Origin", "", []string{""}, nil, false},
	{"FC3 an empty site with an unlisted Origin", "", []string{""}, []string{Evil}, false},
	{"FC3 an unknown site without Origin", "", []string{"same-party"}, nil, false},
	{"FC3 an unknown site with an unlisted Origin", "", []string{"same-party"}, []string{Evil}, false},
	{"FC3 an unknown site with Origin null", "", []string{"same-party"}, []string{"null"}, false},
	{"same-origin in another case", "", []string{"Same-Origin"}, nil, false},
	{"two sites", "", []string{"same-origin", "cross-site"}, nil, false},
	{"two equal sites", "", []string{"same-origin", "same-origin"}, nil, false},
	{"two sites with a listed Origin", "", []string{"same-site", "cross-site"}, []string{Listed}, false},
	{"two origins", "", nil, []string{Own, Evil}, false},
	{"two listed origins", "", nil, []string{Listed, Listed}, false},
	{"two origins with same-origin", "", []string{"same-origin"}, []string{Own, Evil}, false},
	{"FC7 two origins with none", "", []string{"none"}, []string{Own, Evil}, false},
	{"opaque origin", "", nil, []string{"null"}, false},
	{"empty origin", "", nil, []string{""}, false},
	{"golang/go#78563 userinfo", "", nil, []string{"https://evil@api.example.com"}, false},
	{"longer host", "", nil, []string{Own + ".evil.example"}, false},
	{"shorter host", "", nil, []string{"https://api.example.co"}, false},
	{"plain HTTP", "", nil, []string{"http://api.example.com"}, false},
	{"FTP", "", nil, []string{"ftp://api.example.com"}, false},
	{"no scheme", "", nil, []string{"api.example.com"}, false},
	{"other port", "", nil, []string{Own + ":8443"}, false},
	{"default port, which no browser writes", "", nil, []string{Own + ":443"}, false},
	{"path", "", nil, []string{Own + "/"}, false},
	{"dot at the end", "", nil, []string{Own + "."}, false},
	{"other case", "", nil, []string{"https://API.example.com"}, false},
	{"a scheme alone", "", nil, []string{"https://"}, false},
	{"same-origin", "", []string{"same-origin"}, []string{Own}, true},
	{"same-origin from a page without a referrer", "", []string{"same-origin"}, []string{"null"}, true},
	{"same-origin without Origin", "", []string{"same-origin"}, nil, true},
	{"FC7 none, which is the user without a page", "", []string{"none"}, nil, true},
	{"FC7 none with Origin null", "", []string{"none"}, []string{"null"}, true},
	{"listed, same-site", "", []string{"same-site"}, []string{Listed}, true},
	{"listed, cross-site", "", []string{"cross-site"}, []string{Listed}, true},
	{"listed, older browser", "", nil, []string{Listed}, true},
	{"FC3 listed, with an unknown site", "", []string{"same-party"}, []string{Listed}, true},
	{"FC3 listed, with an empty site", "", []string{""}, []string{Listed}, true},
	{"FC3 own, with an unknown site", "", []string{"same-party"}, []string{Own}, true},
	{"own, older browser", "", nil, []string{Own}, true},
	{"own, Host with the default port", "API.example.com:443", nil, []string{Own}, true},
	{"own, on another port", "api.example.com:8443", nil, []string{Own + ":8443"}, true},
	{"own, IPv6", "[::1]:8443", nil, []string{"https://[::1]:8443"}, true},
	{"no browser", "", nil, nil, true},
}
