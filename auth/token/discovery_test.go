package token_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// An op is an OpenID provider that publishes its metadata and keys.
type op struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // paths
	metadata func() (int, string)
	keys     func() (int, string)
	at       string // the path of the metadata
	hangs    bool   // until the client gives up
}

func newOP(t *testing.T) *op {
	t.Helper()
	p := &op{at: "/.well-known/openid-configuration"}
	p.Server = httptest.NewTLSServer(p)
	t.Cleanup(p.Close)
	p.metadata = func() (int, string) { return 200, metadataJSON(p.URL, p.URL+"/keys") }
	p.keys = func() (int, string) { return 200, keySetJSON(t) }
	return p
}

func metadataJSON(issuer, keys string) string {
	return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q,"authorization_endpoint":"https://x.example/"}`, issuer, keys)
}

func keySetJSON(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	publishes(token.EdDSA)(w, httptest.NewRequest(http.MethodGet, "/", nil))
	return w.Body.String()
}

func (p *op) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r.URL.Path)
	if p.hangs {
		<-r.Context().Done()
		return
	}
	status, body := 404, ""
	switch r.URL.Path {
	case p.at:
		status, body = p.metadata()
	case "/keys":
		status, body = p.keys()
	}
	if location, redirect := strings.CutPrefix(body, "redirect "); redirect {
		w.Header().Set("Location", location)
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func (p *op) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *op) remote(t *testing.T, change func(*token.RemoteOptions)) *token.Remote {
	t.Helper()
	o := token.RemoteOptions{Issuer: p.URL, Client: p.Client(), Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	return errors.Must(token.NewRemote(o))
}

func TestIssuerAloneFindsTheKeys(t *testing.T) {
	for _, row := range []struct{ name, path, at string }{
		{name: "OpenID Connect Discovery", at: "/.well-known/openid-configuration"},
		{name: "path", path: "/realms/shop", at: "/realms/shop/.well-known/openid-configuration"},
		{name: "slash at the end", path: "/", at: "/.well-known/openid-configuration"},
		{name: "path and slash", path: "/application/o/orders/", at: "/application/o/orders/.well-known/openid-configuration"},
		{name: "RFC 8414", at: "/.well-known/oauth-authorization-server"},
		{name: "RFC 8414 with a path", path: "/oauth2/default", at: "/.well-known/oauth-authorization-server/oauth2/default"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newOP(t)
			issuer := p.URL + row.path
			p.at = row.at
			p.metadata = func() (int, string) { return 200, metadataJSON(issuer, p.URL+"/keys") }
			r := p.remote(t, func(o *token.RemoteOptions) { o.Issuer = issuer })
			require.Empty(t, p.requests, "NewRemote does not fetch")
			v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: r, Audience: []string{audience}}))
			text := signNow(t, object{"iss": issuer})
			_, err := v.Verify(t.Context(), text)
			require.NoError(t, err)
			_, err = v.Verify(t.Context(), signNow(t, object{"iss": issuer + "x"}))
			require.Equal(t, token.ReasonIssuer, auth.ReasonOf(err))
		})
	}
}

// signNow returns a good token of now with other claims.
func signNow(t *testing.T, claims object) string {
	t.Helper()
	now := time.Now().Unix()
	all := object{"iat": now, "exp": now + 300}
	for name, value := range claims {
		all[name] = value
	}
	return sign(goodHeader().json(), goodClaims().with(all).json())
}

func TestHostileMetadataIsUnavailable(t *testing.T) {
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("another host was called")
	}))
	defer other.Close()
	for _, row := range []struct {
		name     string
		metadata func(url string) (int, string)
		problem  string
	}{
		{name: "another issuer", metadata: func(url string) (int, string) { return 200, metadataJSON("https://evil.example", url+"/keys") }, problem: "and must be"},
		{name: "slash too many", metadata: func(url string) (int, string) { return 200, metadataJSON(url+"/", url+"/keys") }, problem: "and must be"},
		{name: "no issuer", metadata: func(url string) (int, string) { return 200, `{"jwks_uri":"` + url + `/keys"}` }, problem: "and must be"},
		{name: "issuer twice", metadata: func(url string) (int, string) {
			return 200, `{"issuer":"https://evil.example","issuer":"` + url + `","jwks_uri":"` + url + `/keys"}`
		}, problem: "distinct names"},
		{name: "keys on another host", metadata: func(url string) (int, string) { return 200, metadataJSON(url, other.URL+"/keys") }, problem: "another host"},
		{name: "keys over plain HTTP", metadata: func(url string) (int, string) {
			return 200, metadataJSON(url, "http"+strings.TrimPrefix(url, "https")+"/keys")
		}, problem: "https URL"},
		{name: "keys with a user", metadata: func(url string) (int, string) {
			return 200, metadataJSON(url, strings.Replace(url, "//", "//user@", 1)+"/keys")
		}, problem: "without user"},
		{name: "keys in a file", metadata: func(url string) (int, string) { return 200, metadataJSON(url, "file:///etc/passwd") }, problem: "https URL"},
		{name: "no keys", metadata: func(url string) (int, string) { return 200, `{"issuer":"` + url + `"}` }, problem: "https URL"},
		{name: "redirect", metadata: func(string) (int, string) { return 302, "redirect " + other.URL }, problem: "302"},
		{name: "large", metadata: func(url string) (int, string) {
			return 200, `{"issuer":"` + url + `","x":"` + strings.Repeat("x", 1<<20) + `"}`
		}, problem: "64 KiB"},
		{name: "HTML", metadata: func(string) (int, string) { return 200, "<html>" }, problem: "JSON"},
		{name: "server error", metadata: func(string) (int, string) { return 500, "" }, problem: "500"},
		{name: "not found", metadata: func(string) (int, string) { return 404, "" }, problem: "404"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newOP(t)
			p.metadata = func() (int, string) { return row.metadata(p.URL) }
			r := p.remote(t, nil)
			v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: r, Audience: []string{audience}}))
			_, err := v.Verify(t.Context(), signNow(t, object{"iss": p.URL}))
			require.ErrorIs(t, err, auth.ErrUnavailable, "an outage is never a 401")
			require.ErrorContains(t, err, row.problem)
			require.NotContains(t, p.requests, "/keys")
		})
	}
}

func TestKeysMayMoveToAListedHost(t *testing.T) {
	keys := newOP(t)
	p := newOP(t)
	p.metadata = func() (int, string) { return 200, metadataJSON(p.URL, keys.URL+"/keys") }
	host := strings.TrimPrefix(keys.URL, "https://")
	r := p.remote(t, func(o *token.RemoteOptions) { o.KeyHosts = []string{host} })
	require.NoError(t, r.Ready(t.Context()))
	require.Equal(t, []string{"/keys"}, keys.requests)
}

func TestMetadataIsFetchedAgain(t *testing.T) {
	p := newOP(t)
	r := p.remote(t, nil)
	require.NoError(t, r.Ready(t.Context()))
	now := time.Now()
	tick := func(d time.Duration) { now = now.Add(d); token.SetClock(func() time.Time { return now }, r) }
	fetch := func() []string {
		p.change(func() { p.requests = nil })
		token.FetchNow(t.Context(), r)
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.requests
	}
	const metadata, keys = "/.well-known/openid-configuration", "/keys"
	tick(10 * time.Minute)
	require.Equal(t, []string{keys}, fetch(), "the URL is kept")
	tick(time.Hour)
	require.Equal(t, []string{metadata, keys}, fetch(), "after an hour")
	p.change(func() { p.keys = func() (int, string) { return 500, "" } })
	tick(time.Minute)
	require.Equal(t, []string{keys}, fetch())
	tick(time.Minute)
	require.Equal(t, []string{metadata, keys}, fetch(), "after a failed fetch of the keys")
	p.change(func() {
		p.keys = func() (int, string) { return 200, keySetJSON(t) }
		p.metadata = func() (int, string) { return 500, "" }
	})
	tick(time.Minute)
	require.Equal(t, []string{metadata, keys}, fetch(), "the last metadata is used while there is no other")
	require.NoError(t, r.Ready(t.Context()))
}

func TestNewRemoteReportsProblemsOfDiscovery(t *testing.T) {
	for _, row := range []struct {
		name    string
		options token.RemoteOptions
		problem string
	}{
		{name: "both", options: token.RemoteOptions{URL: "https://a.example/keys", Issuer: "https://a.example"}, problem: `token: URL "https://a.example/keys": contradicts Issuer`},
		{name: "plain HTTP", options: token.RemoteOptions{Issuer: "http://a.example"}, problem: `token: Issuer "http://a.example": must be an https URL`},
		{name: "plain HTTP on another machine", options: token.RemoteOptions{Issuer: "http://a.example", InsecureHTTP: true}, problem: "because its host is not a loopback address"},
		{name: "URL of the metadata", options: token.RemoteOptions{Issuer: "https://a.example/x/.well-known/openid-configuration"}, problem: `did you mean "https://a.example/x"?`},
		{name: "query", options: token.RemoteOptions{Issuer: "https://a.example/?x=1"}, problem: "must not have a query"},
		{name: "no URL as issuer", options: token.RemoteOptions{Issuer: "stytch.com/project"}, problem: "must be an https URL"},
		{name: "host as URL", options: token.RemoteOptions{Issuer: "https://a.example", KeyHosts: []string{"https://b.example"}}, problem: "token: KeyHosts[0] \"https://b.example\": must be a host"},
		{name: "empty host", options: token.RemoteOptions{Issuer: "https://a.example", KeyHosts: []string{""}}, problem: "token: KeyHosts[0] \"\": must be a host"},
		{name: "hosts without issuer", options: token.RemoteOptions{URL: "https://a.example/keys", KeyHosts: []string{"b.example"}}, problem: "token: KeyHosts: has no effect without Issuer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := token.NewRemote(row.options)
			require.ErrorContains(t, err, row.problem)
		})
	}
	for _, host := range []string{"http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost"} {
		_, err := token.NewRemote(token.RemoteOptions{Issuer: host, InsecureHTTP: true})
		require.NoError(t, err)
	}
}
