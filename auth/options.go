package auth

import (
	"context"
	"log/slog"
	"net/http"
)

// Options configures a [Middleware]. At least one authenticator is required.
// Without patterns, every request needs a principal.
type Options struct {
	// Authenticators verify credentials. A request with credentials for two of
	// them is refused as ambiguous. At most one may accept bearer tokens;
	// token.ByIssuer combines several verifiers.
	Authenticators []Authenticator
	// Public lists patterns of requests whose credentials are not read, such as
	// login, refresh, public keys and health. The language is that of
	// http.ServeMux without hosts; only a clean path matches. "/" is refused.
	Public []string
	// Optional lists patterns of requests that may be anonymous. A bad credential
	// is refused nevertheless.
	Optional []string
	// Realm is the protection space in challenges. Empty means "api".
	Realm string
	// Route returns the pattern that the application's own router picks, for
	// routers that strip prefixes. Public and Optional are then compared with
	// it. nil means that they are compared with the path.
	Route func(*http.Request) string
	// OnEvent is called after each refusal is decided, or reported. It must not block. A panic
	// is logged and has no other effect.
	OnEvent func(context.Context, Event)
	// Logger receives an error if OnEvent panics. nil means slog.Default().
	Logger *slog.Logger
	// InsecureReportOnly serves every request, so that a running service can be
	// watched before it is changed. A request that would be refused has no principal,
	// or the one that [Require] would refuse, and it is reported to OnEvent and to
	// errors.Report. Require reports too, behind this Middleware.
	InsecureReportOnly bool
	// ErrorHandler responds to refused requests. Challenges are set before it is
	// called. nil means errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}
