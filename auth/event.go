package auth

import (
	"context"

	"github.com/ringwall/ringwall/errors"
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

// tell calls the hook. The refusal stands already.
func (m *Middleware) tell(ctx context.Context, e Event) {
	if m == nil || m.onEvent == nil {
		return
	}
	hook.Call(ctx, m.logger, "auth: OnEvent", func() { m.onEvent(ctx, e) })
}

// challenged is an error with parameters for the challenge of the credential
// that was used.
type challenged struct {
	err    error
	params [][2]string
}

func (c *challenged) Error() string { return c.err.Error() }
func (c *challenged) Unwrap() error { return c.err }

// paramsOf returns the error parameters of RFC 6750, section 3.1, and of RFC
// 9470 for an error.
func paramsOf(err error) [][2]string {
	if c, ok := errors.AsType[*challenged](err); ok {
		return c.params
	}
	switch {
	case errors.Is(err, ErrMalformed):
		return [][2]string{{"error", "invalid_request"}}
	case errors.Is(err, ErrInvalid), errors.Is(err, ErrExpired), errors.Is(err, ErrRevoked):
		return [][2]string{{"error", "invalid_token"}}
	}
	return nil
}
