package bench_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	"github.com/go-chi/jwtauth/v5"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/bench"
)

const (
	tokenIssuer   = "https://api.example.com"
	tokenAudience = "api"
)

// tokenKey is a key of an algorithm, as each of the libraries takes it.
type tokenKey struct {
	alg             token.Alg
	private, public any
	ours            *token.Keys
}

func newTokenKey(alg token.Alg) tokenKey {
	k := tokenKey{alg: alg}
	switch alg {
	case token.HS256:
		secret := make([]byte, 32)
		_, _ = rand.Read(secret)
		k.private, k.public = secret, secret
		k.ours = errors.Must(token.NewKeys(errors.Must(token.NewSecret("k", alg, secret))))
		return k
	case token.RS256:
		k.private = errors.Must(rsa.GenerateKey(rand.Reader, 2048))
	case token.ES256:
		k.private = errors.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	case token.EdDSA:
		_, private, _ := ed25519.GenerateKey(rand.Reader)
		k.private = private
	}
	signer := k.private.(crypto.Signer)
	k.public = signer.Public()
	k.ours = errors.Must(token.NewKeys(errors.Must(token.NewKey("k", alg, signer))))
	return k
}

// token returns a token that lives for the whole run.
func (k tokenKey) token() string {
	i := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: k.ours, Issuer: tokenIssuer, Audience: []string{tokenAudience}, TTL: time.Hour}))
	text, _, err := i.Issue(context.Background(), token.Grant{Subject: "ada", SessionID: "1f0c7c8e", Scope: []string{"orders:read", "orders:write"}, Roles: []string{"user"}})
	return errors.Must(text, err)
}

// ringwall is our middleware; without a cache it verifies every time.
func (k tokenKey) ringwall(entries int) http.Handler {
	v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: k.ours, Issuer: tokenIssuer, Audience: []string{tokenAudience}, CacheEntries: entries,
		Revocations: errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))}))
	m := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{v}, ErrorHandler: refuse}))
	return m.Handler(bench.Nothing)
}

func refuse(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusUnauthorized) }

// peers are middlewares that verify the same token. golang-jwt has none, so
// it gets the least that a service would write.
func (k tokenKey) peers() []peer {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{string(k.alg)}), jwt.WithIssuer(tokenIssuer), jwt.WithAudience(tokenAudience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(30*time.Second))
	type contextKey struct{}
	golang := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var claims struct {
			jwt.RegisteredClaims
			Session string   `json:"sid"`
			Scope   string   `json:"scope"`
			Roles   []string `json:"roles"`
		}
		text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if _, err := parser.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return k.public, nil }); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		bench.Nothing.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, &claims)))
	})
	ja := jwtauth.New(string(k.alg), k.private, k.public)
	if k.alg == token.HS256 {
		ja = jwtauth.New(string(k.alg), k.private, nil)
	}
	v := errors.Must(validator.New(
		validator.WithKeyFunc(func(context.Context) (any, error) { return k.public, nil }),
		validator.WithAlgorithm(validator.SignatureAlgorithm(k.alg)), validator.WithIssuer(tokenIssuer), validator.WithAudience(tokenAudience),
		validator.WithAllowedClockSkew(30*time.Second)))
	auth0 := errors.Must(jwtmiddleware.New(jwtmiddleware.WithValidator(v), jwtmiddleware.WithErrorHandler(refuse)))
	return []peer{
		{name: "golang-jwt", h: golang},
		{name: "jwtauth", h: jwtauth.Verifier(ja)(jwtauth.Authenticator(ja)(bench.Nothing))},
		{name: "auth0", h: auth0.CheckJWT(bench.Nothing)},
	}
}

// tokenRequest has a token as browsers and programs send it.
func tokenRequest(text string) *http.Request {
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+text)
	return r
}

// forgeries are the tokens of a flood. The last part of a good token has 86
// letters or more.
func forgeries(good string) map[string]string {
	head, rest, _ := strings.Cut(good, ".")
	unknown := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"x","typ":"at+jwt"}`))
	return map[string]string{
		"forged":  good[:len(good)-40] + strings.Repeat("A", 40),
		"unknown": unknown + "." + rest,
		"none":    base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k","typ":"at+jwt"}`)) + "." + rest,
		"garbage": strings.Repeat("A", 8000),
		"dots":    strings.Repeat(".", 8000),
		"cut":     head,
	}
}

func BenchmarkToken(b *testing.B) {
	for _, alg := range []token.Alg{token.HS256, token.RS256, token.ES256, token.EdDSA} {
		k := newTokenKey(alg)
		r := tokenRequest(k.token())
		for name, entries := range map[string]int{"hit": 0, "miss": -1} {
			b.Run(fmt.Sprintf("%s-%s", name, alg), func(b *testing.B) {
				bench.Measure(b, "ringwall", k.ringwall(entries), r)
				for _, p := range k.peers() {
					bench.Measure(b, p.name, p.h, r)
				}
			})
		}
	}
	k := newTokenKey(token.RS256)
	for name, text := range forgeries(k.token()) {
		b.Run("flood-"+name, func(b *testing.B) {
			bench.Measure(b, "ringwall", k.ringwall(0), tokenRequest(text))
			for _, p := range k.peers() {
				bench.Measure(b, p.name, p.h, tokenRequest(text))
			}
		})
	}
}

// The compared libraries must do the same. jwtauth checks neither iss nor aud.
func TestTokensAreTakenAlike(t *testing.T) {
	for _, alg := range []token.Alg{token.HS256, token.RS256, token.ES256, token.EdDSA} {
		k := newTokenKey(alg)
		good := k.token()
		for _, p := range append(k.peers(), peer{"ringwall", k.ringwall(0)}, peer{"ringwall without a cache", k.ringwall(-1)}) {
			t.Run(string(alg)+"/"+p.name, func(t *testing.T) {
				for range 2 {
					w := httptest.NewRecorder()
					p.h.ServeHTTP(w, tokenRequest(good))
					require.Equal(t, 200, w.Code)
				}
				for name, bad := range forgeries(good) {
					if name == "unknown" && p.name != "ringwall" {
						continue // the peers were given one key, whatever its name
					}
					w := httptest.NewRecorder()
					p.h.ServeHTTP(w, tokenRequest(bad))
					require.NotEqual(t, 200, w.Code, name)
				}
			})
		}
	}
}
