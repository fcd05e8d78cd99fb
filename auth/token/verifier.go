package token

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// VerifierOptions configures a [Verifier]. Keys, Issuer and Audience are
// required.
type VerifierOptions struct {
	// Keys has the keys of the issuer.
	Keys KeySource
	// Issuer is the only accepted iss, compared exactly. Empty means that of a
	// [Remote] with an Issuer. It may have one claim in braces, as
	// https://login.microsoftonline.com/{tid}/v2.0 has for the tenants of Entra: iss
	// must then be this text with the value of that claim, which has 1 to 64 letters,
	// digits and hyphens.
	Issuer string
	// Tenants lists the accepted values of the claim in braces, compared exactly. It
	// is required for an Issuer with one.
	Tenants []string
	// Audience lists the names of this service. A token's aud must have one of
	// them. It must be a name of this service, and never that of a client, because ID
	// tokens are for clients.
	Audience []string
	// Require lists claims that a token must have, each with the accepted texts. The
	// claim must be one of them, or an array that has one of them.
	Require map[string][]string
	// Identity is called once for each token, after all checks but revocations and
	// Validate, for issuers that write scopes, roles and the type of a caller
	// elsewhere than RFC 9068 does. It gets what RFC 9068 says, and returns the
	// identity of the principal, which is cached with the token. Claims that a token
	// need not have are left out, instead of refused, if they have another type.
	//
	// The returned Issuer and Claims are ignored; ExpiresAt can only become earlier,
	// and AuthTime must not be after iat. The token is refused if Subject or
	// CallerType is missing, and if Identity returns an error; kinds of package auth
	// reach the client, and any other error is [auth.ErrInvalid]. Identity must not
	// block, and must be safe for concurrent use. See [RFC9068].
	Identity func(Payload, auth.Identity) (auth.Identity, error)
	// Revocations is checked for each request. nil means that tokens are valid
	// until they expire.
	Revocations *auth.Revocations
	// Type is the required typ, so that no other kind of JWT is accepted as an
	// access token (RFC 8725, section 3.11). Empty means at+jwt (RFC 9068).
	Type string
	// AllowTypes lists further types, such as "JWT" for issuers that set no better
	// one. A token without a typ is always refused, so an entry must not be empty.
	AllowTypes []string
	// Leeway is the maximum difference of clocks, at most 1 min. 0 means 30 s.
	Leeway time.Duration
	// MaxAge is the maximum of exp minus iat, at most 24 h. 0 means 1 h.
	MaxAge time.Duration
	// MaxSize is the maximum size of a token in bytes, at most 64 KiB. 0 means 8
	// KiB.
	MaxSize int
	// CacheEntries is the maximum number of cached tokens. A request with a cached
	// token does not verify the signature again. An entry takes at most 2 KiB on
	// average, and tokens above 2 KiB are not cached. A negative value disables
	// the cache. 0 means 4096.
	CacheEntries int
	// CallerType is the type of the callers whose subject is not their client_id.
	// A caller whose subject is its client_id is an [auth.Program] (RFC 9068,
	// section 5). Empty means [auth.Person] if the key that verifies is a private
	// key or a secret, because this service signs those tokens. For other issuers
	// it means [auth.Unknown], because their tokens for programs have subjects of
	// many forms. Set it for an issuer whose callers all have one type, and for
	// another service that issues tokens with an [Issuer].
	//
	// With [auth.Person], a token that is marked as a program's is [auth.Unknown]
	// nevertheless: a subject that ends in @clients, gty client-credentials, or
	// idtyp app (Auth0 and Entra). Other issuers do not mark programs. For them
	// Person is right only if the issuer gives this audience to no program.
	CallerType auth.CallerType
	// DPoP verifies the proofs of tokens that are bound to a key (RFC 9449), and
	// Certificates the client certificates of tokens that are bound to one (RFC 8705).
	// nil means that such tokens are refused.
	DPoP         *DPoP
	Certificates *Certificates
	// Metadata is the https URL of the document of [ProtectedResource], which the
	// challenge then names, so that a client finds the issuer of its tokens (RFC 9728,
	// section 5.1). Empty means none.
	Metadata string
	// InsecureAnyTenant accepts all tenants of an Issuer with a claim in braces: any
	// customer of the provider can call.
	InsecureAnyTenant bool
	// InsecureNoType accepts tokens without a typ, in addition to those of Type and
	// AllowTypes, for issuers that set none. ID tokens of such an issuer differ only
	// in their claims.
	InsecureNoType bool
	// InsecureNoKid accepts tokens without a kid: x5t names the key, or else the
	// issuer has exactly one key of the token's algorithm.
	InsecureNoKid bool
	// InsecureNoAudience accepts tokens without an aud. It needs a Require of the
	// client. A token that has an aud must still name this service.
	InsecureNoAudience bool
	// InsecureIDTokens accepts tokens with the claims nonce, at_hash, c_hash or
	// s_hash, which mark ID tokens, whatever their typ is. Set it only for issuers
	// whose ID tokens are meant for this service.
	InsecureIDTokens bool
	// InsecureMaxAge replaces MaxAge without its bound, for issuers whose tokens live
	// for more than a day. A stolen token works as long.
	InsecureMaxAge time.Duration
	// Validate is called on every request, after all other checks. It returns the
	// errors of an [auth.Authenticator].
	Validate func(context.Context, *auth.Principal) error
}

// A Verifier verifies access tokens. It is an [auth.Authenticator], and safe
// for concurrent use.
//
// It caches verified tokens. On every request with a cached token it still checks
// the clock, the key, revocations and Validate.
type Verifier struct {
	keys            KeySource
	issuer          issuerName
	audience, types []string
	required        []requirement
	dpop            *DPoP
	certificates    *Certificates
	metadata        string     // the URL for the challenge; "" for none
	identify        identifier // nil means what RFC 9068 says
	noType, noKid   bool
	anyAudience     bool // a token need not have an aud
	idTokens        bool
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

// NewVerifier returns a Verifier. It reports all invalid options, joined.
func NewVerifier(o VerifierOptions) (*Verifier, error) {
	var problems []error
	refuse := func(problem string) { problems = append(problems, errors.New("token: "+problem)) }
	if o.Keys == nil || !o.Keys.usable() {
		refuse("Keys: must not be nil or zero; did you mean NewKeys or NewRemote?")
	}
	if remote, ok := o.Keys.(*Remote); ok && remote.usable() && o.Issuer == "" {
		o.Issuer = remote.issuer
	}
	if o.Issuer == "" {
		refuse("Issuer: must not be empty: the tokens of every issuer would pass")
	}
	issuer, more := newIssuerName(o)
	problems = append(problems, more...)
	required, more := newRequirements(o)
	problems = append(problems, more...)
	problems = append(problems, checkNames(o.Issuer, o.Audience), checkTypes(o))
	problems = append(problems, checkUnits(o))
	if o.Leeway < 0 || o.Leeway > time.Minute {
		refuse("Leeway " + o.Leeway.String() + ": must be between 0 and 1m")
	}
	switch {
	case o.MaxAge < 0:
		refuse("MaxAge " + o.MaxAge.String() + ": must be between 0 and 24h")
	case o.MaxAge > 24*time.Hour:
		refuse("MaxAge " + o.MaxAge.String() + ": must be between 0 and 24h; did you mean InsecureMaxAge?")
	}
	switch {
	case o.InsecureMaxAge != 0 && o.MaxAge != 0:
		refuse("InsecureMaxAge: contradicts MaxAge; did you mean to leave one out?")
	case o.InsecureMaxAge < 0:
		refuse("InsecureMaxAge " + o.InsecureMaxAge.String() + ": must be positive")
	case o.InsecureMaxAge != 0:
		o.MaxAge = o.InsecureMaxAge
	}
	if o.DPoP != nil && o.DPoP.now == nil {
		refuse("DPoP: is zero; did you drop the error of NewDPoP?")
	}
	if o.Metadata != "" && (checkFetchURL(o.Metadata, true) != "" || strings.ContainsAny(o.Metadata, "\"\\ ")) {
		refuse("Metadata " + strconv.Quote(o.Metadata) + ": must be an https URL without user and fragment")
	}
	if o.Identity != nil && o.CallerType != "" {
		refuse("CallerType: contradicts Identity, which sets it; did you mean to leave one out?")
	}
	if o.MaxSize < 0 || o.MaxSize > 64<<10 {
		refuse("MaxSize " + strconv.Itoa(o.MaxSize) + ": must be between 0 and 65536")
	}
	if !slices.Contains([]auth.CallerType{"", auth.Person, auth.Program, auth.Unknown}, o.CallerType) {
		refuse("CallerType " + strconv.Quote(string(o.CallerType)) + ": is unknown; did you mean auth.Person, auth.Program or auth.Unknown?")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	v := &Verifier{
		keys: o.Keys, kind: o.CallerType, issuer: issuer, required: required, identify: o.Identity, dpop: o.DPoP, certificates: o.Certificates, metadata: o.Metadata, noType: o.InsecureNoType, noKid: o.InsecureNoKid,
		anyAudience: o.InsecureNoAudience, idTokens: o.InsecureIDTokens, audience: slices.Clone(o.Audience), revocations: o.Revocations, validate: o.Validate, now: time.Now,
		leeway: orDefault(o.Leeway, 30*time.Second), maxAge: orDefault(o.MaxAge, time.Hour), maxSize: orDefault(o.MaxSize, 8<<10),
		cache: newCache(orDefault(o.CacheEntries, 4096)),
	}
	v.scratches.New = func() any { return &scratch{buffer: make([]byte, 1<<10)} }
	if o.Type == "" {
		o.Type = accessTokenType
	}
	for _, typ := range append([]string{o.Type}, o.AllowTypes...) {
		v.types = append(v.types, normalizeType(typ))
	}
	return v, nil
}

// orDefault returns n, or the default for 0.
func orDefault[N int | time.Duration](n, byDefault N) N {
	if n == 0 {
		return byDefault
	}
	return n
}

// accessTokenType is the typ of RFC 9068, section 2.1.
const accessTokenType = "at+jwt"

// normalizeType folds the spellings of a typ, of which "application/" may be left
// out (RFC 7515, section 4.1.9).
func normalizeType(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

// Challenge returns the challenge of the preferred scheme.
func (v *Verifier) Challenge() string { return v.Challenges()[0] }

// Challenges returns the challenge of Bearer, and with DPoP one of DPoP before it, or
// alone if DPoP is required.
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

// authenticate verifies a token, and that the request has what it is bound to.
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

// verify makes the checks whose results do not change.
func (v *Verifier) verify(ctx context.Context, token string, p parts, now time.Time) (*entry, error) {
	s := v.scratches.Get().(*scratch)
	defer func() {
		clear(s.members) // the payload of a token must not stay in memory
		v.scratches.Put(s)
	}()
	key, h, err := v.keyFor(ctx, s, p, now)
	if err != nil {
		return nil, err
	}
	signature, err := s.decode(p.signature)
	if err != nil {
		return nil, err
	}
	if err := key.algorithm.method.Verify(p.input, signature, key.verify); err != nil {
		return nil, invalid(ReasonSignature)
	}
	// From here on the issuer is the author of the bytes.
	decoded, err := s.decode(p.payload)
	if err != nil {
		return nil, err
	}
	payload := string(decoded)
	list, ok := members(payload, s.members[:0], maxClaims)
	if !ok {
		return nil, invalidClaim("payload")
	}
	s.members = list
	c, wrong := parseClaims(list, v.identify != nil)
	if wrong != "" {
		return nil, invalidClaim(wrong)
	}
	if err := v.checkClaims(&c, list, normalizeType(h.typ)); err != nil {
		return nil, err
	}
	if !bindsTo(key.issuer, c.issuer) {
		return nil, mismatch(ReasonIssuer, c.issuer, key.issuer)
	}
	id := c.identity(v.kindOf(&c, key), payload)
	if v.identify != nil {
		if id, err = v.identify.identify(clonePayload(payload, list), id, c.times); err != nil {
			return nil, err
		}
	}
	principal, err := auth.NewPrincipal(id)
	if err != nil {
		return nil, auth.ErrInvalid.Wrap(err)
	}
	times := c.times
	times.expires = id.ExpiresAt
	return &entry{token: strings.Clone(token), key: key, times: times, principal: principal, binding: c.binding, words: len(id.Scope) + len(id.Roles)}, nil
}

// keyFor reads the header, and returns the key that it has to name.
func (v *Verifier) keyFor(ctx context.Context, s *scratch, p parts, now time.Time) (*Key, header, error) {
	decoded, err := s.decode(p.header)
	if err != nil {
		return nil, header{}, err
	}
	h, err := parseHeader(string(decoded))
	if err != nil {
		return nil, h, err
	}
	switch {
	case h.typ == "" && v.noType:
	case h.typ == "" || !slices.Contains(v.types, normalizeType(h.typ)):
		return nil, h, typeError(h.typ)
	}
	var key *Key
	switch {
	case h.kid != "":
		key, err = v.keys.findKey(ctx, h.kid, now)
	case v.noKid:
		key, err = v.keys.findUnnamed(ctx, h.x5t, Alg(h.alg), now)
	}
	switch {
	case err != nil:
		return nil, h, err
	case key == nil:
		return nil, h, invalid(ReasonKey)
	case !key.alg.sameAs(Alg(h.alg)):
		return nil, h, invalid(ReasonAlgorithm)
	}
	return key, h, nil
}

// typeError returns the refusal of a typ, which for the two usual ones names the
// option that accepts it.
func typeError(typ string) error {
	switch normalizeType(typ) {
	case "":
		return errNoType
	case "jwt":
		return errTypeJWT
	}
	return invalid(ReasonType)
}

var (
	errNoType  = auth.ErrInvalid.With("reason", string(ReasonType), "actual", "none", "option", "InsecureNoType").Wrap(ReasonType)
	errTypeJWT = auth.ErrInvalid.With("reason", string(ReasonType), "actual", "JWT", "option", "AllowTypes").Wrap(ReasonType)
)

// recheck checks what can change after a token was verified: the clock, revocations
// and Validate.
func (v *Verifier) recheck(ctx context.Context, e *entry, now time.Time) error {
	if err := v.checkTimes(e.times, now); err != nil {
		return err
	}
	if p := e.principal; v.revocations != nil {
		if err := v.revocations.Check(ctx, p.CredentialID(), p.SessionID(), p.Subject(), e.times.issued); err != nil {
			return err
		}
	}
	if v.validate != nil {
		return v.validate(ctx, e.principal)
	}
	return nil
}

// bearer returns the bearer token of a request, or "" if it has none.
func bearer(r *http.Request) (string, error) {
	_, token, err := credentials(r, false)
	return token, err
}

// credentials returns the access token of a request and its scheme, or "" if it has
// none. A second Authorization header, or a second token in the query, is ambiguous
// (RFC 6750, section 2).
func credentials(r *http.Request, dpop bool) (used, token string, err error) {
	lines := r.Header["Authorization"]
	ours := false
	for _, line := range lines {
		scheme, rest, _ := strings.Cut(line, " ")
		if i := strings.IndexByte(scheme, '\t'); i >= 0 {
			scheme = scheme[:i]
		}
		switch {
		case strings.EqualFold(scheme, schemeBearer):
			used, token, ours = schemeBearer, strings.Trim(rest, " "), true
		case dpop && strings.EqualFold(scheme, schemeDPoP):
			used, token, ours = schemeDPoP, strings.Trim(rest, " "), true
		}
	}
	switch {
	case !ours:
		return "", "", nil
	case len(lines) > 1:
		return "", "", malformed(ReasonRepeated, "several Authorization headers")
	case token == "" || strings.IndexByte(token, ' ') >= 0 || strings.IndexByte(token, '\t') >= 0 || strings.IndexByte(token, ',') >= 0:
		return "", "", malformed(ReasonForm, "not one token")
	case queryToken(r.URL.RawQuery):
		return "", "", malformed(ReasonQuery, "a second token in the query")
	}
	return used, token, nil
}

// queryToken reports whether a query has the parameter access_token, which is
// never read: queries end up in logs.
func queryToken(query string) bool {
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
