package token_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// RFC 9864, section 2.2, names Ed25519 what RFC 8037 names EdDSA.
func TestEd25519AndEdDSAAreOneAlgorithm_FT7(t *testing.T) {
	names := []token.Alg{token.EdDSA, token.Ed25519}
	signed := func(header token.Alg) string {
		return sign(goodHeader().with(object{"alg": header}).json(), goodClaims().json())
	}
	for _, key := range names {
		sources := map[string]token.KeySource{
			"a private key": errors.Must(token.NewKeys(errors.Must(token.NewKey("EdDSA", key, material().ed)))),
			"a public key":  errors.Must(token.NewKeys(errors.Must(token.NewPublicKey("EdDSA", key, material().ed.Public())))),
		}
		for _, header := range names {
			for source, keys := range sources {
				t.Run("FT7 "+source+" of "+string(key)+" verifies "+string(header), func(t *testing.T) {
					_, err := verifier(t, func(o *token.VerifierOptions) { o.Keys = keys }).Verify(t.Context(), signed(header))
					require.NoError(t, err)
				})
			}
			t.Run("FT7 a published key of "+string(key)+" alone verifies "+string(header), func(t *testing.T) {
				s := newRemoteService(t, newPublisher(t, says(200, object{"keys": []any{jwkOf(t, token.EdDSA).with(object{"alg": key})}}.json())))
				require.Equal(t, 200, s.send(t.Context(), signed(header)).StatusCode)
				require.Zero(t, s.told(token.KeyIgnored))
			})
		}
		for _, other := range []string{"ed25519", "EDDSA", "Ed448", "ES256", "none", "HS256"} {
			t.Run("FT7 a key of "+string(key)+" refuses "+other, func(t *testing.T) {
				_, err := verifier(t, func(o *token.VerifierOptions) { o.Keys = sources["a public key"] }).Verify(t.Context(), signed(token.Alg(other)))
				require.ErrorIs(t, err, auth.ErrInvalid)
			})
		}
		t.Run("FT7 an issuer names its key's algorithm "+string(key), func(t *testing.T) {
			k := sources["a private key"].(*token.Keys)
			text, _, err := issuer(t, func(o *token.IssuerOptions) { o.Keys = k }).Issue(t.Context(), token.Grant{Subject: "ada"})
			require.NoError(t, err)
			require.Contains(t, header(t, text), `"alg":"`+string(key)+`"`)
			require.Contains(t, jwks(t, k).Body.String(), `"alg":"`+string(key)+`"`)
			_, err = verifier(t, func(o *token.VerifierOptions) { o.Keys = sources["a public key"] }).Verify(t.Context(), text)
			require.NoError(t, err)
		})
	}
	t.Run("FT7 Ed448 is no name of an Ed25519 key", func(t *testing.T) {
		_, err := token.NewPublicKey("k", "Ed448", material().ed.Public())
		require.ErrorContains(t, err, `alg "Ed448" is unknown`)
	})
}

func TestEqualPublishedKeysAreOne_FT7(t *testing.T) {
	ed, rsa, ec := jwkOf(t, token.EdDSA), jwkOf(t, token.RS256), jwkOf(t, token.ES256)
	for name, row := range map[string]struct {
		keys []any
		alg  token.Alg
	}{
		"FT7 an Ed25519 key twice":                    {keys: []any{ed, ed}, alg: token.EdDSA},
		"FT7 an Ed25519 key under both names":         {keys: []any{ed, ed.with(object{"alg": "Ed25519"}), ed.with(object{"alg": nil})}, alg: token.EdDSA},
		"FT7 an RSA key three times":                  {keys: []any{rsa, rsa, rsa}, alg: token.RS256},
		"FT7 an RSA key, once without an alg":         {keys: []any{rsa.with(object{"alg": nil}), rsa}, alg: token.RS256},
		"FT7 an ECDSA key with and without its use":   {keys: []any{ec, ec.with(object{"use": nil, "key_ops": []string{"verify"}})}, alg: token.ES256},
		"FT7 an ECDSA key with a certificate besides": {keys: []any{ec, ec.with(object{"x5t": "AAAA"})}, alg: token.ES256},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPublisher(t, says(200, object{"keys": row.keys}.json()))
			s := newRemoteService(t, p)
			require.Equal(t, 200, s.ask(row.alg).StatusCode)
			require.Zero(t, s.told(token.KeyIgnored))
			require.Equal(t, 1, s.told(token.KeysFetched))
		})
	}
	t.Run("FT7 an RSA key for two algorithms: neither counts", func(t *testing.T) {
		s := newRemoteService(t, newPublisher(t, says(200, object{"keys": []any{ed, rsa, rsa, rsa.with(object{"alg": "PS256"}), rsa}}.json())))
		require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
		require.Equal(t, 401, s.ask(token.RS256).StatusCode)
		require.Equal(t, 401, s.askAs(t.Context(), token.PS256, "RS256").StatusCode)
	})
	t.Run("FT7 a key under two kids is two keys", func(t *testing.T) {
		s := newRemoteService(t, newPublisher(t, says(200, object{"keys": []any{ed, ed.with(object{"kid": "x"})}}.json())))
		require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
		require.Equal(t, 200, s.askAs(t.Context(), token.EdDSA, "x").StatusCode)
	})
}

// A published private key is known to any client, whichever other entry of the
// set has its public half.
func TestAPublishedPrivateKeyIsRefusedEverywhere_FT7(t *testing.T) {
	ed, rsa, ec := jwkOf(t, token.EdDSA), jwkOf(t, token.RS256), jwkOf(t, token.ES256)
	for name, shown := range map[string]object{
		"FT7 before, with the same kid": ed.with(object{"d": "AAAA"}),
		"FT7 under another kid":         ed.with(object{"d": "AAAA", "kid": "x"}),
		"FT7 under another name":        ed.with(object{"d": "AAAA", "kid": "x", "alg": "Ed25519"}),
		"FT7 for encryption":            ed.with(object{"d": "AAAA", "kid": nil, "use": "enc"}),
	} {
		for order, keys := range map[string][]any{"first": {shown, ed, ec}, "last": {ec, ed, shown}} {
			t.Run(name+", "+order, func(t *testing.T) {
				s := newRemoteService(t, newPublisher(t, says(200, object{"keys": keys}.json())))
				require.Equal(t, 200, s.ask(token.ES256).StatusCode, "the other keys stay usable")
				require.Equal(t, 401, s.ask(token.EdDSA).StatusCode)
				require.Equal(t, 2, s.told(token.KeyIgnored))
			})
		}
	}
	t.Run("FT7 an RSA key for another algorithm", func(t *testing.T) {
		s := newRemoteService(t, newPublisher(t, says(200, object{"keys": []any{rsa.with(object{"kid": "x", "alg": "RSA-OAEP", "use": "enc", "p": "AAAA"}), rsa, ec}}.json())))
		require.Equal(t, 200, s.ask(token.ES256).StatusCode)
		require.Equal(t, 401, s.ask(token.RS256).StatusCode)
	})
}
