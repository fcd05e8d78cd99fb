package auth

import (
	"context"

	"github.com/ringwall/ringwall/internal/hook"
)

// Reason says what an [Event] is about.
type Reason string

const (
	// CredentialRefused is a request that a [Middleware] did not let in.
	CredentialRefused Reason = "credential_refused"
	// AccessDenied is a request that [Require] did not let through.
	AccessDenied Reason = "access_denied"
)

// An Event is a refusal that a security log should know of (ASVS 5.0 16.3.1
// and 16.3.2).
type Event struct {
	Reason    Reason
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
