package token

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// issuers are verifiers by the issuer whose tokens they take.
type issuers struct {
	verifiers map[string]*Verifier
	maxSize   int
}

// ByIssuer returns an authenticator for the tokens of several issuers. The iss of a
// token selects the verifier, and is compared exactly, so a key of one issuer never
// verifies a token of another, whatever its kid is (RFC 8725, section 3.8). It reports
// an empty list, nil verifiers, and two verifiers of one issuer.
func ByIssuer(verifiers ...*Verifier) (auth.Authenticator, error) {
	var problems []error
	if len(verifiers) == 0 {
		problems = append(problems, errors.New("token: verifiers: must not be empty; did you mean NewVerifier?"))
	}
	all := issuers{verifiers: make(map[string]*Verifier)}
	for i, v := range verifiers {
		switch {
		case v == nil || v.keys == nil:
			problems = append(problems, errors.New("token: verifiers["+strconv.Itoa(i)+"]: is nil or zero; did you drop the constructor's error?"))
		case all.verifiers[v.issuer.text] != nil:
			problems = append(problems, errors.New("token: verifiers["+strconv.Itoa(i)+"]: "+strconv.Quote(v.issuer.text)+" has a verifier already"))
		default:
			all.verifiers[v.issuer.text] = v
			all.maxSize = max(all.maxSize, v.maxSize)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &all, nil
}

// Challenge returns the scheme: Bearer.
func (i *issuers) Challenge() string { return "Bearer" }

// Authenticate asks the verifier of the issuer that the token claims to be
// from. The claim is believed for that alone.
func (i *issuers) Authenticate(r *http.Request) (*auth.Principal, error) {
	token, err := bearer(r)
	if token == "" || err != nil {
		return nil, err
	}
	if len(token) > i.maxSize {
		return nil, invalid(ReasonSize)
	}
	p, err := split(token)
	if err != nil {
		return nil, err
	}
	payload, err := strict.DecodeString(p.payload)
	if err != nil {
		return nil, invalid(ReasonEncoding)
	}
	var room [24]member
	list, ok := members(string(payload), room[:0], maxClaims)
	if !ok {
		return nil, invalid(ReasonPayload)
	}
	at := slices.IndexFunc(list, func(m member) bool { return m.name == "iss" })
	if at < 0 {
		return nil, invalid(ReasonIssuer)
	}
	issuer, ok := list[at].stringValue()
	v := i.verifiers[issuer]
	if !ok || v == nil {
		return nil, invalid(ReasonIssuer)
	}
	return v.Verify(r.Context(), token)
}
