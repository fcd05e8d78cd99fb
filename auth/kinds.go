package auth

import "github.com/ringwall/ringwall/errors"

// The kinds of error that this package and the ones below it answer with. The
// texts say nothing about why a credential failed: what helps an honest client
// is in the code, and the rest is in the log (ASVS 5.0 16.5.1).
var (
	// ErrMissing answers a request that needs a credential and has none: 401
	// auth_required. Its challenges have no error parameter (RFC 6750,
	// section 3.1).
	ErrMissing = errors.Define(401, "auth_required", "Authentication is required.")
	// ErrMalformed answers a request whose credentials cannot be read, or that
	// has more than one: 400 auth_malformed.
	ErrMalformed = errors.Define(400, "auth_malformed", "The credentials are malformed or ambiguous.")
	// ErrInvalid answers a credential that is not, or no longer, one of ours:
	// 401 auth_invalid.
	ErrInvalid = errors.Define(401, "auth_invalid", "The credentials are not valid.")
	// ErrExpired answers a credential that was genuine until its time ended:
	// 401 auth_expired. A client may refresh and repeat the request.
	ErrExpired = errors.Define(401, "auth_expired", "The credentials have expired.")
	// ErrRevoked answers a credential that was taken back: 401
	// auth_revoked.
	ErrRevoked = errors.Define(401, "auth_revoked", "The credentials have been revoked.")
	// ErrDenied answers a known caller who may not do this: 403 access_denied.
	ErrDenied = errors.Define(403, "access_denied", "You do not have permission to do this.")
	// ErrStepUp answers a caller whose login is too long ago for this: 401
	// login_too_old (RFC 9470).
	ErrStepUp = errors.Define(401, "login_too_old", "This action needs a more recent login.")
	// ErrUnavailable answers while nobody can tell whether a credential is
	// good: 503 auth_unavailable with Retry-After. It is never a 401, which
	// would make clients throw good credentials away. Of an outage, one record
	// in ten seconds is logged for each reason.
	ErrUnavailable = errors.Define(503, "auth_unavailable", "Credentials cannot be checked at the moment. Try again later.").Sampled("reason")
)
