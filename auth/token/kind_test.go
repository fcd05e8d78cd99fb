package token_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// kindServer has a route for each kind of caller, and one for all of them.
func kindServer(t *testing.T, v *token.Verifier) *httptest.Server {
	t.Helper()
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{v}}))
	mux := http.NewServeMux()
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := auth.From(r.Context())
		_, _ = io.WriteString(w, string(p.CallerType()))
	})
	mux.Handle("/user", auth.Require(auth.CallerTypes(auth.Person))(ok))
	mux.Handle("/service", auth.Require(auth.CallerTypes(auth.Program))(ok))
	mux.Handle("/any", auth.Require()(ok))
	srv := httptest.NewServer(failures.Handler(callers.Handler(mux)))
	t.Cleanup(srv.Close)
	return srv
}

func bearerGet(t *testing.T, url, text string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+text)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode, string(b)
}

// Tokens of programs as other issuers document them, and one of a person that
// looks like them.
var foreignTokens = map[string]object{
	"client credentials of Auth0":            {"sub": "abc@clients", "azp": "abc", "gty": "client-credentials"},
	"client credentials of Entra":            {"sub": "2f3c8b1e-2d5f-4a6b-9d3e-0c1d2e3f4a5b", "idtyp": "app", "azp": "7d1e"},
	"a client_id beside a UUID as a subject": {"sub": "2f3c8b1e-2d5f-4a6b-9d3e-0c1d2e3f4a5b", "client_id": "job"},
	"a service account of Kubernetes":        {"sub": "system:serviceaccount:shop:job"},
	"a person, or a program":                 {"sub": "ada"},
	"an empty client_id":                     {"sub": "ada", "client_id": ""},
}

// A caller without a mark of programs was once taken for a person.
func TestForeignCallersAreOfUnknownKind_FT4(t *testing.T) {
	p := newPublisher(t, publishes(token.EdDSA))
	published := errors.Must(token.NewRemote(token.RemoteOptions{URL: p.URL, Client: p.Client(), Logger: slog.New(slog.DiscardHandler)}))
	static := errors.Must(token.NewKeys(errors.Must(token.NewPublicKey("EdDSA", token.EdDSA, material().ed.Public()))))
	for source, keys := range map[string]token.KeySource{"published keys": published, "a public key": static} {
		srv := kindServer(t, verifier(t, func(o *token.VerifierOptions) { o.Keys = keys }))
		for name, claims := range foreignTokens {
			t.Run("FT4 "+source+": "+name, func(t *testing.T) {
				text := sign(goodHeader().json(), goodClaims().with(claims).json())
				for range 2 { // the second time it is cached
					status, body := bearerGet(t, srv.URL+"/user", text)
					require.Equal(t, 403, status)
					require.Contains(t, body, "access_denied")
					status, _ = bearerGet(t, srv.URL+"/service", text)
					require.Equal(t, 403, status)
					status, body = bearerGet(t, srv.URL+"/any", text)
					require.Equal(t, 200, status)
					require.Equal(t, "unknown", body)
				}
			})
		}
		t.Run("FT4 "+source+": a client_id that is the subject is a service", func(t *testing.T) {
			text := sign(goodHeader().json(), goodClaims().with(object{"sub": "job", "client_id": "job"}).json())
			status, _ := bearerGet(t, srv.URL+"/service", text)
			require.Equal(t, 200, status)
			status, _ = bearerGet(t, srv.URL+"/user", text)
			require.Equal(t, 403, status)
		})
	}
}

// What this service issues itself follows RFC 9068, section 5.
func TestOwnTokensKeepTheirKind_FT4(t *testing.T) {
	k := keys(t)
	i := issuer(t, func(o *token.IssuerOptions) { o.Keys = k })
	srv := kindServer(t, verifier(t, func(o *token.VerifierOptions) { o.Keys = k }))
	for name, row := range map[string]struct {
		grant token.Grant
		want  auth.CallerType
	}{
		"FT4 a user":                    {grant: token.Grant{Subject: "ada"}, want: auth.Person},
		"FT4 a user by way of a client": {grant: token.Grant{Subject: "ada", ClientID: "web", SessionID: "s1"}, want: auth.Person},
		"FT4 a service":                 {grant: token.Grant{Subject: "job", ClientID: "job"}, want: auth.Program},
	} {
		t.Run(name, func(t *testing.T) {
			text, _, err := i.Issue(t.Context(), row.grant)
			require.NoError(t, err)
			_, body := bearerGet(t, srv.URL+"/any", text)
			require.Equal(t, string(row.want), body)
		})
	}
	// A secret may be another issuer's, which has no better marks than these.
	for _, name := range []string{"client credentials of Auth0", "client credentials of Entra"} {
		t.Run("FT4 a shared secret: "+name, func(t *testing.T) {
			text := signAs(token.HS256, goodHeader().with(object{"alg": "HS256", "kid": "HS256"}).json(), goodClaims().with(foreignTokens[name]).json())
			status, _ := bearerGet(t, srv.URL+"/user", text)
			require.Equal(t, 403, status)
		})
	}
}

// With CallerType Person, tokens with a mark of programs once opened routes for
// persons.
func TestKindUserTakesNoProgramForAPerson_FT4(t *testing.T) {
	static := errors.Must(token.NewKeys(errors.Must(token.NewPublicKey("EdDSA", token.EdDSA, material().ed.Public()))))
	srv := kindServer(t, verifier(t, func(o *token.VerifierOptions) { o.Keys, o.CallerType = static, auth.Person }))
	for name, row := range map[string]struct {
		claims object
		status int
	}{
		"Auth0, client credentials":           {claims: object{"sub": "abc@clients", "gty": "client-credentials"}, status: 403},
		"Auth0, a subject alone":              {claims: object{"sub": "abc@clients"}, status: 403},
		"Auth0, another subject":              {claims: object{"sub": "ada", "gty": "client-credentials"}, status: 403},
		"Auth0, a list":                       {claims: object{"sub": "ada", "gty": []string{"refresh_token", "client-credentials"}}, status: 403},
		"Entra, an application":               {claims: object{"sub": "2f3c8b1e", "idtyp": "app"}, status: 403},
		"a person with a password":            {claims: object{"sub": "auth0|ada", "gty": "password"}, status: 200},
		"a person, by the words of Entra":     {claims: object{"sub": "2f3c8b1e", "idtyp": "user"}, status: 200},
		"a claim of another type, no mark":    {claims: object{"sub": "ada", "gty": object{"a": 1}}, status: 200},
		"a person with a client_id beside":    {claims: object{"sub": "ada", "client_id": "web"}, status: 200},
		"a person whose name has the ending":  {claims: object{"sub": "ada@clients.example"}, status: 200},
		"a program that names itself (a 403)": {claims: object{"sub": "job", "client_id": "job"}, status: 403},
	} {
		t.Run("FT4 "+name, func(t *testing.T) {
			text := sign(goodHeader().json(), goodClaims().with(row.claims).json())
			for range 2 { // the second time it is cached
				status, _ := bearerGet(t, srv.URL+"/user", text)
				require.Equal(t, row.status, status)
			}
		})
	}
}

// The application declares an issuer's callers.
func TestVerifierDeclaresTheKind_FT4(t *testing.T) {
	static := errors.Must(token.NewKeys(errors.Must(token.NewPublicKey("EdDSA", token.EdDSA, material().ed.Public()))))
	for _, kind := range []auth.CallerType{auth.Person, auth.Program, auth.Unknown} {
		for source, keys := range map[string]token.KeySource{"a public key": static, "a key that signs": keys(t)} {
			t.Run("FT4 "+string(kind)+" for "+source, func(t *testing.T) {
				v := verifier(t, func(o *token.VerifierOptions) { o.Keys, o.CallerType = keys, kind })
				for name, claims := range foreignTokens {
					p, err := v.Verify(t.Context(), sign(goodHeader().json(), goodClaims().with(claims).json()))
					require.NoError(t, err)
					want := kind
					if kind == auth.Person && strings.HasPrefix(name, "client credentials") {
						want = auth.Unknown
					}
					require.Equal(t, want, p.CallerType(), name)
				}
				p, err := v.Verify(t.Context(), sign(goodHeader().json(), goodClaims().with(object{"sub": "job", "client_id": "job"}).json()))
				require.NoError(t, err)
				require.Equal(t, auth.Program, p.CallerType(), "a client that names itself is never a user")
			})
		}
	}
	_, err := token.NewVerifier(token.VerifierOptions{Keys: static, Issuer: issuerName, Audience: []string{audience}, CallerType: "people"})
	require.EqualError(t, err, `token: CallerType "people": is unknown; did you mean auth.Person, auth.Program or auth.Unknown?`)
}
