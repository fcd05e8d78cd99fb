package token

import (
	"slices"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// RFC9068 is an Identity for issuers that follow RFC 9068, section 5: a caller whose
// subject is its client_id is an [auth.Program], and every other caller is an
// [auth.Person].
func RFC9068(p Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType = auth.Person
	if client := p.Text("client_id"); client != "" && client == id.Subject {
		id.CallerType = auth.Program
	}
	return id, nil
}

// An identifier calls the Identity function of the options.
type identifier func(Payload, auth.Identity) (auth.Identity, error)

// identify returns the identity that the function makes of the verified one. It
// restores Issuer and Claims, an ExpiresAt that is missing or later, and an AuthTime
// after iat, so that the function cannot widen the token.
func (f identifier) identify(p Payload, verified auth.Identity, t times) (auth.Identity, error) {
	given := verified
	given.Scope, given.Roles = slices.Clone(verified.Scope), slices.Clone(verified.Roles)
	given.AMR, given.Claims = slices.Clone(verified.AMR), slices.Clone(verified.Claims)
	id, err := f(p, given)
	if err != nil {
		return auth.Identity{}, identityError(err)
	}
	id.Issuer, id.Claims = verified.Issuer, verified.Claims
	if id.ExpiresAt.IsZero() || id.ExpiresAt.After(verified.ExpiresAt) {
		id.ExpiresAt = verified.ExpiresAt
	}
	if id.AuthTime.After(t.issued) {
		id.AuthTime = verified.AuthTime
	}
	switch {
	case id.Subject == "" || len(id.Subject) > maxSubject:
		return auth.Identity{}, invalidClaim("identity")
	case id.CallerType != auth.Person && id.CallerType != auth.Program && id.CallerType != auth.Unknown:
		return auth.Identity{}, invalidClaim("identity")
	}
	return id, nil
}

// identityError returns an error of Identity. An error that an authenticator may return is
// returned unchanged. Any other error is wrapped in [auth.ErrInvalid].
func identityError(err error) error {
	kind, _ := errors.AsType[*errors.Kind](err)
	switch kind {
	case auth.ErrExpired, auth.ErrRevoked, auth.ErrUnavailable, auth.ErrDenied, auth.ErrStepUp, auth.ErrWeakLogin:
		return err
	}
	return auth.ErrInvalid.With("reason", string(ReasonIdentity)).Wrap(errors.Join(ReasonIdentity, errors.Opaque(err)))
}
