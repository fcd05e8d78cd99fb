package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
)

// payloadRules is an independent statement of the rules for a token of the tenant t1:
// it decodes the payload with encoding/json.
func payloadRules(t *testing.T, payload string) (subject string, ok bool) {
	t.Helper()
	var c struct {
		Iss, Sub, Tid      string
		Aud, Azp           any
		Iat, Exp           float64
		Cnf, Events, Nonce json.RawMessage
	}
	if err := json.Unmarshal([]byte(payload), &c); err != nil {
		return "", false
	}
	has := func(v any, name string) bool {
		list, isList := v.([]any)
		return v == name || isList && slices.Contains(list, any(name))
	}
	return c.Sub, c.Tid == "t1" && c.Iss == "https://login.example/t1/v2.0" && has(c.Aud, audience) && has(c.Azp, "web") &&
		c.Exp-c.Iat <= 3600 && c.Cnf == nil && c.Events == nil && c.Nonce == nil
}

// TestMutatedPayloadsKeepTheRulesOfProviders checks that no mutated payload under a
// good signature makes a principal that the rules forbid, with all options for
// providers set, and an Identity function.
func TestMutatedPayloadsKeepTheRulesOfProviders(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	m := mutator{rand.New(rand.NewPCG(seed, 2)), []string{
		"", `"`, `,`, `:`, `{`, `}`, `[`, `]`, `\u0061`, `null`, `true`, `0`, `1e9`, `"sub":"root",`, `"tid":"t2",`, `,"tid":"t1"`, `"azp":["web"],`, `"aud":[],`, `"AUD":"api",`,
		`"nonce":"n",`, `"events":{},`, `"cnf":{"jkt":"x"},`, `"iss":"https://login.example/t2/v2.0",`, `/`, `t2`, `web`, `scope`, `roles`, `"scope":["a"],`, `"auth_time":"x",`,
	}}
	v := verifier(t, func(o *token.VerifierOptions) {
		o.Issuer, o.Tenants = "https://login.example/{tid}/v2.0", []string{"t1"}
		o.Require, o.AllowTypes, o.InsecureNoType = map[string][]string{"azp": {"web"}}, []string{"JWT"}, true
		o.Identity = func(p token.Payload, id auth.Identity) (auth.Identity, error) {
			id.Roles = p.Words("roles")
			return id, nil
		}
	})
	body := goodClaims().with(object{"iss": "https://login.example/t1/v2.0", "tid": "t1", "azp": "web", "scope": "a b", "roles": []string{"r"}}).json()
	key := hmac.New(sha256.New, material().secret)
	head := b64(`{"alg":"HS256","kid":"HS256"}`)
	count, accepted := 3*mutations, 0
	if testing.Short() {
		count /= 10
	}
	for range count {
		payload := m.change(body)
		key.Reset()
		_, _ = key.Write([]byte(head + "." + b64(payload)))
		p, err := v.Verify(t.Context(), head+"."+b64(payload)+"."+base64.RawURLEncoding.EncodeToString(key.Sum(nil)))
		if err != nil {
			continue
		}
		accepted++
		subject, ok := payloadRules(t, payload)
		require.True(t, ok, payload)
		require.Equal(t, subject, p.Subject(), payload)
		require.Equal(t, "https://login.example/t1/v2.0", p.Issuer())
	}
	t.Logf("%d payloads, %d accepted", count, accepted)
	require.Greater(t, accepted, count/200)
}
