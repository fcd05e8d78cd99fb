package auth

import (
	"context"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/hook"
)

// A Reason identifies the type of an [Event], or why a credential was refused. It is
// in the chain of the errors of an [Authenticator], for [ReasonOf], errors.Is and
// errors.As. Each package has its own constants, such as token.ReasonAudience. A
// client never sees it.
type Reason string

// Error returns the reason.
func (r Reason) Error() string { return string(r) }

// ReasonOf returns the reason of an error, or "" if it has none. For many errors the
// kind is enough.
func ReasonOf(err error) Reason {
	reason, _ := errors.AsType[Reason](err)
	return reason
}

const (
	// CredentialRefused means that a [Middleware] refused a request.
	CredentialRefused Reason = "credential_refused"
	// AccessDenied means that [Require] refused a request.
	AccessDenied Reason = "access_denied"
)

// The reasons of a [Middleware] itself, as the Cause of an [Event].
const (
	// UnknownScheme means that no authenticator accepts the scheme of the
	// Authorization header.
	UnknownScheme Reason = "unknown_scheme"
	// SeveralCredentials means that two authenticators found a credential.
	SeveralCredentials Reason = "several_credentials"
)

// An Event is a refusal for a security log (ASVS 5.0 16.3.1 and 16.3.2).
type Event struct {
	Reason    Reason
	Cause     Reason     // why the credential was refused, from the authenticator's constants; may be empty
	Principal *Principal // nil for an anonymous caller
	Err       error      // usually of a kind of this package; it has no secret
	// Reported is true if the request was served, because of InsecureReportOnly.
	Reported bool
}

// notifyHook calls OnEvent, after the decision.
func (m *Middleware) notifyHook(ctx context.Context, e Event) {
	if m == nil || m.onEvent == nil {
		return
	}
	hook.Call(ctx, m.logger, "auth: OnEvent", func() { m.onEvent(ctx, e) })
}
