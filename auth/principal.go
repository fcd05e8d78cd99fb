package auth

import (
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// CallerType distinguishes persons from programs, so that a client that chooses its
// own name is never taken for the user of that name (RFC 9700, section 4.15). An
// [Identity] must have one of the three types.
type CallerType string

const (
	// Person is a person, or a program that acts for one.
	Person CallerType = "person"
	// Program is a program that acts for itself.
	Program CallerType = "program"
	// Unknown is a caller whose credential does not distinguish the two.
	// [CallerTypes] with Person or Program refuses it.
	Unknown CallerType = "unknown"
)

// An Identity has the facts that an [Authenticator] verified.
type Identity struct {
	// CallerType and Subject are required. A subject is unique only for its
	// issuer.
	CallerType      CallerType
	Issuer, Subject string
	// SessionID is the ID of the login that the credential belongs to, and
	// CredentialID that of the credential: a token's jti or a key's ID. Neither
	// is secret.
	SessionID, CredentialID string
	// Tier is a name for rate limits by principal.
	Tier string
	// Scope and Roles are the granted names, one per element.
	Scope, Roles []string
	// ExpiresAt is the time at which the credential expires, and AuthTime the
	// time at which the user authenticated. Zero means unknown.
	ExpiresAt, AuthTime time.Time
	// ACR is the class of the login, and AMR its methods, as the issuer names them
	// (OpenID Connect Core 1.0, section 2). Empty means unknown.
	ACR string
	AMR []string
	// Claims is the verified payload, a JSON object, for [Claims].
	Claims []byte
}

// A Principal is a caller whose credential was verified. It is immutable and safe
// for concurrent use; its methods return copies.
type Principal struct{ id Identity }

// NewPrincipal returns a principal with a copy of the identity. It reports a missing
// Subject and a missing or unknown CallerType.
func NewPrincipal(id Identity) (*Principal, error) {
	var problems []error
	if id.CallerType != Person && id.CallerType != Program && id.CallerType != Unknown {
		problems = append(problems, errors.New("auth: CallerType "+strconv.Quote(string(id.CallerType))+": is unknown; did you mean auth.Person, auth.Program or auth.Unknown?"))
	}
	if id.Subject == "" {
		problems = append(problems, errors.New("auth: Subject: must not be empty"))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	id.Scope, id.Roles, id.Claims = slices.Clone(id.Scope), slices.Clone(id.Roles), slices.Clone(id.Claims)
	id.AMR = slices.Clone(id.AMR)
	return &Principal{id}, nil
}

// CallerType returns whether the caller is a person or a program, or [Unknown].
func (p *Principal) CallerType() CallerType { return p.id.CallerType }

// Issuer returns the issuer of the credential, or "".
func (p *Principal) Issuer() string { return p.id.Issuer }

// Subject returns the ID of the caller, which is unique for its issuer.
func (p *Principal) Subject() string { return p.id.Subject }

// SessionID returns the ID of the login that the credential belongs to, or "".
func (p *Principal) SessionID() string { return p.id.SessionID }

// CredentialID returns the ID of the credential, or "".
func (p *Principal) CredentialID() string { return p.id.CredentialID }

// Tier returns the name for rate limits by principal, or "".
func (p *Principal) Tier() string { return p.id.Tier }

// Scope returns a copy of the granted scopes.
func (p *Principal) Scope() []string { return slices.Clone(p.id.Scope) }

// Roles returns a copy of the roles.
func (p *Principal) Roles() []string { return slices.Clone(p.id.Roles) }

// ExpiresAt returns the time at which the credential expires, or the zero time.
func (p *Principal) ExpiresAt() time.Time { return p.id.ExpiresAt }

// AuthTime returns the time at which the user authenticated, or the zero time.
func (p *Principal) AuthTime() time.Time { return p.id.AuthTime }

// ACR returns the class of the login as the issuer names it, or "".
func (p *Principal) ACR() string { return p.id.ACR }

// AMR returns a copy of the methods of the login as the issuer names them.
func (p *Principal) AMR() []string { return slices.Clone(p.id.AMR) }

// Claims returns a copy of the verified payload, or nil. See [Claims].
func (p *Principal) Claims() []byte { return slices.Clone(p.id.Claims) }

// HasScope reports whether exactly this scope was granted: "orders" does not
// grant "orders:read".
func (p *Principal) HasScope(scope string) bool { return slices.Contains(p.id.Scope, scope) }

// HasRole reports whether the caller has exactly this role.
func (p *Principal) HasRole(role string) bool { return slices.Contains(p.id.Roles, role) }

// LogValue returns the names of caller, session and credential; no claims.
func (p *Principal) LogValue() slog.Value {
	if p == nil {
		return slog.StringValue("anonymous")
	}
	return slog.GroupValue(
		slog.String("caller_type", string(p.id.CallerType)),
		slog.String("subject", p.id.Subject),
		slog.String("session_id", p.id.SessionID),
		slog.String("credential_id", p.id.CredentialID),
	)
}

// String returns the kind and the subject, and keeps claims out of fmt's
// output.
func (p *Principal) String() string {
	if p == nil {
		return "anonymous"
	}
	return string(p.id.CallerType) + " " + p.id.Subject
}

// GoString is [Principal.String], for %#v.
func (p *Principal) GoString() string { return p.String() }
