package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// peer is golang-jwt, set up as strictly as it can be for what we accept.
type peer struct{ parser *jwt.Parser }

func newPeer() peer {
	// It does not have the name of RFC 9864.
	jwt.RegisterSigningMethod("Ed25519", func() jwt.SigningMethod { return jwt.SigningMethodEdDSA })
	return peer{jwt.NewParser(jwt.WithTimeFunc(clock), jwt.WithIssuer(issuerName), jwt.WithAudience(audience), jwt.WithExpirationRequired(),
		jwt.WithLeeway(30*time.Second), jwt.WithIssuedAt(), jwt.WithStrictDecoding(), jwt.WithValidMethods([]string{"HS256", "EdDSA"}))}
}

// peerClaims are the claims that both read.
type peerClaims struct {
	jwt.RegisteredClaims
	Session  string           `json:"sid"`
	Scope    string           `json:"scope"`
	Roles    []string         `json:"roles"`
	AuthTime *jwt.NumericDate `json:"auth_time"`
}

// agree fails if the verifier accepted a token that the peer refuses, or reads
// otherwise.
func (p peer) agree(t *testing.T, text string, ours *auth.Principal) {
	t.Helper()
	var theirs peerClaims
	parsed, err := p.parser.ParseWithClaims(text, &theirs, func(parsed *jwt.Token) (any, error) {
		if parsed.Method.Alg() == "HS256" {
			return material().secret, nil
		}
		return material().ed.Public(), nil
	})
	require.NoError(t, err, "%s", text)
	require.Equal(t, parsed.Header["kid"], parsed.Method.Alg())
	require.Equal(t, []string{theirs.Issuer, theirs.Subject, theirs.ID, theirs.Session}, []string{ours.Issuer(), ours.Subject(), ours.CredentialID(), ours.SessionID()}, "%s", text)
	require.Equal(t, theirs.ExpiresAt.Unix(), ours.ExpiresAt().Unix(), "%s", text)
	require.Equal(t, strings.FieldsFunc(theirs.Scope, func(r rune) bool { return r == ' ' }), append([]string{}, ours.Scope()...), "%s", text)
	require.Equal(t, append([]string{}, theirs.Roles...), append([]string{}, ours.Roles()...), "%s", text)
	if theirs.AuthTime != nil {
		require.Equal(t, theirs.AuthTime.Unix(), ours.AuthTime().Unix(), "%s", text)
	}
}

// mutations is how many rounds of TestMutatedTokens there are, of three tokens
// each: over a million without the race detector.
const mutations = 350_000 / slowdown

// mutator changes texts as an attacker or a broken client would.
type mutator struct {
	*rand.Rand
	pieces []string
}

func (m mutator) change(text string) string {
	for range 1 + m.IntN(3) {
		at, to := m.IntN(len(text)+1), 0
		to = min(len(text), at+m.IntN(4))
		piece := m.pieces[m.IntN(len(m.pieces))]
		switch m.IntN(6) {
		case 0: // delete
			text = text[:at] + text[to:]
		case 1: // insert
			text = text[:at] + piece + text[at:]
		case 2: // replace
			text = text[:at] + piece + text[to:]
		case 3: // one bit
			if at < len(text) {
				text = text[:at] + string([]byte{text[at] ^ 1<<m.IntN(8)}) + text[at+1:]
			}
		case 4: // double
			text = text[:to] + text[at:]
		case 5: // swap two halves of a short range
			end := min(len(text), to+m.IntN(12))
			text = text[:at] + text[to:end] + text[at:to] + text[end:]
		}
	}
	return text
}

// TestMutatedTokens checks that the verifier accepts a subset of the tokens that
// golang-jwt accepts, and reads them alike. It mutates headers and payloads under
// a good signature, and whole tokens. No refused token is cached.
func TestMutatedTokens(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	m := mutator{rand.New(rand.NewPCG(seed, 1)), []string{
		"", `"`, `,`, `:`, `{`, `}`, `[`, `]`, ` `, "\n", "\t", "\x00", "\xff", "é", "ſ", `\u0061`, `\ud800`, `\`, `null`, `true`, `0`, `-`, `1e9`, `.5`, `"sub":"root",`, `,"SUB":"x"`, `"exp":1,`, `"aud":[],`,
		`"crit":["x"],`, `"alg":"none",`, `"typ":"JWT",`, `"x":{"a":1},`, `"y":[1,"b"],`, `"nbf":1.5,`, "=", "+", "/", "-", "_", ".", "A", "\r\n",
	}}
	v, theirs := verifier(t, nil), newPeer()
	head := `{"alg":"HS256","kid":"HS256","typ":"at+jwt"}`
	bodies := []string{
		goodClaims().json(),
		goodClaims().with(object{"aud": []string{"x", audience}, "nbf": float64(noon.Unix()) - 0.5, "sid": "s1", "scope": "a b", "roles": []string{"r"}, "auth_time": noon.Unix()}).json(),
		goodClaims().with(object{"x": object{"deep": []any{1, "two", nil, true, object{"é": "ü"}}}, "client_id": "ada"}).json(),
	}
	key := hmac.New(sha256.New, material().secret)
	signed := func(head, body string) string {
		input := b64(head) + "." + b64(body)
		key.Reset()
		key.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(key.Sum(nil))
	}
	accepted := make(map[string]bool)
	tokens := 0
	count := mutations
	if testing.Short() {
		count /= 10
	}
	for i := range count {
		body := bodies[i%len(bodies)]
		good := signed(head, body)
		for kind, text := range [...]string{signed(head, m.change(body)), signed(m.change(head), body), m.change(good)} {
			tokens++
			p, err := v.Verify(t.Context(), text)
			if err != nil {
				if !errors.Is(err, auth.ErrInvalid) && !errors.Is(err, auth.ErrExpired) {
					t.Fatalf("%v: %s", err, text)
				}
				continue
			}
			if kind == 2 && text != good {
				t.Fatalf("another spelling of a token: %s", text)
			}
			if !accepted[text] {
				accepted[text] = true
				theirs.agree(t, text, p)
			}
		}
	}
	t.Logf("%d tokens, %d different ones accepted", tokens, len(accepted))
	require.Greater(t, len(accepted), count/100, "the mutations are not so wild that nothing is compared")
	entries, _ := token.Cached(v)
	require.LessOrEqual(t, entries, len(accepted))
}

// FuzzVerify does the same with the fuzzer's input: as a token, as a payload, and
// as a header under a good signature.
func FuzzVerify(f *testing.F) {
	f.Add(sign(goodHeader().json(), goodClaims().json()))
	f.Add(sign(goodHeader().with(object{"typ": "application/at+jwt", "x": 1}).json(), goodClaims().with(object{"aud": []string{"x", audience}, "nbf": 1.5}).json()))
	f.Add(mac(goodHeader().with(object{"alg": "HS256", "kid": "HS256"}).json(), goodClaims().json(), material().secret))
	f.Add(goodHeader().json())
	f.Add(goodClaims().json())
	v, theirs := verifier(f, nil), newPeer()
	f.Fuzz(func(t *testing.T, text string) {
		for _, candidate := range []string{text, sign(goodHeader().json(), text), sign(text, goodClaims().json())} {
			p, err := v.Verify(t.Context(), candidate)
			if err != nil {
				require.True(t, errors.Is(err, auth.ErrInvalid) || errors.Is(err, auth.ErrExpired), "%v", err)
				continue
			}
			theirs.agree(t, candidate, p)
		}
	})
}
