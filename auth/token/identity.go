package token

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// RFC9068 is an Identity for issuers that keep RFC 9068, section 5: a caller whose
// subject is its client_id is an [auth.Program], and every other caller is an
// [auth.Person].
func RFC9068(p Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType = auth.Person
	if client := p.Text("client_id"); client != "" && client == id.Subject {
		id.CallerType = auth.Program
	}
	return id, nil
}

// An identifier calls the Identity function of the options.
type identifier func(Payload, auth.Identity) (auth.Identity, error)

// identify returns the identity that the function makes of the verified one. It
// restores Issuer and Claims, an ExpiresAt that is missing or later, and an AuthTime
// after iat, so that the function cannot widen the token.
func (f identifier) identify(p Payload, verified auth.Identity, t times) (auth.Identity, error) {
	given := verified
	given.Scope, given.Roles = slices.Clone(verified.Scope), slices.Clone(verified.Roles)
	given.AMR, given.Claims = slices.Clone(verified.AMR), slices.Clone(verified.Claims)
	id, err := f(p, given)
	if err != nil {
		return auth.Identity{}, identityError(err)
	}
	id.Issuer, id.Claims = verified.Issuer, verified.Claims
	if id.ExpiresAt.IsZero() || id.ExpiresAt.After(verified.ExpiresAt) {
		id.ExpiresAt = verified.ExpiresAt
	}
	if id.AuthTime.After(t.issued) {
		id.AuthTime = verified.AuthTime
	}
	switch {
	case id.Subject == "" || len(id.Subject) > maxSubject:
		return auth.Identity{}, invalidClaim("identity")
	case id.CallerType != auth.Person && id.CallerType != auth.Program && id.CallerType != auth.Unknown:
		return auth.Identity{}, invalidClaim("identity")
	}
	return id, nil
}

// identityError returns an error of the function as it is if it is one that an
// authenticator may return, and otherwise wrapped in [auth.ErrInvalid].
func identityError(err error) error {
	kind, _ := errors.AsType[*errors.Kind](err)
	switch kind {
	case auth.ErrExpired, auth.ErrRevoked, auth.ErrUnavailable, auth.ErrDenied, auth.ErrStepUp:
		return err
	}
	return auth.ErrInvalid.With("reason", string(ReasonIdentity)).Wrap(errors.Join(ReasonIdentity, errors.Opaque(err)))
}

// An issuerName is the iss that a verifier accepts: a name, or a template with one
// claim, such as https://login.example/{tid}/v2.0.
type issuerName struct {
	text                  string
	prefix, claim, suffix string   // of a template
	tenants               []string // the accepted values of the claim; nil means any
}

// newIssuerName reads the option Issuer and checks that Tenants fits it.
func newIssuerName(o VerifierOptions) (issuerName, []error) {
	n := issuerName{text: o.Issuer}
	var problems []error
	report := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("token: "+format, args...))
	}
	prefix, rest, found := strings.Cut(o.Issuer, "{")
	claim, suffix, closed := strings.Cut(rest, "}")
	switch {
	case !found && !strings.Contains(o.Issuer, "}"):
		if len(o.Tenants) > 0 || o.InsecureAnyTenant {
			report("Tenants: has no effect, because Issuer has no claim in braces; did you mean an Issuer such as %q?", "https://login.microsoftonline.com/{tid}/v2.0")
		}
		return n, problems
	case !closed || claim == "" || strings.ContainsAny(prefix+claim+suffix, "{}"):
		report("Issuer %q: must have at most one claim in braces", o.Issuer)
	case isReserved(claim):
		report("Issuer %q: must not take the claim %s, which is the same for all tenants", o.Issuer, claim)
	}
	switch {
	case len(o.Tenants) == 0 && !o.InsecureAnyTenant:
		report("Tenants: must not be empty: every tenant of the issuer could call; did you mean the IDs of your tenants, or InsecureAnyTenant?")
	case len(o.Tenants) > 0 && o.InsecureAnyTenant:
		report("InsecureAnyTenant: contradicts Tenants; did you mean to leave one out?")
	}
	for i, tenant := range o.Tenants {
		if !isWord(tenant) {
			report("Tenants[%d] %q: must have 1 to 64 letters, digits and hyphens", i, tenant)
		}
	}
	n.prefix, n.claim, n.suffix, n.tenants = prefix, claim, suffix, slices.Clone(o.Tenants)
	return n, problems
}

// accepts reports whether an iss has the form of the name. The claim is checked by
// check.
func (n *issuerName) accepts(iss string) bool {
	if n.claim == "" {
		return iss == n.text
	}
	tenant, ok := strings.CutPrefix(iss, n.prefix)
	if !ok {
		return false
	}
	tenant, ok = strings.CutSuffix(tenant, n.suffix)
	return ok && isWord(tenant)
}

// check compares the verified iss with the name.
func (n *issuerName) check(iss string, list []member) error {
	if n.claim == "" {
		if iss != n.text {
			return mismatch(ReasonIssuer, iss, n.text)
		}
		return nil
	}
	m, _ := memberOf(list, n.claim)
	if m.value == "" {
		return invalidClaim(n.claim)
	}
	tenant, ok := m.stringValue()
	switch {
	case !ok || !isWord(tenant):
		return invalidClaim(n.claim)
	case iss != n.prefix+tenant+n.suffix:
		return mismatch(ReasonIssuer, iss, n.prefix+tenant+n.suffix)
	case n.tenants != nil && !slices.Contains(n.tenants, tenant):
		return auth.ErrInvalid.With("reason", string(ReasonTenant), "tenant", tenant).Wrap(ReasonTenant)
	}
	return nil
}

// mismatch is a refusal of a genuine token, with the difference for the log.
func mismatch(reason auth.Reason, actual, expected string) error {
	hint := ""
	switch {
	case strings.TrimSuffix(actual, "/") == strings.TrimSuffix(expected, "/"):
		hint = "trailing slash"
	case strings.EqualFold(actual, expected):
		hint = "letter case"
	case strings.TrimPrefix(strings.TrimPrefix(actual, "https://"), "http://") == strings.TrimPrefix(strings.TrimPrefix(expected, "https://"), "http://"):
		hint = "scheme"
	}
	attrs := []any{"reason", string(reason), "actual", clipText(actual), "expected", clipText(expected)}
	if hint != "" {
		attrs = append(attrs, "difference", hint)
	}
	return auth.ErrInvalid.With(attrs...).Wrap(reason)
}

// clipText bounds what a log record gets of a claim.
func clipText(text string) string {
	if len(text) > 256 {
		text = text[:256]
	}
	return strings.ToValidUTF8(text, "")
}

// bindsTo reports whether a key with the member issuer of a key set verifies tokens
// of iss. The text may have {tenantid}, which is one segment of a path.
func bindsTo(keyIssuer, iss string) bool {
	if keyIssuer == "" {
		return true
	}
	prefix, suffix, template := strings.Cut(keyIssuer, "{tenantid}")
	if !template {
		return keyIssuer == iss
	}
	tenant, ok := strings.CutPrefix(iss, prefix)
	if !ok {
		return false
	}
	tenant, ok = strings.CutSuffix(tenant, suffix)
	return ok && isWord(tenant)
}
