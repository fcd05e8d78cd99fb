package token_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// publicJWK returns the JWK of the test's key for an algorithm.
func publicJWK(t testing.TB, alg token.Alg) object {
	t.Helper()
	w := httptest.NewRecorder()
	publishes(alg)(w, httptest.NewRequest(http.MethodGet, "/", nil))
	var set struct {
		Keys []object `json:"keys"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &set))
	delete(set.Keys[0], "kid")
	delete(set.Keys[0], "alg")
	delete(set.Keys[0], "use")
	return set.Keys[0]
}

const resource = "https://api.example.com/orders"

// proofOf returns a proof by the key of an algorithm, with changes of its header and
// its claims.
func proofOf(t testing.TB, alg token.Alg, text string, header, claims object) string {
	t.Helper()
	h := object{"typ": "dpop+jwt", "alg": string(alg), "jwk": publicJWK(t, alg)}.with(header)
	sum := sha256.Sum256([]byte(text))
	c := object{"jti": "p1", "htm": "GET", "htu": resource, "iat": noon.Unix(), "ath": base64.RawURLEncoding.EncodeToString(sum[:])}.with(claims)
	input := b64(h.json()) + "." + b64(c.json())
	signature := errors.Must(jwt.GetSigningMethod(string(alg)).Sign(input, signer(alg)))
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func newDPoP(t testing.TB, o token.DPoPOptions) *token.DPoP {
	t.Helper()
	d, err := token.NewDPoP(o)
	require.NoError(t, err)
	token.SetProofClock(clock, d)
	return d
}

// boundToken returns a token that is bound to the key of an algorithm.
func boundToken(t testing.TB, alg token.Alg) string {
	t.Helper()
	thumbprint := errors.Must(token.Thumbprint(signer(alg).Public()))
	return sign(goodHeader().json(), goodClaims().with(object{"cnf": object{"jkt": thumbprint}}).json())
}

// requestWith returns a request for the resource with a token and proofs.
func requestWith(scheme, text string, proofs ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, resource+"?page=2", nil)
	r.TLS = &tls.ConnectionState{}
	r.Header.Set("Authorization", scheme+" "+text)
	for _, p := range proofs {
		r.Header.Add("DPoP", p)
	}
	return r
}

func TestProofsAreVerified(t *testing.T) {
	text := boundToken(t, token.ES256)
	other := boundToken(t, token.ES384)
	plain := sign(goodHeader().json(), goodClaims().json())
	good := proofOf(t, token.ES256, text, nil, nil)
	for _, row := range []struct {
		name    string
		request *http.Request
		err     *errors.Kind // nil means accepted
		reason  auth.Reason
	}{
		{name: "good proof", request: requestWith("DPoP", text, good)},
		{name: "scheme in lower case", request: requestWith("dpop", text, good)},
		{name: "bearer token", request: requestWith("Bearer", plain)},
		{name: "bound token as bearer", request: requestWith("Bearer", text, good), err: auth.ErrInvalid, reason: token.ReasonBound},
		{name: "bearer token as DPoP", request: requestWith("DPoP", plain, proofOf(t, token.ES256, plain, nil, nil)), err: auth.ErrInvalid, reason: token.ReasonBound},
		{name: "no proof", request: requestWith("DPoP", text), err: auth.ErrMalformed, reason: token.ReasonProof},
		{name: "two proofs", request: requestWith("DPoP", text, good, good), err: auth.ErrMalformed, reason: token.ReasonProof},
		{name: "another key", request: requestWith("DPoP", other, proofOf(t, token.ES256, other, nil, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "no typ", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, object{"typ": nil}, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "typ JWT", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, object{"typ": "JWT"}, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "alg none", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, object{"alg": "none"}, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "alg HS256", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, object{"alg": "HS256"}, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "alg of another curve", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, object{"alg": "ES384"}, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "no jwk", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, object{"jwk": nil}, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "private jwk", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, object{"jwk": publicJWK(t, token.ES256).with(object{"d": "AA"})}, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "jwk of a secret", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, object{"jwk": object{"kty": "oct", "k": "AA"}}, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "jwk of another key", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, object{"jwk": publicJWK(t, token.ES384)}, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "critical extension", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, object{"crit": []string{"x"}}, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "another method", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"htm": "POST"})), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "method in lower case", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"htm": "get"})), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "another path", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"htu": resource + "/1"})), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "another host", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"htu": "https://evil.example/orders"})), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "plain HTTP", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"htu": "http://api.example.com/orders"})), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "port and case of the host", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"htu": "HTTPS://API.example.com:443/orders"}))},
		{name: "another token", request: requestWith("DPoP", text, proofOf(t, token.ES256, other, nil, nil)), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "no ath", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"ath": nil})), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "no jti", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"jti": nil})), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "no iat", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"iat": nil})), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "a minute old", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"iat": noon.Add(-time.Minute).Unix()}))},
		{name: "older than a minute", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"iat": noon.Add(-61 * time.Second).Unix()})), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "a minute ahead", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"iat": noon.Add(time.Minute).Unix()}))},
		{name: "from the future", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"iat": noon.Add(61 * time.Second).Unix()})), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "large", request: requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"x": strings.Repeat("x", 9<<10)})), err: auth.ErrInvalid, reason: token.ReasonProof},
		{name: "changed", request: requestWith("DPoP", text, good[:len(good)-4]+"AAAA"), err: auth.ErrInvalid, reason: token.ReasonProof},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := verifier(t, func(o *token.VerifierOptions) { o.DPoP = newDPoP(t, token.DPoPOptions{}) })
			p, err := v.Authenticate(row.request)
			if row.err == nil {
				require.NoError(t, err)
				require.Equal(t, "ada", p.Subject())
				return
			}
			kind, _ := errors.AsType[*errors.Kind](err)
			require.Same(t, row.err, kind, "%v", err)
			require.Equal(t, row.reason, auth.ReasonOf(err))
		})
	}
}

func TestProofsWorkWithEveryAlgorithm(t *testing.T) {
	for _, alg := range []token.Alg{token.ES256, token.ES384, token.EdDSA, token.PS256, token.RS256} {
		t.Run(string(alg), func(t *testing.T) {
			v := verifier(t, func(o *token.VerifierOptions) { o.DPoP = newDPoP(t, token.DPoPOptions{}) })
			text := boundToken(t, alg)
			_, err := v.Authenticate(requestWith("DPoP", text, proofOf(t, alg, text, nil, nil)))
			require.NoError(t, err)
		})
	}
}

func TestProofWorksOnce(t *testing.T) {
	v := verifier(t, func(o *token.VerifierOptions) { o.DPoP = newDPoP(t, token.DPoPOptions{}) })
	text := boundToken(t, token.ES256)
	proof := proofOf(t, token.ES256, text, nil, nil)
	_, err := v.Authenticate(requestWith("DPoP", text, proof))
	require.NoError(t, err)
	again := proofOf(t, token.ES256, text, nil, nil) // another signature, the same jti
	for _, p := range []string{proof, again} {
		_, err = v.Authenticate(requestWith("DPoP", text, p))
		require.ErrorIs(t, err, auth.ErrInvalid)
		require.Equal(t, token.ReasonProof, auth.ReasonOf(err))
	}
	_, err = v.Authenticate(requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"jti": "p2"})))
	require.NoError(t, err)
}

func TestServiceNoncesAreRequired(t *testing.T) {
	d := newDPoP(t, token.DPoPOptions{NonceKey: material().secret})
	v := verifier(t, func(o *token.VerifierOptions) { o.DPoP = d })
	failures := errors.Must(errors.NewResponder(errors.Options{}))
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{v}}))
	handler := failures.Handler(callers.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	text := boundToken(t, token.ES256)
	call := func(id, nonce string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"jti": id, "nonce": nonce})))
		return w
	}
	refused := call("a", "made up")
	require.Equal(t, 401, refused.Code)
	require.Equal(t, []string{`DPoP algs="ES256 EdDSA Ed25519 ES384 PS256 RS256", realm="api", error="use_dpop_nonce"`, `Bearer realm="api"`}, refused.Header()["Www-Authenticate"])
	nonce := refused.Header().Get("DPoP-Nonce")
	require.NotEmpty(t, nonce)
	require.Equal(t, 200, call("b", nonce).Code)
	token.SetProofClock(func() time.Time { return noon.Add(11 * time.Minute) }, d)
	_, err := d.Prove(requestWith("DPoP", "", proofOf(t, token.ES256, "", nil, object{"nonce": nonce, "iat": noon.Add(11 * time.Minute).Unix()})))
	require.ErrorIs(t, err, auth.ErrInvalid, "an old nonce")
}

// The examples of RFC 9449, sections 4.1 and 7.1.
func TestProofsOfRFC9449AreAccepted(t *testing.T) {
	const jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	const loginProof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	d := newDPoP(t, token.DPoPOptions{})
	token.SetProofClock(func() time.Time { return time.Unix(1562262616, 0) }, d)
	r := httptest.NewRequest(http.MethodPost, "https://server.example.com/token", nil)
	r.Header.Set("DPoP", loginProof)
	got, err := d.Prove(r)
	require.NoError(t, err)
	require.Equal(t, jkt, got)
}

func TestIssuerBindsTokens(t *testing.T) {
	d := newDPoP(t, token.DPoPOptions{Required: true})
	thumbprint, err := d.Prove(requestWith("Basic", "x", proofOf(t, token.ES256, "", nil, object{"ath": nil})))
	require.NoError(t, err)
	i := issuer(t, nil)
	text, _, err := i.Issue(t.Context(), token.Grant{Subject: "ada", Thumbprint: thumbprint})
	require.NoError(t, err)
	v := verifier(t, func(o *token.VerifierOptions) { o.DPoP = d })
	p, err := v.Authenticate(requestWith("DPoP", text, proofOf(t, token.ES256, text, nil, object{"jti": "p2"})))
	require.NoError(t, err)
	require.Equal(t, "ada", p.Subject())
	_, err = v.Verify(t.Context(), text)
	require.Equal(t, token.ReasonBound, auth.ReasonOf(err), "without its request")
	plain, _, err := i.Issue(t.Context(), token.Grant{Subject: "ada"})
	require.NoError(t, err)
	_, err = v.Authenticate(requestWith("Bearer", plain))
	require.Equal(t, token.ReasonBound, auth.ReasonOf(err), "DPoP is required")
	_, err = verifier(t, nil).Authenticate(requestWith("Bearer", text))
	require.Equal(t, token.ReasonBound, auth.ReasonOf(err), "without the option")
}

func TestURIsOfProofsAreNormalized(t *testing.T) {
	const origin = "https://api.example.com"
	for _, row := range []struct {
		htu, path string
		same      bool
	}{
		{htu: origin, path: "/", same: true},
		{htu: origin + "/", path: "/", same: true},
		{htu: origin + "/a%2Fb", path: "/a%2fb", same: true},
		{htu: origin + "/%7Eada", path: "/~ada", same: true},
		{htu: origin + "/a/../b", path: "/b", same: true},
		{htu: origin + "/a%2Fb", path: "/a/b"},
		{htu: origin + "/a/", path: "/a"},
		{htu: origin + "/A", path: "/a"},
		{htu: origin + "/?x=1", path: "/"},
		{htu: origin + "/#x", path: "/"},
		{htu: "https://user@api.example.com/", path: "/"},
		{htu: "https://api.example.com:8443/", path: "/"},
		{htu: "/", path: "/"},
		{htu: "", path: "/"},
		{htu: ":", path: "/"},
	} {
		require.Equal(t, row.same, token.SameURI(row.htu, origin, row.path), fmt.Sprintf("%q %q", row.htu, row.path))
	}
}

func TestReplayMemoryIsBounded(t *testing.T) {
	m := token.NewReplayMemory()
	now := noon
	token.SetProofClock(func() time.Time { return now }, m)
	full := 0
	for i := range 1<<17 + 10 {
		fresh, err := m.Use(t.Context(), fmt.Sprint(i), noon.Add(time.Minute))
		if err != nil {
			full++
			continue
		}
		require.True(t, fresh)
	}
	require.Equal(t, 10, full)
	now = noon.Add(2 * time.Minute)
	fresh, err := m.Use(t.Context(), "0", now.Add(time.Minute))
	require.NoError(t, err, "expired proofs make room")
	require.True(t, fresh)
}

func TestNewDPoPReportsAllProblems(t *testing.T) {
	_, err := token.NewDPoP(token.DPoPOptions{Algorithms: []token.Alg{token.HS256, "none"}, NonceKey: []byte("short"), Scheme: func(*http.Request) string { return "https" }, Replays: (*token.ReplayMemory)(nil)})
	for _, part := range []string{
		`token: Algorithms[0] "HS256": is not an algorithm of public keys`, `token: Algorithms[1] "none"`, "token: NonceKey: HS256 needs a secret of at least 32 bytes",
		"token: Scheme: must be set together with Host", "token: Replays: must not be a nil pointer",
	} {
		require.ErrorContains(t, err, part)
	}
	_, err = token.NewVerifier(token.VerifierOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}, DPoP: new(token.DPoP)})
	require.ErrorContains(t, err, "token: DPoP: is zero")
}
