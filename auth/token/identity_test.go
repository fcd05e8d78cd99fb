package token_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// identified returns the principal of a token after an Identity function.
func identified(t *testing.T, claims object, f func(token.Payload, auth.Identity) (auth.Identity, error)) (*auth.Principal, error) {
	t.Helper()
	v := verifier(t, func(o *token.VerifierOptions) { o.Identity = f })
	return v.Verify(t.Context(), sign(goodHeader().json(), goodClaims().with(claims).json()))
}

// A reader that ignores the case of names would take the token for another kind.
func TestMarksOfOtherTokensCountInEveryCase(t *testing.T) {
	v := verifier(t, func(o *token.VerifierOptions) { o.AllowTypes = []string{"JWT"} })
	for _, row := range []struct {
		claim  string
		reason auth.Reason
	}{
		{claim: "events", reason: token.ReasonEvents}, {claim: "eVents", reason: token.ReasonEvents}, {claim: "EVENTS", reason: token.ReasonEvents},
		{claim: "nonce", reason: token.ReasonIDToken}, {claim: "Nonce", reason: token.ReasonIDToken}, {claim: "At_Hash", reason: token.ReasonIDToken},
		{claim: "C_HASH", reason: token.ReasonIDToken}, {claim: "\u017f_hash", reason: token.ReasonIDToken}, // a long s, which folds to s
	} {
		t.Run(row.claim, func(t *testing.T) {
			_, err := v.Verify(t.Context(), sign(goodHeader().with(object{"typ": "JWT"}).json(), goodClaims().with(object{row.claim: "x"}).json()))
			require.ErrorIs(t, err, auth.ErrInvalid)
			require.Equal(t, row.reason, auth.ReasonOf(err))
		})
	}
}

func TestIdentityCannotWidenAToken(t *testing.T) {
	expires := noon.Add(5 * time.Minute)
	for _, row := range []struct {
		name   string
		change func(*auth.Identity)
		check  func(t *testing.T, p *auth.Principal)
	}{
		{name: "issuer", change: func(id *auth.Identity) { id.Issuer = "https://evil.example" }, check: func(t *testing.T, p *auth.Principal) { require.Equal(t, issuerName, p.Issuer()) }},
		{name: "claims", change: func(id *auth.Identity) { id.Claims = []byte(`{"admin":true}`) }, check: func(t *testing.T, p *auth.Principal) { require.NotContains(t, string(p.Claims()), "admin") }},
		{name: "claims in place", change: func(id *auth.Identity) { clear(id.Claims) }, check: func(t *testing.T, p *auth.Principal) { require.Contains(t, string(p.Claims()), `"sub"`) }},
		{name: "later expiry", change: func(id *auth.Identity) { id.ExpiresAt = expires.Add(time.Hour) }, check: func(t *testing.T, p *auth.Principal) { require.Equal(t, expires.Unix(), p.ExpiresAt().Unix()) }},
		{name: "no expiry", change: func(id *auth.Identity) { id.ExpiresAt = time.Time{} }, check: func(t *testing.T, p *auth.Principal) { require.Equal(t, expires.Unix(), p.ExpiresAt().Unix()) }},
		{name: "earlier expiry", change: func(id *auth.Identity) { id.ExpiresAt = noon.Add(time.Minute) }, check: func(t *testing.T, p *auth.Principal) {
			require.Equal(t, noon.Add(time.Minute).Unix(), p.ExpiresAt().Unix())
		}},
		{name: "login in the future", change: func(id *auth.Identity) { id.AuthTime = noon.Add(time.Second) }, check: func(t *testing.T, p *auth.Principal) {
			require.Equal(t, noon.Add(-time.Hour).Unix(), p.AuthTime().Unix())
		}},
		{name: "scope in place", change: func(id *auth.Identity) { id.Scope = append(id.Scope, "x") }, check: func(t *testing.T, p *auth.Principal) { require.Equal(t, []string{"a", "x"}, p.Scope()) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, err := identified(t, object{"scope": "a", "auth_time": noon.Add(-time.Hour).Unix()}, func(_ token.Payload, id auth.Identity) (auth.Identity, error) {
				row.change(&id)
				return id, nil
			})
			require.NoError(t, err)
			row.check(t, p)
		})
	}
}

func TestEarlierExpiryOfIdentityCounts(t *testing.T) {
	v := verifier(t, func(o *token.VerifierOptions) {
		o.Identity = func(_ token.Payload, id auth.Identity) (auth.Identity, error) {
			id.ExpiresAt = noon.Add(-time.Minute) // more than the leeway
			return id, nil
		}
	})
	_, err := v.Verify(t.Context(), sign(goodHeader().json(), goodClaims().json()))
	require.ErrorIs(t, err, auth.ErrExpired)
}

func TestIdentityDecidesByItsError(t *testing.T) {
	failure := errors.New("tenant is closed")
	for _, row := range []struct {
		name   string
		err    error
		kind   *errors.Kind
		change func(*auth.Identity)
	}{
		{name: "plain error", err: failure, kind: auth.ErrInvalid},
		{name: "revoked", err: auth.ErrRevoked.Wrap(failure), kind: auth.ErrRevoked},
		{name: "denied", err: auth.ErrDenied, kind: auth.ErrDenied},
		{name: "unavailable", err: auth.ErrUnavailable, kind: auth.ErrUnavailable},
		{name: "foreign kind", err: errors.ErrNotFound, kind: auth.ErrInvalid},
		{name: "no subject", change: func(id *auth.Identity) { id.Subject = "" }, kind: auth.ErrInvalid},
		{name: "no type", change: func(id *auth.Identity) { id.CallerType = "" }, kind: auth.ErrInvalid},
		{name: "unknown type", change: func(id *auth.Identity) { id.CallerType = "root" }, kind: auth.ErrInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := identified(t, nil, func(_ token.Payload, id auth.Identity) (auth.Identity, error) {
				if row.change != nil {
					row.change(&id)
				}
				return id, row.err
			})
			kind, _ := errors.AsType[*errors.Kind](err)
			require.Same(t, row.kind, kind)
			if kind == auth.ErrInvalid {
				require.Equal(t, token.ReasonIdentity, auth.ReasonOf(err))
			}
		})
	}
}

func TestRefusedTokensDoNotReachIdentity(t *testing.T) {
	called := false
	for _, claims := range []object{
		{"iss": "https://evil.example"}, {"aud": "stock"}, {"exp": noon.Add(48 * time.Hour).Unix()}, {"cnf": object{"jkt": "x"}}, {"events": object{}},
		{"tid": "other"}, {"iat": nil}, {"exp": "soon"},
	} {
		v := verifier(t, func(o *token.VerifierOptions) {
			o.Require = map[string][]string{"tid": {"mine"}}
			o.Identity = func(_ token.Payload, id auth.Identity) (auth.Identity, error) { called = true; return id, nil }
		})
		_, err := v.Verify(t.Context(), sign(goodHeader().json(), goodClaims().with(object{"tid": "mine"}).with(claims).json()))
		require.ErrorIs(t, err, auth.ErrInvalid)
	}
	require.False(t, called)
}

func TestCachedTokensDoNotCallIdentity(t *testing.T) {
	var calls atomic.Int32
	v := verifier(t, func(o *token.VerifierOptions) {
		o.Identity = func(_ token.Payload, id auth.Identity) (auth.Identity, error) { calls.Add(1); return id, nil }
	})
	text := sign(goodHeader().json(), goodClaims().json())
	_, err := v.Verify(t.Context(), text)
	require.NoError(t, err)
	before := calls.Load()
	var all sync.WaitGroup
	var failed atomic.Int32
	for range 1000 {
		all.Go(func() {
			if _, err := v.Verify(context.Background(), text); err != nil {
				failed.Add(1)
			}
		})
	}
	all.Wait()
	require.Zero(t, failed.Load())
	require.Equal(t, before, calls.Load())
	plain := verifier(t, nil)
	_, _ = plain.Verify(t.Context(), text)
	with := testing.AllocsPerRun(100, func() { _, _ = v.Verify(t.Context(), text) })
	without := testing.AllocsPerRun(100, func() { _, _ = plain.Verify(t.Context(), text) })
	require.Equal(t, without, with, "a cached token costs the same with Identity")
}

func TestPanicInIdentityIsNotCached(t *testing.T) {
	fail := true
	v := verifier(t, func(o *token.VerifierOptions) {
		o.Identity = func(_ token.Payload, id auth.Identity) (auth.Identity, error) {
			if fail {
				panic("a mistake")
			}
			return id, nil
		}
	})
	text := sign(goodHeader().json(), goodClaims().json())
	require.Panics(t, func() { _, _ = v.Verify(t.Context(), text) })
	fail = false
	_, err := v.Verify(t.Context(), text)
	require.NoError(t, err)
}

func TestPayloadReadsNestedMembers(t *testing.T) {
	claims := object{
		"scp": []string{"a", "b"}, "scope": "c d", "groups": []any{1, "x"}, "o": object{"rol": "admin", "deep": object{"list": []string{"y"}}},
		"roles_of": object{"clerk": object{}, "owner": 1}, "on": true, "off": false, "yes": "true", "n": 5, "empty": nil,
	}
	_, err := identified(t, claims, func(p token.Payload, id auth.Identity) (auth.Identity, error) {
		require.Equal(t, []string{"a", "b"}, p.Words("scp"))
		require.Equal(t, []string{"c", "d"}, p.Words("scope"))
		require.Empty(t, p.Words("groups"), "not all are strings")
		require.Empty(t, p.Words("n"))
		require.Equal(t, []string{"y"}, p.Words("o", "deep", "list"))
		require.Equal(t, "admin", p.Text("o", "rol"))
		require.Empty(t, p.Text("o", "rol", "x"))
		require.Empty(t, p.Text("o"))
		require.Empty(t, p.Text())
		require.Empty(t, p.Text("n"))
		require.ElementsMatch(t, []string{"clerk", "owner"}, p.Names("roles_of"))
		require.Empty(t, p.Names("scp"))
		require.True(t, p.Has("o", "deep"))
		require.False(t, p.Has("o", "missing"))
		require.False(t, p.Has("O"))
		require.True(t, p.Flag("on"))
		require.True(t, p.Flag("yes"))
		require.False(t, p.Flag("off"))
		require.False(t, p.Flag("n"))
		var own struct{ N int }
		require.NoError(t, p.Decode(&own))
		require.Equal(t, 5, own.N)
		return id, nil
	})
	require.NoError(t, err)
}

func TestVerifierOptionsOfProvidersAreChecked(t *testing.T) {
	identity := func(_ token.Payload, id auth.Identity) (auth.Identity, error) { return id, nil }
	template := "https://login.example/{tid}/v2.0"
	for _, row := range []struct {
		name    string
		change  func(*token.VerifierOptions)
		problem string
	}{
		{name: "no aud without a client", change: func(o *token.VerifierOptions) { o.Audience, o.InsecureNoAudience = nil, true }, problem: "token: InsecureNoAudience: needs a Require of client_id, azp, cid, appid, drn or role"},
		{name: "no aud", change: func(o *token.VerifierOptions) { o.Audience = nil }, problem: "did you mean InsecureNoAudience, with a Require of the client"},
		{name: "empty texts", change: func(o *token.VerifierOptions) { o.Require = map[string][]string{"azp": {}} }, problem: `token: Require["azp"]: must not be empty`},
		{name: "empty text", change: func(o *token.VerifierOptions) { o.Require = map[string][]string{"azp": {""}} }, problem: `token: Require["azp"]: must not be empty`},
		{name: "no claim", change: func(o *token.VerifierOptions) { o.Require = map[string][]string{"": {"x"}} }, problem: `token: Require[""]: must name a claim`},
		{name: "aud required", change: func(o *token.VerifierOptions) { o.Require = map[string][]string{"aud": {"x"}} }, problem: `did you mean Issuer or Audience?`},
		{name: "template without tenants", change: func(o *token.VerifierOptions) { o.Issuer = template }, problem: "token: Tenants: must not be empty: every tenant of the issuer could call"},
		{name: "tenants without template", change: func(o *token.VerifierOptions) { o.Tenants = []string{"a"} }, problem: "token: Tenants: has no effect"},
		{name: "any tenant without template", change: func(o *token.VerifierOptions) { o.InsecureAnyTenant = true }, problem: "token: Tenants: has no effect"},
		{name: "tenants and any", change: func(o *token.VerifierOptions) {
			o.Issuer, o.Tenants, o.InsecureAnyTenant = template, []string{"a"}, true
		}, problem: "token: InsecureAnyTenant: contradicts Tenants"},
		{name: "tenant with a slash", change: func(o *token.VerifierOptions) { o.Issuer, o.Tenants = template, []string{"a/b"} }, problem: `token: Tenants[0] "a/b": must have`},
		{name: "two claims", change: func(o *token.VerifierOptions) { o.Issuer = "https://{a}/{b}" }, problem: "must have at most one claim in braces"},
		{name: "no claim in braces", change: func(o *token.VerifierOptions) { o.Issuer = "https://x/{}" }, problem: "must have at most one claim in braces"},
		{name: "open brace", change: func(o *token.VerifierOptions) { o.Issuer = "https://x/{tid" }, problem: "must have at most one claim in braces"},
		{name: "iss in braces", change: func(o *token.VerifierOptions) { o.Issuer, o.Tenants = "https://x/{iss}", []string{"a"} }, problem: "must not take the claim iss"},
		{name: "day and more", change: func(o *token.VerifierOptions) { o.MaxAge = 48 * time.Hour }, problem: "did you mean InsecureMaxAge?"},
		{name: "two ages", change: func(o *token.VerifierOptions) { o.MaxAge, o.InsecureMaxAge = time.Hour, 48*time.Hour }, problem: "token: InsecureMaxAge: contradicts MaxAge"},
		{name: "negative age", change: func(o *token.VerifierOptions) { o.InsecureMaxAge = -1 }, problem: "token: InsecureMaxAge -1ns: must be positive"},
		{name: "type and identity", change: func(o *token.VerifierOptions) { o.CallerType, o.Identity = auth.Person, identity }, problem: "token: CallerType: contradicts Identity"},
		{name: "empty type", change: func(o *token.VerifierOptions) { o.AllowTypes = []string{""} }, problem: "or InsecureNoType for tokens without a typ?"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := token.VerifierOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}}
			row.change(&o)
			_, err := token.NewVerifier(o)
			require.ErrorContains(t, err, row.problem)
		})
	}
}

// TestRefusalsOfGenuineTokensSayWhatWasExpected holds that the log names the token's
// value and the expected one, and that the client sees neither.
func TestRefusalsOfGenuineTokensSayWhatWasExpected(t *testing.T) {
	for _, row := range []struct {
		name   string
		claims object
		header object
		parts  []string
	}{
		{name: "slash", claims: object{"iss": issuerName + "/"}, parts: []string{"actual=" + issuerName + "/", "expected=" + issuerName, "trailing slash"}},
		{name: "scheme", claims: object{"iss": "http" + issuerName[len("https"):]}, parts: []string{"scheme"}},
		{name: "audience", claims: object{"aud": []string{"account"}}, parts: []string{"actual=account", "expected=" + audience}},
		{name: "lifetime", claims: object{"exp": noon.Add(2 * time.Hour).Unix()}, parts: []string{"actual=2h0m0s", "at most 1h0m0s"}},
		{name: "type", header: object{"typ": "JWT"}, parts: []string{"option=AllowTypes"}},
		{name: "no type", header: object{"typ": nil}, parts: []string{"option=InsecureNoType"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := verifier(t, nil).Verify(t.Context(), sign(goodHeader().with(row.header).json(), goodClaims().with(row.claims).json()))
			var log strings.Builder
			failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}))
			w := httptest.NewRecorder()
			failures.Handler(errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return err })).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			for _, part := range row.parts {
				require.Contains(t, log.String(), part)
			}
			require.NotContains(t, w.Body.String(), "example")
			require.NotContains(t, w.Body.String(), "option")
		})
	}
}
