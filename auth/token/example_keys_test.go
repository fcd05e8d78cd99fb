package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// A key signs for a month, and the next one replaces it. All replicas follow
// their clocks.
func ExampleNewKeys() {
	may := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	june := may.AddDate(0, 1, 0)
	first, second := errors.Must(token.GenerateKey()), errors.Must(token.GenerateKey())
	keys := errors.Must(token.NewKeys(
		errors.Must(first.On(token.Schedule{Sign: may, Retire: june, Remove: june.Add(2 * time.Hour)})),
		errors.Must(second.On(token.Schedule{Publish: june.Add(-time.Hour), Sign: june})),
	))
	w := httptest.NewRecorder()
	keys.JWKS().ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	fmt.Println(w.Code, w.Header().Get("Cache-Control"))
	// Output:
	// 200 public, max-age=300
}

// The kid of a generated key is its thumbprint.
func ExampleGenerateKey() {
	key := errors.Must(token.GenerateKey())
	fmt.Println(len(key.ID()))
	// Output:
	// 43
}

// A key of the standard library, or of a KMS that implements crypto.Signer.
func ExampleNewKey() {
	private := errors.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	fmt.Println(errors.Must(token.NewKey("2026-05", token.ES256, private)))
	_, err := token.NewKey("2026-05", token.ES384, private)
	fmt.Println(err)
	// Output:
	// 2026-05 ES256
	// token: key "2026-05": a *ecdsa.PublicKey does not fit ES384
}

// A service that only verifies holds no private key.
func ExampleNewPublicKey() {
	private := errors.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	fmt.Println(errors.Must(token.NewPublicKey("2026-05", token.ES256, private.Public())))
	// Output:
	// 2026-05 ES256
}

// A secret comes from a generator, and never from a keyboard.
func ExampleNewSecret() {
	_, err := token.NewSecret("2026-05", token.HS256, []byte("correct horse battery staple, again"))
	fmt.Println(err)
	// Output:
	// token: key "2026-05": the secret does not look random; take 32 bytes from crypto/rand
}

// Use the thumbprint of a key as its kid, unless another name is required.
func ExampleThumbprint() {
	private := errors.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	kid := errors.Must(token.Thumbprint(private.Public()))
	fmt.Println(len(kid))
	// Output:
	// 43
}

// A second service verifies with the keys that the first one publishes.
func ExampleNewRemote() {
	keys := errors.Must(token.NewKeys(errors.Must(token.GenerateKey())))
	first := httptest.NewTLSServer(keys.JWKS()) // https://issuer.example/.well-known/jwks.json
	defer first.Close()
	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: keys, Issuer: "https://issuer.example", Audience: []string{"orders"}}))

	remote := errors.Must(token.NewRemote(token.RemoteOptions{URL: first.URL, Client: first.Client(), OnEvent: func(_ context.Context, e token.Event) {
		fmt.Println("event:", e.Reason)
	}}))
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{
		Keys: remote, Issuer: "https://issuer.example", Audience: []string{"orders"},
		CallerType: auth.Person, // that issuer names each program by its client_id
	}))

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _ = remote.Run(ctx) }() // it ends with ctx
	fmt.Println("ready:", remote.Ready(ctx))
	text, _, _ := issuer.Issue(ctx, token.Grant{Subject: "ada"})
	fmt.Println(tokens.Verify(ctx, text))
	// Output:
	// event: keys_fetched
	// ready: <nil>
	// person ada <nil>
}

// Claims of the application's own come back as the type that it gives.
func ExampleNewIssuer() {
	keys := errors.Must(token.NewKeys(errors.Must(token.GenerateKey())))
	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: keys, Issuer: "https://api.example.com", Audience: []string{"api"}}))
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Issuer: "https://api.example.com", Audience: []string{"api"}}))

	type Tenant struct {
		Plan string `json:"plan"`
	}
	ctx := context.Background()
	text, _, _ := issuer.Issue(ctx, token.Grant{Subject: "ada", Claims: Tenant{"gold"}})
	p := errors.Must(tokens.Verify(ctx, text))
	fmt.Println(auth.Claims[Tenant](auth.NewContext(ctx, p)))

	_, _, err := issuer.Issue(ctx, token.Grant{Subject: "ada", Claims: map[string]string{"password": "x"}})
	fmt.Println(err)
	// Output:
	// {gold} <nil>
	// token: Grant: Claims: "password" must not be in a payload, which anyone can read; if it is harmless, list it in InsecureClaims
}

// A Verifier authenticates behind auth's Middleware. Validate checks the
// application's own rules on every request.
func ExampleNewVerifier() {
	keys := errors.Must(token.NewKeys(errors.Must(token.GenerateKey())))
	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: keys, Issuer: "https://api.example.com", Audience: []string{"api"}}))
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{
		Keys: keys, Issuer: "https://api.example.com", Audience: []string{"api"},
		Validate: func(_ context.Context, p *auth.Principal) error {
			if p.Subject() == "mallory" {
				return auth.ErrDenied
			}
			return nil
		},
	}))
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens}}))
	handler := callers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := auth.From(r.Context())
		fmt.Fprint(w, p)
	}))
	for _, subject := range []string{"ada", "mallory"} {
		text, _, _ := issuer.Issue(context.Background(), token.Grant{Subject: subject})
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+text)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		body, _, _ := strings.Cut(w.Body.String(), ",")
		fmt.Println(w.Code, body)
	}
	// Output:
	// 200 person ada
	// 403 {"code":"access_denied"
}

// Tokens of one's own and of a partner: each issuer's keys verify its own
// tokens alone.
func ExampleByIssuer() {
	own := errors.Must(token.NewKeys(errors.Must(token.GenerateKey())))
	partner := errors.Must(token.NewRemote(token.RemoteOptions{URL: "https://partner.example/.well-known/jwks.json"}))
	both, err := token.ByIssuer(
		errors.Must(token.NewVerifier(token.VerifierOptions{Keys: own, Issuer: "https://api.example.com", Audience: []string{"api"}})),
		errors.Must(token.NewVerifier(token.VerifierOptions{Keys: partner, Issuer: "https://partner.example", Audience: []string{"api"}})),
	)
	fmt.Println(both.Challenge(), err)
	// Output:
	// Bearer <nil>
}
