package token

import (
	"strings"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// The reasons for which a [Verifier] refuses a token, for [auth.ReasonOf] and the
// Cause of an [auth.Event]. The kind of the error stays [auth.ErrInvalid], unless
// a constant names another.
const (
	ReasonSize      auth.Reason = "size"      // more than MaxSize bytes
	ReasonParts     auth.Reason = "parts"     // not three parts: opaque, or encrypted
	ReasonEncoding  auth.Reason = "base64url" // a part is not canonical base64url
	ReasonHeader    auth.Reason = "header"    // not a JSON object of distinct names, or an extension
	ReasonType      auth.Reason = "typ"       // missing, or none of Type and AllowTypes
	ReasonKey       auth.Reason = "kid"       // missing, or no key of this name is accepted now
	ReasonAlgorithm auth.Reason = "alg"       // missing, or not the key's
	ReasonSignature auth.Reason = "signature" // missing, or does not verify
	ReasonPayload   auth.Reason = "payload"   // not a JSON object of distinct names
	ReasonIssuer    auth.Reason = "iss"       // missing, or another
	ReasonAudience  auth.Reason = "aud"       // missing, or names other services only
	ReasonSubject   auth.Reason = "sub"       // missing, or more than 256 bytes
	ReasonIssuedAt  auth.Reason = "iat"       // missing, or in the future
	ReasonNotBefore auth.Reason = "nbf"       // in the future
	// ReasonExpiry is an exp that is missing or malformed, or, with
	// [auth.ErrExpired], one that has passed.
	ReasonExpiry   auth.Reason = "exp"
	ReasonLifetime auth.Reason = "lifetime" // exp is before iat, or more than MaxAge after it
	ReasonBound    auth.Reason = "cnf"      // bound to a key, so not a bearer token
	ReasonClaim    auth.Reason = "claim"    // another registered claim of the wrong type

	ReasonTenant  auth.Reason = "tenant"   // none of Tenants
	ReasonRequire auth.Reason = "require"  // a claim of Require is missing, or another
	ReasonIDToken auth.Reason = "id_token" // an ID token, which is for the client and not for this service
	ReasonEvents  auth.Reason = "events"   // a notification, such as a logout token
	// ReasonProof is a DPoP proof that is missing, wrong, or was used before.
	ReasonProof auth.Reason = "dpop"
	// ReasonCertificate is a client certificate that is missing, or another than the
	// token names.
	ReasonCertificate auth.Reason = "certificate"
	ReasonInactive    auth.Reason = "inactive" // the token is not active, by the reply of the introspection endpoint
	ReasonIdentity    auth.Reason = "identity" // the Identity function refuses the token
)

// Why a request with a bearer token is [auth.ErrMalformed].
const (
	ReasonRepeated auth.Reason = "repeated" // several Authorization headers
	ReasonForm     auth.Reason = "form"     // no token, or several in one header
	ReasonQuery    auth.Reason = "query"    // a second token in the query
)

// refused has an error for each reason, so that a flood of bad tokens does not allocate
// errors.
var refused = makeRefused()

func makeRefused() map[auth.Reason]error {
	errs := make(map[auth.Reason]error)
	for _, reason := range [...]auth.Reason{
		ReasonSize, ReasonParts, ReasonEncoding, ReasonHeader, ReasonType, ReasonKey, ReasonAlgorithm, ReasonSignature, ReasonPayload,
		ReasonIssuer, ReasonAudience, ReasonSubject, ReasonIssuedAt, ReasonNotBefore, ReasonExpiry, ReasonLifetime, ReasonBound, ReasonClaim,
		ReasonIDToken, ReasonEvents, ReasonInactive,
	} {
		errs[reason] = refusal(reason)
	}
	return errs
}

// invalid is a refusal with its reason, which clients do not see.
func invalid(reason auth.Reason) error { return refused[reason] }

// refusal is a refusal with its reason and further attributes, which clients do not
// see either.
func refusal(reason auth.Reason, attrs ...any) *errors.Error {
	return auth.ErrInvalid.With(append([]any{"reason", string(reason)}, attrs...)...).Wrap(reason)
}

// malformed is a refusal of the header, with its reason and a text for the log.
func malformed(reason auth.Reason, text string) error {
	return auth.ErrMalformed.With("reason", text).Wrap(reason)
}

var errExpired = auth.ErrExpired.Wrap(ReasonExpiry)

// invalidClaim is a refusal for a claim, whose name may have another case.
func invalidClaim(name string) error {
	reason := ReasonClaim
	for _, r := range [...]auth.Reason{
		ReasonPayload, ReasonIssuer, ReasonAudience, ReasonSubject, ReasonExpiry, ReasonIssuedAt, ReasonNotBefore, ReasonBound, ReasonIdentity,
	} {
		if strings.EqualFold(name, string(r)) {
			reason = r
		}
	}
	return refusal(reason, "claim", name)
}

// typeError returns the refusal of a typ, which for the two usual ones names the
// option that accepts it.
func typeError(typ string) error {
	switch normalizeType(typ) {
	case "":
		return errNoType
	case "jwt":
		return errTypeJWT
	}
	return invalid(ReasonType)
}

// mismatch is a refusal of a genuine token, with the difference for the log.
func mismatch(reason auth.Reason, actual, expected string) error {
	hint := ""
	switch {
	case strings.TrimSuffix(actual, "/") == strings.TrimSuffix(expected, "/"):
		hint = "trailing slash"
	case strings.EqualFold(actual, expected):
		hint = "letter case"
	case strings.TrimPrefix(strings.TrimPrefix(actual, "https://"), "http://") == strings.TrimPrefix(strings.TrimPrefix(expected, "https://"), "http://"):
		hint = "scheme"
	}
	attrs := []any{"actual", clipText(actual), "expected", clipText(expected)}
	if hint != "" {
		attrs = append(attrs, "difference", hint)
	}
	return refusal(reason, attrs...)
}

// clipText limits a text of a claim for a log record.
func clipText(text string) string {
	if len(text) > 256 {
		text = text[:256]
	}
	return strings.ToValidUTF8(text, "")
}
