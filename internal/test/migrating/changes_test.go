package migrating_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/go-chi/httprate"
	"github.com/go-chi/jwtauth/v5"
	rscors "github.com/rs/cors"
	"github.com/stretchr/testify/require"
	unrolled "github.com/unrolled/secure"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
)

// answers sends one request to both handlers.
func answers(before, after http.Handler, r func() *http.Request) (old, now *httptest.ResponseRecorder) {
	old, now = httptest.NewRecorder(), httptest.NewRecorder()
	before.ServeHTTP(old, r())
	after.ServeHTTP(now, r())
	return old, now
}

func request(method, target string, header ...string) func() *http.Request {
	return func() *http.Request {
		r := httptest.NewRequest(method, target, nil)
		r.RemoteAddr = "198.51.100.1:1234" // an address that is no trusted proxy
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
}

// The statements under "What changes" hold, in both libraries.
func TestCORSChanges(t *testing.T) {
	ran := 0
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran++ })
	before := rscors.New(rscors.Options{AllowedOrigins: []string{"https://app.example.com"}}).Handler(handler)
	after := errors.Must(cors.New(cors.Options{Origins: []string{"https://app.example.com"}})).Handler(handler)

	old, now := answers(before, after, request("POST", "https://api.example.com/", "Origin", "https://evil.example"))
	require.Equal(t, []int{200, 403}, []int{old.Code, now.Code}, "a write of a stranger")
	require.Equal(t, 1, ran)
	old, now = answers(before, after, request("OPTIONS", "https://api.example.com/", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"))
	require.Equal(t, []int{204, 403}, []int{old.Code, now.Code}, "a preflight of a stranger")

	before = rscors.New(rscors.Options{}).Handler(handler)
	old, _ = answers(before, after, request("GET", "https://api.example.com/", "Origin", "https://evil.example"))
	require.Equal(t, "*", old.Header().Get("Access-Control-Allow-Origin"), "no origins mean all")
	_, err := cors.New(cors.Options{})
	require.Error(t, err)
}

func TestHeadersChanges(t *testing.T) {
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	before := unrolled.New(unrolled.Options{
		AllowedHosts: []string{"api.example.com"}, SSLRedirect: true, SSLHost: "api.example.com", SSLProxyHeaders: map[string]string{"X-Forwarded-Proto": "https"},
	}).Handler(handler)
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Proto: "X-Forwarded-Proto"}))
	after := errors.Must(headers.New(headers.Options{CanonicalHost: "api.example.com", AllowedHosts: []string{"api.example.com"}, Scheme: proxy.Scheme})).Handler(handler)

	old, now := answers(before, after, request("GET", "http://api.example.com/", "Authorization", "Bearer x", "Accept", "text/html"))
	require.Equal(t, []int{301, 403}, []int{old.Code, now.Code}, "a credential in clear")
	old, now = answers(before, after, request("GET", "http://api.example.com/", "X-Forwarded-Proto", "https"))
	require.Equal(t, []int{200, 403}, []int{old.Code, now.Code}, "a client that plays the proxy")
	old, now = answers(before, after, request("GET", "https://evil.example/"))
	require.Equal(t, []int{500, 421}, []int{old.Code, now.Code}, "another host")
}

func TestRatelimitChanges(t *testing.T) {
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	//lint:ignore SA1019 it is what people have
	before := httprate.LimitByRealIP(1, time.Hour)(handler)
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}))
	after := errors.Must(ratelimit.New(ratelimit.Options{ClientIP: proxy.ClientIP, Tiers: []ratelimit.Tier{
		{Name: "all", Limits: []ratelimit.Limit{{Requests: 1, Window: time.Hour}}},
	}})).Handler(handler)
	for i, address := range []string{"203.0.113.1", "203.0.113.2"} {
		old, now := answers(before, after, request("GET", "https://api.example.com/", "X-Forwarded-For", address))
		require.Equal(t, 200, old.Code, "a client that chooses its key")
		require.Equal(t, []int{200, 429}[i], now.Code)
	}
}

func TestTokenChanges(t *testing.T) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	theirs := jwtauth.New("HS256", secret, nil)
	before := jwtauth.Verifier(theirs)(jwtauth.Authenticator(theirs)(handler))
	keys := errors.Must(token.NewKeys(errors.Must(token.NewSecret("1", token.HS256, secret))))
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Issuer: "https://api.example.com", Audience: []string{"api"}, AllowTypes: []string{"JWT"}}))
	after := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens}})).Handler(handler)
	for name, claims := range map[string]map[string]any{
		"without an end":  {"sub": "ada"},
		"with all claims": {"sub": "ada", "iss": "https://api.example.com", "aud": "api", "iat": time.Now(), "exp": time.Now().Add(time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			_, text, err := theirs.Encode(claims)
			require.NoError(t, err)
			old, now := answers(before, after, request("GET", "https://api.example.com/", "Authorization", "Bearer "+text))
			require.Equal(t, []int{200, 401}, []int{old.Code, now.Code}, "without a kid")
		})
	}
	old, now := answers(before, after, request("GET", "https://api.example.com/"))
	require.Equal(t, []int{401, 401}, []int{old.Code, now.Code})
	require.Empty(t, old.Header().Get("WWW-Authenticate"))
	require.NotEmpty(t, now.Header().Get("WWW-Authenticate"))
	_, err := token.NewSecret("1", token.HS256, secret[:31])
	require.Error(t, err)
}
