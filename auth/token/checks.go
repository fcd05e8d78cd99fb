package token

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
)

// checkClaims compares the claims with the options of the verifier. The typ is
// that of the header.
func (v *Verifier) checkClaims(c *claims, list []member, typ string) error {
	if err := v.issuer.check(c.issuer, list); err != nil {
		return err
	}
	switch {
	case c.audience.value == "" && v.anyAudience:
	case !hasName(c.audience, v.audience):
		return audienceError(c.audience, v.audience)
	}
	// Some issuers take iat from the login and exp from the token, a second later.
	if c.expires.Before(c.issued) || c.expires.Sub(c.issued) > v.maxAge+v.leeway {
		return refusal(ReasonLifetime, "actual", c.expires.Sub(c.issued).String(), "expected", "at most "+v.maxAge.String())
	}
	for i := range v.required {
		if !v.required[i].accepts(list) {
			return auth.ErrInvalid.With("reason", string(ReasonRequire), "claim", v.required[i].claim).Wrap(fmt.Errorf("%w %s", ReasonRequire, v.required[i].claim))
		}
	}
	switch {
	case c.events && !v.logout:
		return invalid(ReasonEvents)
	case c.idToken && !v.idTokens && typ != accessTokenType:
		return invalid(ReasonIDToken)
	case c.confirmation.value != "" && !v.bind(c):
		return invalidClaim("cnf")
	}
	return nil
}

// audienceError returns the error for a token that is meant for other services. The log
// has their names.
func audienceError(aud member, expected []string) error {
	var names []string
	aud.value = cmp.Or(aud.value, "[]")
	_ = aud.each(func(name string) { names = append(names, name) }) // setClaim has checked its type
	return mismatch(ReasonAudience, strings.Join(names, " "), strings.Join(expected, " "))
}

// hasName reports whether a string or an array of strings has one of the names.
func hasName(m member, names []string) (found bool) {
	return m.value != "" && m.each(func(name string) { found = found || slices.Contains(names, name) }) && found
}

// checkTimes compares the times with the clock. It checks iat and nbf of cached tokens
// too, because the clock may have been set back.
func (v *Verifier) checkTimes(t times, now time.Time) error {
	switch {
	case t.issued.After(now.Add(v.leeway)):
		return invalid(ReasonIssuedAt)
	case t.notBefore.After(now.Add(v.leeway)):
		return invalid(ReasonNotBefore)
	case !now.Before(t.expires.Add(v.leeway)):
		return errExpired
	}
	return nil
}

// kindOf returns the type of a caller. A client that acts for itself has its own ID as
// the subject (RFC 9068, section 5). Some issuers give such a client another subject, so
// without the option CallerType the type is Unknown for tokens of other issuers. A token
// that is marked as a program's never belongs to a person, whatever the options are.
func (v *Verifier) kindOf(c *claims, key *Key) auth.CallerType {
	program := c.program || strings.HasSuffix(c.subject, "@clients")
	switch {
	case c.isOfClient():
		return auth.Program
	case v.identify != nil:
		return auth.Person // Identity decides
	case v.kind == auth.Person && program:
		return auth.Unknown
	case v.kind != "":
		return v.kind
	case !key.canSign() || c.marked || program:
		return auth.Unknown
	}
	return auth.Person
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

// accepts reports whether iss may match the name. For a template, it does not compare iss
// with the claim, which check does.
func (n *issuerName) accepts(iss string) bool {
	if n.claim == "" {
		return iss == n.text
	}
	return isWordBetween(n.prefix, iss, n.suffix)
}

// isWordBetween reports whether a text is a prefix, a word and a suffix.
func isWordBetween(prefix, text, suffix string) bool {
	word, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return false
	}
	word, ok = strings.CutSuffix(word, suffix)
	return ok && isWord(word)
}

// isWord reports whether text has 1 to 64 letters, digits and hyphens, which is the
// form of the claim in the template of an issuer.
func isWord(text string) bool {
	for _, c := range []byte(text) {
		if !isAlphanumeric(c) && c != '-' {
			return false
		}
	}
	return text != "" && len(text) <= 64
}

// check returns an error unless iss matches the name, and the claim of a template is one
// of the tenants.
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
		return refusal(ReasonTenant, "tenant", tenant)
	}
	return nil
}

// bindsTo reports whether a key whose member issuer is keyIssuer may verify tokens of iss.
// keyIssuer may contain {tenantid}, which stands for 1 to 64 letters, digits and hyphens.
func bindsTo(keyIssuer, iss string) bool {
	if keyIssuer == "" {
		return true
	}
	prefix, suffix, template := strings.Cut(keyIssuer, "{tenantid}")
	if !template {
		return keyIssuer == iss
	}
	return isWordBetween(prefix, iss, suffix)
}

// A requirement is a claim and its accepted values.
type requirement struct {
	claim string
	texts []string
}

// accepts reports whether the claim of a payload is one of the accepted values, or an
// array that contains one.
func (r *requirement) accepts(list []member) (found bool) {
	m, ok := memberOf(list, r.claim)
	return ok && m.each(func(text string) { found = found || slices.Contains(r.texts, text) }) && found
}

// recheck makes the checks whose results change after a token was verified: those of the
// clock, of revocations and of Validate.
func (v *Verifier) recheck(ctx context.Context, e *entry, now time.Time) error {
	if err := v.checkTimes(e.times, now); err != nil {
		return err
	}
	if err := checkRevocations(ctx, v.revocations, e.principal, e.times.issued); err != nil {
		return err
	}
	if v.validate != nil {
		return v.validate(ctx, e.principal)
	}
	return nil
}

// checkRevocations checks the principal of a token that was issued at a time. Nil
// revocations revoke nothing.
func checkRevocations(ctx context.Context, r *auth.Revocations, p *auth.Principal, issued time.Time) error {
	if r == nil {
		return nil
	}
	return r.Check(ctx, p.CredentialID(), p.SessionID(), p.Subject(), issued)
}

// bind reads the cnf of a token. It reports false if cnf has a member that this verifier
// cannot check.
func (v *Verifier) bind(c *claims) bool {
	list, ok := members(c.confirmation.value, nil, maxHeader)
	if !ok || len(list) == 0 {
		return false
	}
	b := &c.binding
	for _, m := range list {
		switch {
		case m.name == "jkt" && v.dpop != nil:
			b.key, ok = m.stringValue()
		case m.name == "x5t#S256" && v.certificates != nil:
			b.certificate, ok = m.stringValue()
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
	return b.key != "" || b.certificate != ""
}
