package auth

import "github.com/ringwall/ringwall/errors"

// The kinds of error of this package and the packages below it. Their messages do
// not have the reason of a refusal: a client gets the code, and the log the cause
// (ASVS 5.0 16.5.1).
var (
	// ErrMissing is the response to a request without the credential that it
	// needs: 401 auth_required. Its challenges have no error parameter (RFC 6750,
	// section 3.1).
	ErrMissing = errors.Define(401, "auth_required", "Authentication is required.")
	// ErrMalformed is the response to malformed credentials, and to more than one
	// credential: 400 auth_malformed.
	ErrMalformed = errors.Define(400, "auth_malformed", "The credentials are malformed or ambiguous.")
	// ErrInvalid is the response to a credential that is not valid: 401
	// auth_invalid.
	ErrInvalid = errors.Define(401, "auth_invalid", "The credentials are not valid.")
	// ErrExpired is the response to a genuine credential that has expired: 401
	// auth_expired. A client may refresh and repeat the request.
	ErrExpired = errors.Define(401, "auth_expired", "The credentials have expired.")
	// ErrRevoked is the response to a revoked credential: 401 auth_revoked.
	ErrRevoked = errors.Define(401, "auth_revoked", "The credentials have been revoked.")
	// ErrDenied is the response to an authenticated caller without permission:
	// 403 access_denied.
	ErrDenied = errors.Define(403, "access_denied", "You do not have permission to do this.")
	// ErrStepUp is the response to a caller whose login is too long ago for the
	// action: 401 login_too_old (RFC 9470).
	ErrStepUp = errors.Define(401, "login_too_old", "This action needs a more recent login.")
	// ErrWeakLogin is the response to a caller whose login is too weak for the
	// action, whatever its age: 401 login_too_weak (RFC 9470).
	ErrWeakLogin = errors.Define(401, "login_too_weak", "This action needs a stronger login.")
	// ErrUnavailable is the response if a credential cannot be checked: 503
	// auth_unavailable with Retry-After. It is never 401, because clients would
	// discard good credentials. An outage is logged at most once per ten seconds
	// for each reason.
	ErrUnavailable = errors.Define(503, "auth_unavailable", "Credentials cannot be checked at the moment. Try again later.").Sampled("reason")
)
