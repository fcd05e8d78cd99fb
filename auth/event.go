package auth

import (
	"context"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/hook"
)

// A Reason says what an [Event] is about, or why a credential was refused: it
// is in the chain of the errors of an [Authenticator], for [ReasonOf],
// errors.Is and errors.As. Each package has its own constants; package token
// names, for example, ReasonAudience. A client never sees it.
type Reason string

// Error returns the reason.
func (r Reason) Error() string { return string(r) }

// ReasonOf returns the reason of an error, or "" if it has none: often its
// kind says everything.
func ReasonOf(err error) Reason {
	reason, _ := errors.AsType[Reason](err)
	return reason
}

const (
	// CredentialRefused is a request that a [Middleware] did not let in.
	CredentialRefused Reason = "credential_refused"
	// AccessDenied is a request that [Require] did not let through.
	AccessDenied Reason = "access_denied"
)

// The reasons of a [Middleware] itself, as the Cause of an [Event].
const (
	// UnknownScheme is that no authenticator takes the Authorization.
	UnknownScheme Reason = "unknown_scheme"
	// SeveralCredentials is that two authenticators find a credential.
	SeveralCredentials Reason = "several_credentials"
)

// An Event is a refusal that a security log should know of (ASVS 5.0 16.3.1
// and 16.3.2).
type Event struct {
	Reason    Reason
	Cause     Reason     // why the credential was refused, of the authenticator's constants; "": Err says it
	Principal *Principal // nil for an anonymous caller
	Err       error      // of a kind of this package, mostly; it names no secret
}

// notifyHook calls the hook. The refusal stands already.
func (m *Middleware) notifyHook(ctx context.Context, e Event) {
	if m == nil || m.onEvent == nil {
		return
	}
	hook.Call(ctx, m.logger, "auth: OnEvent", func() { m.onEvent(ctx, e) })
}
