package token_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

func issuer(t testing.TB, change func(*token.IssuerOptions)) *token.Issuer {
	t.Helper()
	o := token.IssuerOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}}
	if change != nil {
		change(&o)
	}
	i, err := token.NewIssuer(o)
	require.NoError(t, err)
	token.SetClock(clock, i)
	return i
}

func TestEveryAlgorithmSignsAndVerifies(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: signs and changes tokens of 13 algorithms")
	}
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			i := issuer(t, func(o *token.IssuerOptions) { o.Keys = errors.Must(token.NewKeys(key(alg, token.Schedule{}))) })
			for range 20 { // an ECDSA number is shorter than its place once in 256
				text, expires, err := i.Issue(t.Context(), token.Grant{
					Subject: "ada", SessionID: "s1", ClientID: "web", Scope: []string{"orders:read", "orders:write"}, Roles: []string{"admin"},
					AuthTime: noon.Add(-time.Minute), Claims: map[string]any{"plan": "gold"},
				})
				require.NoError(t, err)
				require.Equal(t, noon.Add(5*time.Minute), expires)
				p, err := verifier(t, nil).Verify(t.Context(), text)
				require.NoError(t, err)
				require.Equal(t, "person ada", p.String())
				require.Equal(t, []string{issuerName, "s1"}, []string{p.Issuer(), p.SessionID()})
				require.Equal(t, []string{"orders:read", "orders:write"}, p.Scope())
				require.Equal(t, []string{"admin"}, p.Roles())
				require.True(t, p.ExpiresAt().Equal(expires) && p.AuthTime().Equal(noon.Add(-time.Minute)))
				require.Len(t, p.CredentialID(), 26)
				claims, err := auth.Claims[struct {
					Plan string `json:"plan"`
				}](auth.NewContext(t.Context(), p))
				require.NoError(t, err)
				require.Equal(t, "gold", claims.Plan)
			}
		})
	}
}

// Everything that a token shows is here, so that a new member is noticed.
func TestPayloadHasOnlyKnownMembers(t *testing.T) {
	text, _, err := issuer(t, nil).Issue(t.Context(), token.Grant{Subject: "ada"})
	require.NoError(t, err)
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(raw, &members))
	delete(members, "jti")
	require.Equal(t, map[string]any{
		"iss": issuerName, "sub": "ada", "aud": []any{audience}, "iat": float64(noon.Unix()), "exp": float64(noon.Unix() + 300),
	}, members)
	require.JSONEq(t, `{"alg":"EdDSA","kid":"EdDSA","typ":"at+jwt"}`, header(t, text))
}

func TestForSessionIssuesATokenOfTheSession(t *testing.T) {
	text, _, err := issuer(t, nil).ForSession(t.Context(), session.Session{ID: "s1", Subject: "ada", Scope: []string{"read"}, Roles: []string{"admin"}, AuthTime: noon})
	require.NoError(t, err)
	p, err := verifier(t, nil).Verify(t.Context(), text)
	require.NoError(t, err)
	require.Equal(t, []string{"ada", "s1"}, []string{p.Subject(), p.SessionID()})
	require.True(t, p.HasScope("read") && p.HasRole("admin") && p.AuthTime().Equal(noon))
}

// TestTokenDoesNotOutliveItsSession checks that no token outlives its session, because RevokeAll
// does not find an ended session.
func TestTokenDoesNotOutliveItsSession(t *testing.T) {
	for _, row := range []struct {
		name string
		left time.Duration // remaining time of the session; 0 means unknown
		want time.Duration // of the token; 0: none
	}{
		{name: "long", left: time.Hour, want: 5 * time.Minute},
		{name: "as long as a token", left: 5 * time.Minute, want: 5 * time.Minute},
		{name: "shorter", left: 90 * time.Second, want: 90 * time.Second},
		{name: "a part of a second", left: 90*time.Second + 999*time.Millisecond, want: 90 * time.Second},
		{name: "less than a second", left: 999 * time.Millisecond, want: 0},
		{name: "over", left: -time.Second, want: 0},
		{name: "unknown", left: 0, want: 5 * time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := session.Session{ID: "s1", Subject: "ada"}
			if row.left != 0 {
				s.Expires = noon.Add(row.left)
			}
			text, expires, err := issuer(t, nil).ForSession(t.Context(), s)
			if row.want == 0 {
				require.Error(t, err)
				require.Empty(t, text)
				return
			}
			require.NoError(t, err)
			require.True(t, expires.Equal(noon.Add(row.want)), expires)
			raw, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
			require.NoError(t, err)
			var claims struct{ Exp int64 }
			require.NoError(t, json.Unmarshal(raw, &claims))
			require.Equal(t, expires.Unix(), claims.Exp)
		})
	}
}

type card struct {
	CardNumber string `json:"card_number"`
}

func TestInvalidGrantsAreRefused(t *testing.T) {
	deep := map[string]any{"a": []any{map[string]any{"API-Key": "x"}}}
	for _, row := range []struct {
		name  string
		grant token.Grant
		want  string
	}{
		{name: "no subject", grant: token.Grant{}, want: "Subject must have 1 to 256 bytes"},
		{name: "TJ23 a subject that JSON would spell as another's", grant: token.Grant{Subject: "ada\xff"}, want: "Subject is not UTF-8"},
		{name: "TJ23 a session that JSON would spell as another", grant: token.Grant{Subject: "a", SessionID: "s\xff"}, want: "SessionID is not UTF-8"},
		{name: "TJ23 a client that JSON would spell as another", grant: token.Grant{Subject: "a", ClientID: "c\xff"}, want: "ClientID is not UTF-8"},
		{name: "TJ23 a role that JSON would spell as another", grant: token.Grant{Subject: "a", Roles: []string{"b", "r\xff"}}, want: "a role is not UTF-8"},
		{name: "a session that nobody could revoke", grant: token.Grant{Subject: "a", SessionID: strings.Repeat("s", 257)}, want: "SessionID has more than 256 bytes"},
		{name: "a scope that is two", grant: token.Grant{Subject: "a", Scope: []string{"read write"}}, want: `Scope "read write": is not a scope-token of RFC 6749`},
		{name: "an empty scope", grant: token.Grant{Subject: "a", Scope: []string{""}}, want: `Scope "": is not a scope-token of RFC 6749`},
		{name: "TJ23 an own sub", grant: token.Grant{Subject: "a", Claims: map[string]any{"sub": "root"}}, want: `"sub" is the issuer's own claim`},
		{name: "TJ23 an own exp", grant: token.Grant{Subject: "a", Claims: map[string]any{"exp": 1}}, want: `"exp" is the issuer's own claim`},
		{name: "TJ23 an own role in another case", grant: token.Grant{Subject: "a", Claims: map[string]any{"Roles": 1}}, want: `"Roles" is the issuer's own claim`},
		{name: "a password", grant: token.Grant{Subject: "a", Claims: map[string]any{"Password": "x"}}, want: `"Password" must not be in a payload`},
		{name: "a card", grant: token.Grant{Subject: "a", Claims: card{"4111"}}, want: `"card_number" must not be in a payload`},
		{name: "a key, deep inside", grant: token.Grant{Subject: "a", Claims: deep}, want: `"API-Key" must not be in a payload`},
		{
			name:  "a password in a name space",
			grant: token.Grant{Subject: "a", Claims: map[string]any{"https://acme.example/claims/Password": "x"}},
			want:  `"https://acme.example/claims/Password" must not be in a payload`,
		},
		{
			name:  "a number in a name space",
			grant: token.Grant{Subject: "a", Claims: map[string]any{"a": map[string]any{"urn:acme:tax_id": "x"}}},
			want:  `"urn:acme:tax_id" must not be in a payload`,
		},
		{name: "a password in an old script", grant: token.Grant{Subject: "a", Claims: map[string]any{"paſſword": "x"}}, want: `"paſſword" must not be in a payload`},
		{name: "an array", grant: token.Grant{Subject: "a", Claims: []int{1}}, want: "Claims is not a struct or map of distinct names"},
		{
			name:  "names that differ in case",
			grant: token.Grant{Subject: "a", Claims: map[string]any{"Plan": 1, "plan": 2}},
			want:  "Claims is not a struct or map of distinct names",
		},
		{name: "what JSON has not", grant: token.Grant{Subject: "a", Claims: func() {}}, want: "encode claims: "},
		{name: "5 KiB", grant: token.Grant{Subject: "a", Claims: map[string]string{"x": strings.Repeat("x", 5<<10)}}, want: "the maximum is 5120"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := issuer(t, nil).Issue(t.Context(), row.grant)
			require.ErrorContains(t, err, row.want)
		})
	}
	t.Run("TJ23 a name that would end the string", func(t *testing.T) {
		text, _, err := issuer(t, nil).Issue(t.Context(), token.Grant{Subject: "a", Claims: map[string]any{`x":0,"sub`: "root"}})
		require.NoError(t, err)
		p, err := verifier(t, nil).Verify(t.Context(), text)
		require.NoError(t, err)
		require.Equal(t, "a", p.Subject())
	})
	t.Run("a harmless pin, said to be so; and words that only contain one", func(t *testing.T) {
		i := issuer(t, func(o *token.IssuerOptions) { o.InsecureClaims = []string{"pin", "urn:x:pwd"} })
		_, _, err := i.Issue(t.Context(), token.Grant{Subject: "a", Claims: map[string]any{"PIN": 1, "urn:x:pin": 1, "urn:x:pwd": 1, "pin/code": 1, "cardinality": 2, "pins": 3, "v": "password"}})
		require.NoError(t, err)
	})
	t.Run("no key that signs", func(t *testing.T) {
		public := errors.Must(token.NewPublicKey("p", token.EdDSA, material().ed.Public()))
		k := keys(t)
		i := issuer(t, func(o *token.IssuerOptions) { o.Keys = k })
		require.NoError(t, k.Replace(public))
		_, _, err := i.Issue(t.Context(), token.Grant{Subject: "a"})
		require.ErrorIs(t, err, auth.ErrUnavailable)
	})
}

func TestConstructorsReportAllProblems(t *testing.T) {
	_, err := token.NewIssuer(token.IssuerOptions{TTL: 2 * time.Hour})
	require.EqualError(t, err, "token: Keys: must not be nil or zero; did you mean NewKeys?\ntoken: Issuer: must not be empty; did you mean \"https://api.example.com\"?\n"+
		"token: Audience: must have 1 to 100 entries, none of them empty\ntoken: TTL 2h0m0s: must be whole seconds, at most 1h; for a longer login, use package session")
	_, err = token.NewVerifier(token.VerifierOptions{Audience: []string{""}, Leeway: 2 * time.Minute, MaxAge: -1, MaxSize: 1 << 20})
	require.EqualError(t, err, "token: Keys: must not be nil or zero; did you mean NewKeys or NewRemote?\ntoken: Issuer: must not be empty: the tokens of every issuer would pass\n"+
		"token: Audience: must not have an empty entry: tokens for other services would pass\ntoken: Leeway 2m0s: must be between 0 and 1m\n"+
		"token: MaxAge -1ns: must be between 0 and 24h\ntoken: MaxSize 1048576: must be between 0 and 65536")
}
