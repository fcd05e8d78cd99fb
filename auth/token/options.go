package token

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// checkNames reports an iss and names of an aud with blanks or control characters
// at an end, as a file or an environment variable may leave them: no token has
// them.
func checkNames(issuer string, audience []string) error {
	check := func(place, name string) error {
		trimmed := strings.TrimFunc(name, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) })
		if name == trimmed {
			return nil
		}
		return fmt.Errorf("token: %s %q: has blanks or control characters at an end; did you mean %q?", place, name, trimmed)
	}
	problems := []error{check("Issuer", issuer)}
	for i, name := range audience {
		problems = append(problems, check("Audience["+strconv.Itoa(i)+"]", name))
	}
	return errors.Join(problems...)
}

// checkBounds reports times beyond their bounds, and numbers without a unit, with which a
// verifier would refuse every token, or tolerate no clock.
func checkBounds(o VerifierOptions) error {
	var problems []error
	refuse := func(problem string) { problems = append(problems, errors.New("token: "+problem)) }
	if 0 < o.MaxAge && o.MaxAge < time.Second {
		refuse("MaxAge " + o.MaxAge.String() + ": is below a second" + suggestSeconds(o.MaxAge))
	}
	if 0 < o.Leeway && o.Leeway < time.Millisecond {
		refuse("Leeway " + o.Leeway.String() + ": is below a millisecond" + suggestSeconds(o.Leeway))
	}
	if 0 < o.MaxSize && o.MaxSize < 256 {
		refuse(fmt.Sprintf("MaxSize %d: is below 256 bytes, so no token fits; did you mean %d?", o.MaxSize, min(o.MaxSize<<10, 64<<10)))
	}
	if o.Leeway < 0 || o.Leeway > maxLeeway {
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
	}
	return errors.Join(problems...)
}

// suggestSeconds returns a hint for a duration that was meant in seconds, as
// time.Duration(30) is, or "".
func suggestSeconds(d time.Duration) string {
	if d <= 0 || d > 24*60*60 {
		return ""
	}
	return "; did you mean " + (d * time.Second).String() + "?"
}

// checkTypes reports a typ that no token can have.
func checkTypes(o VerifierOptions) error {
	check := func(place, typ, hint string) error {
		if typ != "" && normalizeType(typ) != "" && isMediaType(typ) {
			return nil
		}
		if normalizeType(typ) == "" {
			return fmt.Errorf("token: %s: must not be empty; did you mean %q, or InsecureNoType for tokens without a typ?", place, hint)
		}
		meant := "one type for each entry"
		if trimmed := strings.TrimSpace(typ); trimmed != typ && isMediaType(trimmed) {
			meant = strconv.Quote(trimmed)
		}
		return fmt.Errorf("token: %s %q: is not a media type (RFC 7515, section 4.1.9); did you mean %s?", place, typ, meant)
	}
	var problems []error
	if o.Type != "" {
		problems = append(problems, check("Type", o.Type, accessTokenType))
	}
	for i, typ := range o.AllowTypes {
		problems = append(problems, check("AllowTypes["+strconv.Itoa(i)+"]", typ, "JWT"))
	}
	return errors.Join(problems...)
}

// isMediaType reports whether a typ has the characters of a type's name, and
// at most one slash (RFC 6838, section 4.2).
func isMediaType(typ string) bool {
	for _, c := range []byte(typ) {
		if !isAlphanumeric(c) && strings.IndexByte("/!#$&-^_.+", c) < 0 {
			return false
		}
	}
	return strings.Count(typ, "/") <= 1
}

// maxLeeway is the maximum of [VerifierOptions].Leeway. The slack of auth.Revocations is a
// little longer.
const maxLeeway = time.Minute

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
	// Identity is called once for each token, after all checks except revocations
	// and Validate. It is for issuers whose claims for scopes, roles and the type
	// of a caller are not those of RFC 9068. It is called with the identity of RFC
	// 9068, and returns the identity of the principal, which is cached with the
	// token. An optional claim of another type is left out instead of refused.
	//
	// The returned Issuer and Claims are ignored; ExpiresAt can only become
	// earlier, and AuthTime must not be after iat. The token is refused if
	// Subject or CallerType is missing, and if Identity returns an error: a kind
	// of package auth reaches the client, and any other error is
	// [auth.ErrInvalid]. Identity must not block, and must be safe for concurrent
	// use. See [RFC9068].
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
	// MaxAge is the maximum of exp minus iat, at most 24 h. 0 means 1 h. Leeway is added,
	// because an issuer may take the two from different clocks, or one after the other.
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
	// InsecureMaxAge replaces MaxAge, and may exceed 24 h, for issuers whose tokens live
	// longer. A stolen token is valid for the same time.
	InsecureMaxAge time.Duration
	// Validate is called on every request, after all other checks. It returns the
	// errors of an [auth.Authenticator].
	Validate func(context.Context, *auth.Principal) error
}

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
	problems = append(problems, checkBounds(o))
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
		leeway: orDefault(o.Leeway, 30*time.Second), maxAge: cmp.Or(o.InsecureMaxAge, o.MaxAge, time.Hour), maxSize: orDefault(o.MaxSize, 8<<10),
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
