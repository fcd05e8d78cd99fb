package token

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ringwall/ringwall/auth"
)

// A Verifier verifies access tokens. It is an [auth.Authenticator], and safe
// for concurrent use.
//
// It caches verified tokens. For a cached token, it still checks the clock, the key,
// revocations and Validate on every request.
type Verifier struct {
	keys            KeySource
	issuer          issuerName
	audience, types []string
	required        []requirement
	dpop            *DPoP
	certificates    *Certificates
	metadata        string     // the URL for the challenge; "" for none
	identify        identifier // nil means the identity of RFC 9068
	noType, noKid   bool
	anyAudience     bool // a token need not have an aud
	idTokens        bool
	logout          bool // of BackChannelLogout: tokens have events
	revocations     *auth.Revocations
	leeway, maxAge  time.Duration
	maxSize         int
	kind            auth.CallerType // "": by the key
	validate        func(context.Context, *auth.Principal) error
	cache           *cache
	scratches       sync.Pool // of *scratch
	now             func() time.Time
}

var _ auth.Authenticator = (*Verifier)(nil)

// orDefault returns n, or the default for 0.
func orDefault[N int | time.Duration](n, byDefault N) N {
	if n == 0 {
		return byDefault
	}
	return n
}

// accessTokenType is the typ of RFC 9068, section 2.1.
const accessTokenType = "at+jwt"

// Challenge returns the challenge of the preferred scheme.
func (v *Verifier) Challenge() string { return v.Challenges()[0] }

// Challenges returns the challenges of DPoP, if the options have it, and of Bearer. If
// DPoP is required, it returns only that of DPoP.
func (v *Verifier) Challenges() []string {
	all := []string{schemeBearer}
	if v.dpop != nil {
		if all = []string{v.dpop.challenge, schemeBearer}; v.dpop.required {
			all = all[:1]
		}
	}
	if v.metadata != "" {
		for i, challenge := range all {
			separator := " "
			if strings.Contains(challenge, " ") {
				separator = ", "
			}
			all[i] = challenge + separator + `resource_metadata="` + v.metadata + `"`
		}
	}
	return all
}

// Authenticate verifies the token of an Authorization header with the scheme Bearer
// (RFC 6750), or with the scheme DPoP (RFC 9449) if the options have a DPoP. It returns
// nil and nil for another scheme, and without the header.
func (v *Verifier) Authenticate(r *http.Request) (*auth.Principal, error) {
	scheme, token, err := credentials(r, v != nil && v.dpop != nil)
	if token == "" || err != nil {
		return nil, err
	}
	return v.authenticate(r, scheme, token)
}

// authenticate verifies a token, and its binding to a key or a certificate.
func (v *Verifier) authenticate(r *http.Request, scheme, token string) (*auth.Principal, error) {
	e, err := v.verifyEntry(r.Context(), token)
	if err != nil {
		return nil, err
	}
	if e.binding != (binding{}) || scheme != schemeBearer || v.dpop != nil || v.certificates != nil {
		if err := v.checkBinding(r, scheme, token, e.binding); err != nil {
			return nil, err
		}
	}
	return e.principal, nil
}

// Verify returns the principal of a token. It returns [auth.ErrInvalid],
// [auth.ErrExpired] for a genuine token that has expired, [auth.ErrRevoked],
// [auth.ErrUnavailable], or an error of Validate. [auth.ReasonOf] returns the reason
// of the first two, such as [ReasonAudience]. A token that is bound to a key or a
// certificate needs its request, so Verify refuses it.
func (v *Verifier) Verify(ctx context.Context, token string) (*auth.Principal, error) {
	e, err := v.verifyEntry(ctx, token)
	switch {
	case err != nil:
		return nil, err
	case e.binding != (binding{}):
		return nil, invalidClaim("cnf")
	}
	return e.principal, nil
}

// verifyEntry returns the entry of a token that passes all checks but those of its
// binding.
func (v *Verifier) verifyEntry(ctx context.Context, token string) (*entry, error) {
	if v == nil || v.keys == nil {
		return nil, auth.ErrUnavailable.With("reason", "the verifier was not made by NewVerifier")
	}
	if len(token) > v.maxSize {
		return nil, invalid(ReasonSize)
	}
	now := v.now()
	e := v.cache.lookUpEntry(token)
	remembered := e != nil && v.keys.stillAccepts(ctx, e.key, now)
	if !remembered {
		p, err := split(token)
		if err != nil {
			return nil, err
		}
		if e, err = v.verify(ctx, token, p, now); err != nil {
			return nil, err
		}
	}
	if err := v.recheck(ctx, e, now); err != nil {
		return nil, err
	}
	if !remembered {
		v.cache.addEntry(e)
	}
	return e, nil
}

var (
	errNoType  = refusal(ReasonType, "actual", "none", "option", "InsecureNoType")
	errTypeJWT = refusal(ReasonType, "actual", "JWT", "option", "AllowTypes")
)

// bearer returns the bearer token of a request, or "" if it has none.
func bearer(r *http.Request) (string, error) {
	_, token, err := credentials(r, false)
	return token, err
}

// credentials returns the access token of a request and its scheme, or "" if no
// Authorization header has the scheme Bearer, or DPoP if dpop is set. A second
// Authorization header, or a second token in the query, is an error (RFC 6750, section 2).
func credentials(r *http.Request, dpop bool) (used, token string, err error) {
	lines := r.Header["Authorization"]
	found := false
	for _, line := range lines {
		scheme, rest, _ := strings.Cut(line, " ")
		if i := strings.IndexByte(scheme, '\t'); i >= 0 {
			scheme = scheme[:i]
		}
		switch {
		case strings.EqualFold(scheme, schemeBearer):
			used, token, found = schemeBearer, strings.Trim(rest, " "), true
		case dpop && strings.EqualFold(scheme, schemeDPoP):
			used, token, found = schemeDPoP, strings.Trim(rest, " "), true
		}
	}
	switch {
	case !found:
		return "", "", nil
	case len(lines) > 1:
		return "", "", malformed(ReasonRepeated, "several Authorization headers")
	case token == "" || strings.IndexByte(token, ' ') >= 0 || strings.IndexByte(token, '\t') >= 0 || strings.IndexByte(token, ',') >= 0:
		return "", "", malformed(ReasonForm, "not one token")
	case hasQueryToken(r.URL.RawQuery):
		return "", "", malformed(ReasonQuery, "a second token in the query")
	}
	return used, token, nil
}

// hasQueryToken reports whether a query has the parameter access_token. Its value is never
// used, because queries are logged.
func hasQueryToken(query string) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err == nil && name == "access_token" {
			return true
		}
	}
	return false
}
