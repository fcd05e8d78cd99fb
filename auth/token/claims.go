package token

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
)

// claims has the registered claims that a verifier reads. Its strings share the memory of
// the payload.
type claims struct {
	issuer, subject, id, session, client string
	audience                             member // an array of strings, or one
	scope, roles                         []string
	times
	authTime     time.Time
	acr          string
	amr          []string
	confirmation member // cnf
	binding      binding
	idToken      bool // has a claim that ID tokens have, and access tokens do not
	events       bool // has the claim of a security event token (RFC 8417)
	marked       bool // has a claim by which another issuer marks programs
	program      bool // has such a claim with the value for programs
}

// times are compared with the clock on every request.
type times struct{ expires, notBefore, issued time.Time }

// reserved lists the claims that only an Issuer itself may set.
var reserved = [...]string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "client_id", "scope", "roles", "auth_time", "cnf",
}

// parseClaims reads the claims of a payload. It returns the name of the first invalid
// claim, or "". If lenient, it ignores optional claims of the wrong type, and sub may be
// missing.
func parseClaims(list []member, lenient bool) (c claims, wrong string) {
	for _, m := range list {
		if !c.setClaim(m) && (!lenient || !c.clearOptional(m.name)) {
			return c, m.name
		}
	}
	switch {
	case c.subject == "" && !lenient, len(c.subject) > maxSubject:
		return c, "sub"
	case c.expires.IsZero():
		return c, "exp"
	case c.issued.IsZero():
		return c, "iat"
	}
	return c, ""
}

// setClaim sets the field of one claim, and reports whether its type and form are valid.
func (c *claims) setClaim(m member) (ok bool) {
	switch m.name {
	case "iss":
		c.issuer, ok = m.stringValue()
	case "sub":
		c.subject, ok = m.stringValue()
	case "jti":
		c.id, ok = m.stringValue()
	case "sid":
		c.session, ok = m.stringValue()
	case "client_id":
		c.client, ok = m.stringValue()
	case "aud":
		c.audience, ok = m, m.each(func(string) {})
	case "scope":
		var list string
		list, ok = m.stringValue()
		c.scope = words(list)
	case "roles":
		c.roles, ok = m.texts()
	case "exp":
		c.expires, ok = m.date(math.Floor)
	case "nbf":
		c.notBefore, ok = m.date(math.Ceil)
	case "iat":
		c.issued, ok = m.date(math.Floor)
	case "auth_time":
		c.authTime, ok = m.date(math.Floor)
	case "cnf":
		c.confirmation, ok = m, true
	case "acr":
		c.acr, _ = m.stringValue() // some issuers send a number
		return true
	case "amr":
		c.amr, _ = m.texts()
		return true
	case "gty", "idtyp":
		// Auth0 and Entra mark the tokens of programs with these. Their shared secrets
		// can sign, so kindOf needs the mark.
		c.marked = true
		_ = m.each(func(value string) { c.program = c.program || value == "client-credentials" || value == "app" })
		return true
	default:
		// A registered name in another case, such as EXP, is an error, because readers
		// that ignore case would take it for the claim.
		c.setMarks(m.name)
		return !isReserved(m.name)
	}
	return ok
}

// setMarks records that a token has a claim of another kind of token, in any case,
// because readers that ignore the case would take it for one.
func (c *claims) setMarks(name string) {
	c.events = c.events || strings.EqualFold(name, "events")
	for _, mark := range [...]string{"nonce", "at_hash", "c_hash", "s_hash"} {
		c.idToken = c.idToken || strings.EqualFold(name, mark)
	}
}

// isOfClient reports whether a client acts for itself: its own ID is the subject
// (RFC 9068, section 5).
func (c *claims) isOfClient() bool { return c.client != "" && c.client == c.subject }

// clearOptional removes a claim that a token need not have, and reports whether the
// name is that of one.
func (c *claims) clearOptional(name string) bool {
	switch name {
	case "scope":
		c.scope = nil
	case "roles":
		c.roles = nil
	case "auth_time":
		c.authTime = time.Time{}
	case "jti":
		c.id = ""
	case "sid":
		c.session = ""
	case "client_id":
		c.client = ""
	default:
		return false
	}
	return true
}

// maxSubject is the maximum length of a subject in bytes.
const maxSubject = 256

// isReserved reports whether a name is that of a registered claim, in any case.
func isReserved(name string) bool {
	return slices.ContainsFunc(reserved[:], func(r string) bool { return strings.EqualFold(r, name) })
}

// words splits at single spaces (RFC 6749, section 3.3).
func words(list string) []string {
	if list == "" {
		return nil
	}
	words := make([]string, 0, strings.Count(list, " ")+1)
	for word := range strings.SplitSeq(list, " ") {
		if word != "" {
			words = append(words, word)
		}
	}
	return words
}

// lastSecond is the end of the year 9999. Later dates are refused.
const lastSecond = 253402300799

// date returns the value as a NumericDate (RFC 7519, section 2), rounded to
// the stricter side.
func (m member) date(round func(float64) float64) (time.Time, bool) {
	if c := m.value[0]; c != '-' && (c < '0' || c > '9') {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseFloat(m.value, 64)
	if err != nil || seconds <= 0 || seconds > lastSecond {
		return time.Time{}, false
	}
	return time.Unix(int64(round(seconds)), 0), true
}

// identity returns the identity in the claims.
func (c *claims) identity(kind auth.CallerType, payload string) auth.Identity {
	return auth.Identity{
		CallerType: kind, Issuer: c.issuer, Subject: c.subject, SessionID: c.session, CredentialID: c.id,
		Scope: c.scope, Roles: c.roles, ExpiresAt: c.expires, AuthTime: c.authTime, ACR: c.acr, AMR: c.amr, Claims: []byte(payload),
	}
}

// texts returns the value as an array of strings.
func (m member) texts() (list []string, ok bool) {
	ok = m.value != "" && m.value[0] == '[' && m.each(func(s string) { list = append(list, s) })
	return list, ok
}
