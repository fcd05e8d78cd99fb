package token_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// A declaration that no token can match is refused.
func TestDeclarationsThatMatchNothing_FT5(t *testing.T) {
	public := errors.Must(token.NewKeys(errors.Must(token.NewPublicKey("k", token.EdDSA, material().ed.Public()))))
	for name, row := range map[string]struct {
		change func(*token.VerifierOptions)
		want   string
	}{
		"FT5 an empty type":                  {change: func(o *token.VerifierOptions) { o.AllowTypes = []string{"JWT", ""} }, want: `token: AllowTypes[1]: must not be empty; did you mean "JWT", or InsecureNoType for tokens without a typ?`},
		"FT5 a type that is only the prefix": {change: func(o *token.VerifierOptions) { o.AllowTypes = []string{"Application/"} }, want: `token: AllowTypes[0]: must not be empty; did you mean "JWT", or InsecureNoType for tokens without a typ?`},
		"FT5 the prefix as the type":         {change: func(o *token.VerifierOptions) { o.Type = "application/" }, want: `token: Type: must not be empty; did you mean "at+jwt", or InsecureNoType for tokens without a typ?`},
		"FT5 a list in one string":           {change: func(o *token.VerifierOptions) { o.AllowTypes = []string{"JWT, at+jwt"} }, want: `token: AllowTypes[0] "JWT, at+jwt": is not a media type (RFC 7515, section 4.1.9); did you mean one type for each entry?`},
		"FT5 a type with a blank":            {change: func(o *token.VerifierOptions) { o.Type = "at+jwt " }, want: `token: Type "at+jwt ": is not a media type (RFC 7515, section 4.1.9); did you mean "at+jwt"?`},
		"FT5 a type with parameters":         {change: func(o *token.VerifierOptions) { o.AllowTypes = []string{"at+jwt;v=1"} }, want: `token: AllowTypes[0] "at+jwt;v=1": is not a media type (RFC 7515, section 4.1.9); did you mean one type for each entry?`},
		"FT5 a type of two slashes":          {change: func(o *token.VerifierOptions) { o.AllowTypes = []string{"application/a/b"} }, want: `token: AllowTypes[0] "application/a/b": is not a media type (RFC 7515, section 4.1.9); did you mean one type for each entry?`},
		"FT5 an age without a unit":          {change: func(o *token.VerifierOptions) { o.MaxAge = 3600 }, want: "token: MaxAge 3.6µs: is below a second; did you mean 1h0m0s?"},
		"FT5 a leeway without a unit":        {change: func(o *token.VerifierOptions) { o.Leeway = 30 }, want: "token: Leeway 30ns: is below a millisecond; did you mean 30s?"},
		"FT5 a size in KiB":                  {change: func(o *token.VerifierOptions) { o.MaxSize = 8 }, want: "token: MaxSize 8: is below 256 bytes, so no token fits; did you mean 8192?"},
		"FT5 an issuer with a line break":    {change: func(o *token.VerifierOptions) { o.Issuer = issuerName + "\n" }, want: `token: Issuer "https://api.example.com\n": has blanks or control characters at an end; did you mean "https://api.example.com"?`},
		"FT5 an audience with a blank":       {change: func(o *token.VerifierOptions) { o.Audience = []string{audience, " api"} }, want: `token: Audience[1] " api": has blanks or control characters at an end; did you mean "api"?`},
	} {
		t.Run(name, func(t *testing.T) {
			o := token.VerifierOptions{Keys: public, Issuer: issuerName, Audience: []string{audience}}
			row.change(&o)
			_, err := token.NewVerifier(o)
			require.EqualError(t, err, row.want)
		})
	}
	for name, row := range map[string]struct {
		change func(*token.IssuerOptions)
		want   string
	}{
		"FT5 keys that only verify":           {change: func(o *token.IssuerOptions) { o.Keys = public }, want: "token: Keys: contain no key that signs; did you mean NewKey instead of NewPublicKey?"},
		"FT5 an issuer with a blank":          {change: func(o *token.IssuerOptions) { o.Issuer += " " }, want: `token: Issuer "https://api.example.com ": has blanks or control characters at an end; did you mean "https://api.example.com"?`},
		"FT5 an audience with a tab":          {change: func(o *token.IssuerOptions) { o.Audience = []string{"\tapi"} }, want: `token: Audience[0] "\tapi": has blanks or control characters at an end; did you mean "api"?`},
		"FT5 a claim that is not sensitive":   {change: func(o *token.IssuerOptions) { o.InsecureClaims = []string{"pin", "plan"} }, want: `token: InsecureClaims[1] "plan": is not a sensitive name, so it is issued anyway; did you mistype it?`},
		"FT5 a registered claim":              {change: func(o *token.IssuerOptions) { o.InsecureClaims = []string{"sub"} }, want: `token: InsecureClaims[0] "sub": is the issuer's own claim, and never issued from a Grant's Claims`},
		"FT5 an empty claim":                  {change: func(o *token.IssuerOptions) { o.InsecureClaims = []string{""} }, want: `token: InsecureClaims[0] "": is not a sensitive name, so it is issued anyway; did you mistype it?`},
		"FT5 a claim that is sensitive as is": {change: func(o *token.IssuerOptions) { o.InsecureClaims = []string{"urn:x:pwd", "API-Key"} }},
	} {
		t.Run(name, func(t *testing.T) {
			o := token.IssuerOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}}
			row.change(&o)
			_, err := token.NewIssuer(o)
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, row.want)
		})
	}
}

// A duration without a unit is nanoseconds.
func TestRemoteDurationsHaveUnits_FT5(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*token.RemoteOptions)
		want   string
	}{
		"FT5 a refresh without a unit":  {change: func(o *token.RemoteOptions) { o.Refresh = 300 }, want: "token: Refresh 300ns: must be between 1m and MaxStale; did you mean 5m0s?"},
		"FT5 a MaxStale without a unit": {change: func(o *token.RemoteOptions) { o.MaxStale = 3600 }, want: "token: MaxStale 3.6µs: must be between 1m and 24h; did you mean 1h0m0s?"},
		"FT5 a refresh above MaxStale":  {change: func(o *token.RemoteOptions) { o.Refresh, o.MaxStale = time.Hour, time.Minute }, want: "token: Refresh 1h0m0s: must be between 1m and MaxStale"},
		"FT5 a nil transport":           {change: func(o *token.RemoteOptions) { o.Client = &http.Client{Transport: (*http.Transport)(nil)} }, want: "token: Client: its Transport must not be a nil *http.Transport; did you mean no Transport?"},
	} {
		t.Run(name, func(t *testing.T) {
			o := token.RemoteOptions{URL: "https://issuer.example/keys"}
			row.change(&o)
			_, err := token.NewRemote(o)
			require.EqualError(t, err, row.want)
		})
	}
}

// A Client without a Transport uses http.DefaultTransport.
func TestClientNeedsNoTransport(t *testing.T) {
	client := &http.Client{Timeout: time.Second}
	_, err := token.NewRemote(token.RemoteOptions{URL: "https://issuer.example/keys", Client: client})
	require.NoError(t, err)
	_, err = token.NewIntrospector(token.IntrospectorOptions{
		URL: "https://issuer.example/introspect", ClientID: "orders", Secret: []byte("secret"), Audience: []string{audience}, Client: client,
	})
	require.NoError(t, err)
}

// Types that tokens have are taken in every spelling.
func TestTypesMatchInEverySpelling_FT5(t *testing.T) {
	for _, typ := range []string{"JWT", "jwt", "application/JWT", "secevent+jwt", "application/vnd.example.a-b_c+jwt"} {
		v := verifier(t, func(o *token.VerifierOptions) { o.AllowTypes = []string{typ} })
		_, err := v.Verify(t.Context(), sign(goodHeader().with(object{"typ": typ}).json(), goodClaims().json()))
		require.NoError(t, err, typ)
	}
}

// A typed nil is found when the service starts.
func TestTypedNilsAreReported_FT9(t *testing.T) {
	var v *token.Verifier
	_, err := auth.New(auth.Options{Authenticators: []auth.Authenticator{v}})
	require.EqualError(t, err, "auth: Authenticators[0]: must not be a nil *token.Verifier; did you drop the constructor's error?")
	_, err = auth.New(auth.Options{Authenticators: []auth.Authenticator{verifier(t, nil), verifier(t, nil)}})
	require.EqualError(t, err, "auth: Authenticators[1]: takes Bearer as Authenticators[0] does, so both would claim each token; did you mean token.ByIssuer?")
	for name, keys := range map[string]token.KeySource{"nil": nil, "nil *Keys": (*token.Keys)(nil), "nil *Remote": (*token.Remote)(nil), "zero Keys": new(token.Keys), "zero Remote": new(token.Remote)} {
		_, err = token.NewVerifier(token.VerifierOptions{Keys: keys, Issuer: issuerName, Audience: []string{audience}})
		require.EqualError(t, err, "token: Keys: must not be nil or zero; did you mean NewKeys or NewRemote?", name)
	}
	for name, i := range map[string]*token.Issuer{"nil": nil, "zero": {}} {
		_, _, err = i.Issue(t.Context(), token.Grant{Subject: "ada"})
		require.ErrorIs(t, err, auth.ErrUnavailable, name)
	}
}
