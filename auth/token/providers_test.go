package token_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

type providerCase struct {
	Name      string
	Header    map[string]any // nil means that Token is sent as it is
	Token     string
	Claims    map[string]any
	Times     map[string]int64
	Verdict   string
	Reason    auth.Reason
	Claim     string // of the reason require
	KeyIssuer string `json:"key_issuer"`
	Identity  struct {
		CallerType   auth.CallerType `json:"caller_type"`
		Subject      string
		SessionID    string `json:"session_id"`
		CredentialID string `json:"credential_id"`
		Scope, Roles []string
	}
}

type provider struct {
	Provider string
	Recipe   struct {
		Issuer                   string
		Audience, Types, Tenants []string
		Require                  map[string][]string
		Hook                     string
		MaxAge                   int64 `json:"max_age"`
		NoType                   bool  `json:"no_type"`
		NoKid                    bool  `json:"no_kid"`
		NoAudience               bool  `json:"no_audience"`
		IDTokens                 bool  `json:"id_tokens"`
	}
	Cases []providerCase
}

var recipes = map[string]func(token.Payload, auth.Identity) (auth.Identity, error){
	"auth0": identifyAuth0, "entra": identifyEntra, "okta": identifyOkta, "cognito": identifyCognito, "keycloak": identifyKeycloak,
	"google": identifyGoogle, "firebase": identifyPerson, "user": identifyPerson, "supabase": identifySupabase, "clerk": identifyClerk,
	"machine": identifyWorkload, "zitadel": identifyZITADEL, "dex": identifyDex, "hydra": identifyHydra, "duende": identifyDuende,
	"spring": identifySpring, "adfs": identifyADFS, "ping": token.RFC9068, "rfc9068": token.RFC9068, "authentik": identifyDex,
	"workos": identifyWorkOS, "descope": identifyDescope, "stytch": identifyStytch,
}

// TestProviderTokensAreDecided plays tokens as 27 identity providers send them through the real
// constructors, with the keys on a real server.
func TestProviderTokensAreDecided(t *testing.T) {
	var file struct{ Providers []provider }
	require.NoError(t, json.Unmarshal(errors.Must(os.ReadFile("testdata/providers.json")), &file))
	require.Len(t, file.Providers, 27)
	cases := 0
	for _, p := range file.Providers {
		for _, c := range p.Cases {
			cases++
			t.Run(p.Provider+"/"+c.Name, func(t *testing.T) { playCase(t, p, c) })
		}
	}
	require.Equal(t, 134, cases)
}

func playCase(t *testing.T, p provider, c providerCase) {
	alg, kid := token.RS256, "unused"
	if c.Header != nil {
		alg = token.Alg(c.Header["alg"].(string))
		kid, _ = c.Header["kid"].(string)
	}
	v := verifierOf(t, p, publishKey(t, alg, kid, c))
	got, err := v.Verify(t.Context(), signCase(t, alg, c))
	if c.Verdict != "accept" {
		require.ErrorIs(t, err, auth.ErrInvalid)
		require.Equal(t, c.Reason, auth.ReasonOf(err), "%v", err)
		require.Contains(t, err.Error(), c.Claim)
		return
	}
	require.NoError(t, err)
	want := c.Identity
	require.Equal(t, want.CallerType, got.CallerType())
	require.Equal(t, want.Subject, got.Subject())
	require.Equal(t, want.SessionID, got.SessionID())
	require.Equal(t, want.CredentialID, got.CredentialID())
	require.ElementsMatch(t, want.Scope, got.Scope())
	require.ElementsMatch(t, want.Roles, got.Roles())
}

func verifierOf(t *testing.T, p provider, keys token.KeySource) *token.Verifier {
	t.Helper()
	identify, ok := recipes[p.Recipe.Hook]
	require.True(t, ok, p.Recipe.Hook)
	v, err := token.NewVerifier(token.VerifierOptions{
		Keys: keys, Issuer: p.Recipe.Issuer, Tenants: p.Recipe.Tenants, Audience: p.Recipe.Audience, AllowTypes: p.Recipe.Types,
		Require: p.Recipe.Require, MaxAge: time.Duration(p.Recipe.MaxAge) * time.Second, Identity: identify,
		InsecureNoType: p.Recipe.NoType, InsecureNoKid: p.Recipe.NoKid, InsecureNoAudience: p.Recipe.NoAudience, InsecureIDTokens: p.Recipe.IDTokens,
	})
	require.NoError(t, err)
	return v
}

// privateKeyOf returns the private key of the tests for an algorithm.
func privateKeyOf(alg token.Alg) crypto.Signer {
	if alg == token.Ed25519 {
		alg = token.EdDSA
	}
	return signer(alg)
}

// publishedSets has the key set of each algorithm, because the check of an RSA key takes
// 20 ms.
var publishedSets sync.Map

// publishedSet returns a key set with the public key of an algorithm.
func publishedSet(alg token.Alg) []byte {
	if set, found := publishedSets.Load(alg); found {
		return set.([]byte)
	}
	public := errors.Must(token.NewPublicKey("k", alg, privateKeyOf(alg).Public()))
	recorder := httptest.NewRecorder()
	errors.Must(token.NewKeys(public)).JWKS().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	publishedSets.Store(alg, recorder.Body.Bytes())
	return recorder.Body.Bytes()
}

// publishKey returns the keys of a server that publishes the key of one case.
func publishKey(t *testing.T, alg token.Alg, kid string, c providerCase) *token.Remote {
	t.Helper()
	var set map[string][]map[string]any
	require.NoError(t, json.Unmarshal(publishedSet(alg), &set))
	published := set["keys"][0]
	published["kid"] = kid
	if c.KeyIssuer != "" {
		published["issuer"] = c.KeyIssuer
		delete(published, "alg") // Entra publishes none
	}
	if x5t, ok := c.Header["x5t"]; ok {
		published["x5t"], published["kid"] = x5t, x5t
		if kid != "" {
			published["kid"] = kid
		}
	}
	body := errors.Must(json.Marshal(set))
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	t.Cleanup(server.Close)
	return errors.Must(token.NewRemote(token.RemoteOptions{URL: server.URL, Client: server.Client()}))
}

// signCase returns the token of a case.
func signCase(t *testing.T, alg token.Alg, c providerCase) string {
	t.Helper()
	if c.Header == nil {
		return c.Token
	}
	claims := maps.Clone(c.Claims)
	now := time.Now().Unix()
	for name, offset := range c.Times {
		claims[name] = now + offset
	}
	encode := base64.RawURLEncoding.EncodeToString
	input := encode(errors.Must(json.Marshal(c.Header))) + "." + encode(errors.Must(json.Marshal(claims)))
	method := jwt.GetSigningMethod(string(alg))
	if alg == token.Ed25519 {
		method = jwt.SigningMethodEdDSA
	}
	signature := errors.Must(method.Sign(input, privateKeyOf(alg)))
	if c.Reason == token.ReasonSignature {
		signature = errors.Must(method.Sign(input+"hashed", privateKeyOf(alg))) // Graph signs another header
	}
	return input + "." + encode(signature)
}
