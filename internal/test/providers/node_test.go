package providers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/providers"
)

const api = "https://api.example/"

func TestTokensOfNodeAreVerified(t *testing.T) {
	p := providers.StartNode(t)
	keys, requests := newRemote(t, p.Provider)
	audience := []string{api, api + "?alg=RS256", api + "?alg=ES256", api + "?alg=EdDSA", api + "?alg=Ed25519", api + "?alg=PS256", api + "expired"}
	verifier := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Audience: audience}))
	s := startService(t, p.Authority, verifier)
	// The mistakes that open most: any type, and the name of the client as Audience.
	loose := startService(t, p.Authority, errors.Must(token.NewVerifier(token.VerifierOptions{
		Keys: keys, Audience: []string{providers.NodeApp.ID}, AllowTypes: []string{"JWT"}, InsecureNoType: true,
	})))
	machine := func(resource string) string {
		return p.Machine(t, providers.NodeMachine, url.Values{"resource": {resource}, "scope": {"orders:read"}}).Access
	}
	user := p.NewBrowser(t, providers.NodeUser).Login(t, providers.NodeApp, url.Values{
		"resource": {api}, "scope": {"openid offline_access orders:read"}, "prompt": {"consent"}, "nonce": {"n"},
	})
	program := accepted(auth.Program, "machine", "orders:read")
	for _, row := range []struct {
		name    string
		service *service
		token   string
		want    response
	}{
		{name: "RS256", service: s, token: machine(api + "?alg=RS256"), want: program},
		{name: "ES256", service: s, token: machine(api + "?alg=ES256"), want: program},
		{name: "EdDSA", service: s, token: machine(api + "?alg=EdDSA"), want: program},
		{name: "Ed25519, the name of RFC 9864", service: s, token: machine(api + "?alg=Ed25519"), want: program},
		{name: "PS256", service: s, token: machine(api + "?alg=PS256"), want: program},
		{name: "user's access token is of unknown type by default", service: s, token: user.Access, want: accepted(auth.Unknown, "alice", "orders:read")},
		{name: "access token for another API is refused", service: s, token: machine("https://other.example/"), want: refused(token.ReasonAudience)},
		{
			name:    "expired access token is told so",
			service: s,
			token:   machine(api + "expired"),
			want:    response{Status: 401, Code: "auth_expired", Reason: token.ReasonExpiry},
		},
		{name: "opaque access token is refused", service: s, token: machine(api + "opaque"), want: refused(token.ReasonParts)},
		{name: "refresh token is refused", service: s, token: user.Refresh, want: refused(token.ReasonParts)},
		{name: "ID token, which has no typ, is refused", service: s, token: user.ID, want: refused(token.ReasonType)},
		{name: "ID token is refused by its marks with every type", service: loose, token: user.ID, want: refused(token.ReasonIDToken)},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.NotEmpty(t, row.token)
			require.Equal(t, row.want, row.service.call(t, row.token))
		})
	}
	require.Equal(t, 1, requests.To("/.well-known/openid-configuration"), "discovery is fetched once")
	require.Equal(t, 1, requests.To(p.KeysPath()), "the keys are fetched once")
}

func TestNodeIntrospectsTokens(t *testing.T) {
	p := providers.StartNode(t)
	client, _ := p.Authority.Client(t)
	with := func(secret string) *service {
		return startService(t, p.Authority, errors.Must(token.NewIntrospector(token.IntrospectorOptions{
			URL: p.Metadata.Introspection, Issuer: p.Issuer, ClientID: providers.NodeMachine.ID, Secret: []byte(secret),
			Audience: []string{api + "opaque"}, CacheFor: -1, Client: client, Logger: quiet,
		})))
	}
	right, wrong := with(providers.NodeMachine.Secret), with("guessed")
	machine := func() string {
		return p.Machine(t, providers.NodeMachine, url.Values{"resource": {api + "opaque"}, "scope": {"orders:read"}}).Access
	}
	active, revoked := machine(), machine()
	p.Revoke(t, providers.NodeMachine, revoked)
	require.Equal(t, accepted(auth.Program, "machine", "orders:read"), right.call(t, active))
	require.Equal(t, refused(token.ReasonInactive), right.call(t, revoked))
	require.Equal(t, refused(token.ReasonInactive), right.call(t, "made-up"))
	require.Equal(t, response{Status: 503, Code: "auth_unavailable"}, wrong.call(t, active))
	p.Stop(t)
	require.Equal(t, response{Status: 503, Code: "auth_unavailable"}, right.call(t, active), "an outage is not a bad token")
}

func TestBoundTokensOfNodeNeedAProof(t *testing.T) {
	p := providers.StartNode(t)
	keys, _ := newRemote(t, p.Provider)
	options := token.VerifierOptions{Keys: keys, Audience: []string{api}}
	without := startService(t, p.Authority, errors.Must(token.NewVerifier(options)))
	options.DPoP = errors.Must(token.NewDPoP(token.DPoPOptions{}))
	s := startService(t, p.Authority, errors.Must(token.NewVerifier(options)))

	key, other := newProver(t), newProver(t)
	grant := url.Values{"grant_type": {"client_credentials"}, "resource": {api}, "scope": {"orders:read"}}
	bound := p.Grant(t, providers.NodeBound, grant, http.Header{"Dpop": {key.prove(t, "POST", p.Metadata.Token, "")}})
	require.Equal(t, "DPoP", bound.Type)
	proof := key.prove(t, "GET", s.url, bound.Access)
	for _, row := range []struct {
		name          string
		service       *service
		scheme, proof string
		want          response
	}{
		{name: "as a bearer token", service: s, scheme: "Bearer", want: refused(token.ReasonBound)},
		{name: "as a bearer token with a proof", service: s, scheme: "Bearer", proof: key.prove(t, "GET", s.url, bound.Access), want: refused(token.ReasonBound)},
		{name: "as a bearer token of a service without DPoP", service: without, scheme: "Bearer", want: refused(token.ReasonBound)},
		{name: "without a proof", service: s, scheme: "DPoP", want: response{Status: 400, Code: "auth_malformed", Reason: token.ReasonProof}},
		{name: "with a proof of another key", service: s, scheme: "DPoP", proof: other.prove(t, "GET", s.url, bound.Access), want: refused(token.ReasonProof)},
		{name: "with a proof of another method", service: s, scheme: "DPoP", proof: key.prove(t, "POST", s.url, bound.Access), want: refused(token.ReasonProof)},
		{name: "with a proof of another URL", service: s, scheme: "DPoP", proof: key.prove(t, "GET", without.url, bound.Access), want: refused(token.ReasonProof)},
		{name: "with a proof of another token", service: s, scheme: "DPoP", proof: key.prove(t, "GET", s.url, "other"), want: refused(token.ReasonProof)},
		{name: "with its proof", service: s, scheme: "DPoP", proof: proof, want: accepted(auth.Program, "bound", "orders:read")},
		{name: "with the proof again", service: s, scheme: "DPoP", proof: proof, want: refused(token.ReasonProof)},
	} {
		t.Run(row.name, func(t *testing.T) {
			header := http.Header{"Authorization": {row.scheme + " " + bound.Access}}
			if row.proof != "" {
				header["Dpop"] = []string{row.proof}
			}
			require.Equal(t, row.want, row.service.send(t, header))
		})
	}
}

// A prover signs proofs of possession (RFC 9449).
type prover struct {
	key *ecdsa.PrivateKey
	jwk map[string]string
}

func newProver(t testing.TB) prover {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	point, err := key.PublicKey.Bytes()
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	return prover{key, map[string]string{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}}
}

// prove returns a proof for a request, with an access token if it is not empty.
func (p prover) prove(t testing.TB, method, uri, access string) string {
	claims := jwt.MapClaims{"jti": rand.Text(), "htm": method, "htu": uri, "iat": time.Now().Unix()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	unsigned := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	unsigned.Header["typ"], unsigned.Header["jwk"] = "dpop+jwt", p.jwk
	text, err := unsigned.SignedString(p.key)
	require.NoError(t, err)
	return text
}

// The provider gets a new key, and goes down before the service has seen it.
func TestOutageOfNodeIsNoBadToken(t *testing.T) {
	p := providers.StartNode(t)
	keys, requests := newRemote(t, p.Provider)
	verifier := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Audience: []string{api}, CacheEntries: -1}))
	before, after := startService(t, p.Authority, verifier), startService(t, p.Authority, verifier)
	ask := url.Values{"resource": {api}}
	old := p.Machine(t, providers.NodeMachine, ask).Access
	require.Equal(t, 200, before.call(t, old).Status)
	p.Stop(t)
	p.Restart(t, true)
	fresh := p.Machine(t, providers.NodeMachine, ask).Access
	p.Stop(t)

	var stop atomic.Bool
	ended := make(chan int, 1)
	go func() {
		defer close(ended)
		served, pace := 0, time.NewTicker(5*time.Millisecond)
		defer pace.Stop()
		for ; !stop.Load(); served++ {
			<-pace.C
			if !assert.Equal(t, 200, before.call(t, old).Status, "a token of a key that is in use") {
				return
			}
		}
		ended <- served
	}()
	defer stop.Store(true)

	// The keys were fetched a moment ago, and the provider went down since.
	const calls = 100
	for range calls {
		require.Equal(t, response{Status: 503, Code: "auth_unavailable"}, after.call(t, fresh), "an outage")
	}
	p.Restart(t, false)
	up := time.Now()
	require.Eventually(t, func() bool {
		got := after.call(t, fresh)
		require.NotEqual(t, 401, got.Status, "a good token must not be thrown away: %v", got)
		return got.Status == 200
	}, 20*time.Second, 50*time.Millisecond)
	recovered := time.Since(up)
	stop.Store(true)
	served := <-ended
	require.Positive(t, served)
	require.Equal(t, 200, after.call(t, old).Status, "the old key is still published")
	t.Logf("%d requests with the old key served; %d with the new key: 503, none 401; 200 %s after the restart; discovery fetched %d times, keys %d times",
		served, calls, recovered.Round(time.Millisecond), requests.To("/.well-known/openid-configuration"), requests.To(p.KeysPath()))
	require.LessOrEqual(t, requests.To("/.well-known/openid-configuration"), 3)
	require.LessOrEqual(t, requests.To(p.KeysPath()), 4)
}
