package token

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/errors"
)

// BearerOptions configures [Bearer].
type BearerOptions struct {
	// JWT has the verifiers of the issuers whose tokens are JWTs. The iss of a token
	// selects the verifier, so a key of one issuer never verifies a token of another
	// (RFC 8725, section 3.8).
	JWT []*Verifier
	// APIKeys gets the tokens that have the form of its keys. nil means that there are
	// none. To read keys from their own header too, list the manager in
	// auth.Options.Authenticators.
	APIKeys *apikey.Manager
	// Opaque gets all other tokens. nil means that they are refused.
	Opaque *Introspector
}

// A bearerRouter passes each bearer token to one verifier or to the introspector.
type bearerRouter struct {
	verifiers []*Verifier
	keys      *apikey.Manager
	opaque    *Introspector
	maxSize   int
	dpop      bool // a verifier accepts the scheme DPoP
}

// Bearer returns an authenticator for bearer tokens of several forms. A token of three
// parts whose first is a JSON object is a JWT. It goes to the verifier of its iss, or
// is refused; it is never introspected. Every other token goes to Opaque. Bearer
// reports options without a verifier and an introspector, nil verifiers, and two
// verifiers that accept one issuer.
func Bearer(o BearerOptions) (auth.Authenticator, error) {
	return newBearerRouter("JWT", o)
}

// newBearerRouter reports problems of the verifiers under the name of their parameter.
func newBearerRouter(name string, o BearerOptions) (auth.Authenticator, error) {
	var problems []error
	report := func(problem string) { problems = append(problems, errors.New("token: "+problem)) }
	if len(o.JWT) == 0 && o.Opaque == nil && o.APIKeys == nil {
		report(name + ": must not be empty; did you mean NewVerifier?")
	}
	all := bearerRouter{verifiers: slices.Clone(o.JWT), keys: o.APIKeys, opaque: o.Opaque, maxSize: 8 << 10}
	if o.Opaque != nil {
		if o.Opaque.client == nil {
			report("Opaque: is a zero Introspector; did you drop the constructor's error?")
		}
		all.maxSize = max(all.maxSize, o.Opaque.maxSize)
	}
	for i, v := range o.JWT {
		place := name + "[" + strconv.Itoa(i) + "]"
		if v == nil || v.keys == nil {
			report(place + ": is nil or zero; did you drop the constructor's error?")
			continue
		}
		all.maxSize = max(all.maxSize, v.maxSize)
		all.dpop = all.dpop || v.dpop != nil
		for _, other := range o.JWT[:i] {
			if other != nil && other.keys != nil && (other.issuer.text == v.issuer.text || other.issuer.accepts(v.issuer.text) || v.issuer.accepts(other.issuer.text)) {
				report(place + ": " + strconv.Quote(v.issuer.text) + " has a verifier already")
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &all, nil
}

// Challenge returns the challenge of the preferred scheme.
func (b *bearerRouter) Challenge() string { return b.Challenges()[0] }

// Challenges returns the challenges of the verifiers, each once.
func (b *bearerRouter) Challenges() []string {
	var all []string
	for _, v := range b.verifiers {
		for _, challenge := range v.Challenges() {
			if !slices.Contains(all, challenge) {
				all = append(all, challenge)
			}
		}
	}
	if (b.opaque != nil || b.keys != nil) && !slices.ContainsFunc(all, func(c string) bool { return strings.HasPrefix(c, schemeBearer) }) {
		all = append(all, schemeBearer)
	}
	return all
}

// Authenticate passes the bearer token of a request to one of the authenticators.
func (b *bearerRouter) Authenticate(r *http.Request) (*auth.Principal, error) {
	scheme, token, err := credentials(r, b.dpop)
	if token == "" || err != nil {
		return nil, err
	}
	if len(token) > b.maxSize {
		return nil, invalid(ReasonSize)
	}
	if b.keys != nil && scheme == schemeBearer && b.keys.IsKey(token) {
		return b.keys.AuthenticateKey(r, token)
	}
	if b.opaque != nil && scheme == schemeBearer && !isJWT(token) {
		return b.opaque.Introspect(r.Context(), token)
	}
	issuer, err := readIssuer(token)
	if err != nil {
		return nil, err
	}
	for _, v := range b.verifiers {
		if v.issuer.accepts(issuer) {
			return v.authenticate(r, scheme, token)
		}
	}
	return nil, invalid(ReasonIssuer)
}

// isJWT reports whether a token has three parts, of which the first is a JSON object
// (RFC 7515, section 3.1).
func isJWT(token string) bool {
	first, rest, ok := strings.Cut(token, ".")
	if !ok || strings.Count(rest, ".") != 1 {
		return false
	}
	header, err := strict.DecodeString(first)
	if err != nil {
		return false
	}
	var room [8]member
	_, ok = members(string(header), room[:0], maxHeader)
	return ok
}

// readIssuer returns the iss of a token whose signature is not verified yet. It only
// selects the verifier.
func readIssuer(token string) (string, error) {
	p, err := split(token)
	if err != nil {
		return "", err
	}
	payload, err := strict.DecodeString(p.payload)
	if err != nil {
		return "", invalid(ReasonEncoding)
	}
	var room [24]member
	list, ok := members(string(payload), room[:0], maxClaims)
	if !ok {
		return "", invalid(ReasonPayload)
	}
	m, ok := memberOf(list, "iss")
	if !ok {
		return "", invalid(ReasonIssuer)
	}
	issuer, ok := m.stringValue()
	if !ok {
		return "", invalid(ReasonIssuer)
	}
	return issuer, nil
}
