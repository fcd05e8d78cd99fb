package token

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/wiring"
)

const (
	// proofWindow is the maximum difference between the iat of a proof and the clock.
	proofWindow = time.Minute
	// nonceStep is the time for which the service sends the same nonce. It is accepted
	// during the next step too.
	nonceStep = 5 * time.Minute
	// maxProof bounds a proof, in bytes.
	maxProof = 8 << 10
)

// DPoPOptions configures a [DPoP].
type DPoPOptions struct {
	// Scheme returns "https" for an HTTPS request, and Host the host that the client
	// used. Together with the path they are the htu that a proof must name. nil means
	// r.TLS and r.Host; behind a proxy, set both, for example to those of a
	// headers.Forwarded.
	Scheme, Host func(*http.Request) string
	// Algorithms lists the accepted algorithms of proofs. Empty means ES256, EdDSA
	// (and its other name, Ed25519), ES384, PS256 and RS256.
	Algorithms []Alg
	// Replays stores the used proofs. nil means the memory of this process, so that a
	// proof that one process accepted can be used at another within a minute.
	Replays ReplayStore
	// NonceKey makes proofs carry a nonce of this service (RFC 9449, section 9), so
	// that a proof cannot be made in advance. It is at least 32 random bytes, the same
	// in all processes. A nonce is accepted for 5 to 10 minutes. Empty means no nonces.
	NonceKey []byte
	// Required refuses access tokens that are not bound: to a key, or to a certificate
	// if the verifier has Certificates.
	Required bool
}

// A ReplayStore stores the IDs of used proofs.
type ReplayStore interface {
	// Use stores an ID until a time, and reports whether it was not stored before. It
	// must be atomic: of concurrent calls with one ID, one gets true. An error refuses
	// the proof with [auth.ErrUnavailable].
	Use(ctx context.Context, id string, until time.Time) (bool, error)
}

// A DPoP verifies proofs of possession (RFC 9449): signatures of one request by the key
// that an access token is bound to, so that a stolen token is of no use without the
// key. It is safe for concurrent use.
type DPoP struct {
	scheme, host func(*http.Request) string
	algorithms   []Alg
	replays      ReplayStore
	nonceKey     []byte
	required     bool
	challenge    string
	now          func() time.Time
}

// NewDPoP returns a DPoP. It reports all invalid options, joined.
func NewDPoP(o DPoPOptions) (*DPoP, error) {
	var problems []error
	report := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("token: "+format, args...))
	}
	if len(o.Algorithms) == 0 {
		o.Algorithms = []Alg{ES256, EdDSA, Ed25519, ES384, PS256, RS256}
	}
	for i, alg := range o.Algorithms {
		if f := alg.spec().family; f == unknown || f == secret {
			report("Algorithms[%d] %q: is not an algorithm of public keys; did you mean ES256?", i, alg)
		}
	}
	if len(o.NonceKey) > 0 {
		if problem := checkSecret(HS256, o.NonceKey); problem != "" {
			report("NonceKey: %s", problem)
		}
	}
	if (o.Scheme == nil) != (o.Host == nil) {
		report("Scheme: must be set together with Host; did you mean both of a headers.Forwarded?")
	}
	if o.Replays != nil && wiring.IsNil(o.Replays) {
		report("Replays: must not be a nil pointer; did you mean to check the error of its New?")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	d := &DPoP{
		scheme: o.Scheme, host: o.Host, algorithms: slices.Clone(o.Algorithms), replays: o.Replays, nonceKey: slices.Clone(o.NonceKey),
		required: o.Required, now: time.Now,
	}
	if d.replays == nil {
		d.replays = NewReplayMemory()
	}
	var names []string
	for _, alg := range d.algorithms {
		names = append(names, string(alg))
	}
	d.challenge = `DPoP algs="` + strings.Join(names, " ") + `"`
	return d, nil
}

// Prove verifies the proof of a request for a token, such as a login, and returns
// the thumbprint of its key, for [Grant].Thumbprint. It returns
// [auth.ErrMalformed] for a request with several proofs or none,
// [auth.ErrInvalid] with the reason, or [auth.ErrUnavailable].
func (d *DPoP) Prove(r *http.Request) (thumbprint string, err error) {
	if d == nil || d.now == nil {
		return "", auth.ErrUnavailable.With("reason", "the DPoP was not made by NewDPoP")
	}
	thumbprint, _, err = d.verifyProof(r, "")
	return thumbprint, err
}

// verifyProof verifies the proof of a request, in the order of RFC 9449, section 4.3.
// The token is that of the request, or "" if it has none.
func (d *DPoP) verifyProof(r *http.Request, token string) (thumbprint string, p proof, err error) {
	lines := r.Header["Dpop"]
	if len(lines) != 1 {
		return "", p, auth.WithChallenge(malformed(ReasonProof, "the request must have exactly one proof"), "error", "invalid_dpop_proof")
	}
	if p, err = readProof(lines[0]); err != nil {
		return "", p, d.refuse(err)
	}
	switch {
	case !slices.Contains(d.algorithms, p.alg):
		return "", p, d.refuse(proofError("alg"))
	case p.method != r.Method:
		return "", p, d.refuse(proofError("htm"))
	case !sameURI(p.uri, d.originOf(r), r.URL.EscapedPath()):
		return "", p, d.refuse(proofError("htu"))
	}
	now := d.now()
	if p.issued.Sub(now) > proofWindow || now.Sub(p.issued) > proofWindow {
		return "", p, d.refuse(proofError("iat"))
	}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		if p.accessHash != base64.RawURLEncoding.EncodeToString(sum[:]) {
			return "", p, d.refuse(proofError("ath"))
		}
	}
	if len(d.nonceKey) > 0 && !d.acceptsNonce(p.nonce, now) {
		return "", p, auth.WithChallenge(refusal(ReasonProof, "claim", "nonce").Header("DPoP-Nonce", d.nonce(now)), "error", "use_dpop_nonce")
	}
	if thumbprint, err = p.verifySignature(); err != nil {
		return "", p, d.refuse(err)
	}
	return thumbprint, p, nil
}

// use stores the proof of a request as used. It is called after all other checks, so
// that only a holder of a good token can fill the store.
func (d *DPoP) use(r *http.Request, thumbprint string, p proof) error {
	sum := sha256.Sum256([]byte(thumbprint + " " + p.id))
	fresh, err := d.replays.Use(r.Context(), base64.RawURLEncoding.EncodeToString(sum[:]), p.issued.Add(2*proofWindow)) // other processes may be a minute behind
	switch {
	case err != nil:
		return auth.ErrUnavailable.Wrap(fmt.Errorf("store proof: %w", err))
	case !fresh:
		return d.refuse(proofError("jti"))
	}
	return nil
}

// refuse adds the error code of RFC 9449, section 7.1, to the challenge.
func (d *DPoP) refuse(err error) error {
	return auth.WithChallenge(err, "error", "invalid_dpop_proof")
}

// originOf returns the scheme and host that a client used.
func (d *DPoP) originOf(r *http.Request) string {
	scheme, host := "http", r.Host
	if d.scheme != nil {
		scheme, host = d.scheme(r), d.host(r)
	} else if r.TLS != nil {
		scheme = "https"
	}
	return strings.ToLower(scheme) + "://" + host
}

// nonce returns the nonce of a time.
func (d *DPoP) nonce(at time.Time) string {
	step := at.Unix() / int64(nonceStep/time.Second)
	mac := hmac.New(sha256.New, d.nonceKey)
	_, _ = mac.Write(binary.BigEndian.AppendUint64([]byte("ringwall DPoP nonce "), uint64(step)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
}

// acceptsNonce reports whether a nonce is that of this step or of the last.
func (d *DPoP) acceptsNonce(nonce string, now time.Time) bool {
	return hmac.Equal([]byte(nonce), []byte(d.nonce(now))) || hmac.Equal([]byte(nonce), []byte(d.nonce(now.Add(-nonceStep))))
}
