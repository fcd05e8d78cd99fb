package auth

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/nethttp"
	"github.com/ringwall/ringwall/internal/wiring"
)

// A Policy decides whether a principal may make a request. nil allows it; any error
// refuses it, also the failure of a policy (ASVS 5.0 16.5.3). Most policies return
// [ErrDenied]. An error without a kind becomes a 500.
type Policy func(*http.Request, *Principal) error

// Require authorizes requests at a route. It serves a request that has a principal and
// that all policies allow. It calls the policies in order. An anonymous request gets
// 401, and a refused one the error of the policy. Without policies, any principal is
// allowed. Behind a [Middleware] with InsecureReportOnly, refusals are reported, and
// the request is served. Require panics if a policy is nil, and the returned function
// if the handler is, so that a service finds it when it starts.
func Require(policies ...Policy) func(http.Handler) http.Handler {
	requirePolicies("auth: Require", "; did you mean Require()?", policies)
	policy := AllOf(policies...)
	return func(next http.Handler) http.Handler {
		wiring.RequireHandler("auth: Require", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := stateOf(r.Context())
			if s.principal == nil {
				if !s.from.refuse(w, r, -1, ErrMissing, Event{Reason: AccessDenied, Err: ErrMissing}) {
					next.ServeHTTP(w, r)
				}
				return
			}
			// The objects that Object loads belong to this request, even if several
			// requests share the context that has the state.
			s.objects = slices.Clip(s.objects)
			handled := nethttp.CopyRequest(context.WithValue(r.Context(), contextKey{}, &s), r)
			defer nethttp.CarryBack(r, handled) // a policy may have read a form
			err := policy(handled, s.principal)
			if err != nil && s.from.refuse(w, handled, s.used, err, Event{Reason: AccessDenied, Cause: ReasonOf(err), Principal: s.principal, Err: err}) {
				return
			}
			next.ServeHTTP(w, handled)
		})
	}
}

// requirePolicies panics if a policy is nil, as net/http does for a nil handler.
func requirePolicies(what, hint string, policies []Policy) {
	for i, policy := range policies {
		if policy == nil {
			panic(what + ": policies[" + strconv.Itoa(i) + "]: must not be nil" + hint)
		}
	}
}

// AllOf allows a caller if all policies do. It returns the first refusal, and does not call
// later policies. Inside [AnyOf], an [Object] must be first, or its
// object may be missing if another policy allows the caller. It panics if a
// policy is nil.
func AllOf(policies ...Policy) Policy {
	requirePolicies("auth: AllOf", "", policies)
	policies = slices.Clone(policies)
	return func(r *http.Request, p *Principal) error {
		for _, policy := range policies {
			if err := policy(r, p); err != nil {
				return err
			}
		}
		return nil
	}
}

// AnyOf allows a caller if one policy does. It calls all policies, so that an object is
// loaded even if another policy allows the caller. An object that does not exist is
// refused, whatever the others allow. A policy that fails, instead of refusing, refuses
// the request. It returns the refusal of an [Object], or else the first refusal.
// Without policies, AnyOf refuses every principal. It panics if a policy is nil.
func AnyOf(policies ...Policy) Policy {
	requirePolicies("auth: AnyOf", "", policies)
	policies = slices.Clone(policies)
	return func(r *http.Request, p *Principal) error {
		allowed := false
		var refusal error
		for _, policy := range policies {
			err := policy(r, p)
			hidden, isObject := errors.AsType[*hiddenError](err)
			switch {
			case err == nil:
				allowed = true
			case isObject && hidden.absent, !isObject && !refuses(err):
				return err
			case refusal == nil, isObject:
				refusal = err
			}
		}
		switch {
		case allowed:
			return nil
		case refusal == nil:
			return ErrDenied.With("policy", "AnyOf without policies")
		}
		return refusal
	}
}

// refuses reports whether an error is a response for the client and not a
// failure.
func refuses(err error) bool {
	kind, ok := errors.AsType[*errors.Kind](err)
	return ok && kind.Status() < 500
}

// Scopes allows a principal that was granted all these scopes, compared
// exactly. A refusal is a 403 whose challenge names them (RFC 6750, section
// 3.1). Without scopes it refuses every principal.
func Scopes(scopes ...string) Policy {
	refusal := scopeRefusal(scopes)
	scopes = slices.Clone(scopes)
	return func(_ *http.Request, p *Principal) error {
		if len(scopes) == 0 || slices.ContainsFunc(scopes, func(s string) bool { return !p.HasScope(s) }) {
			return refusal
		}
		return nil
	}
}

// AnyScope allows a principal that was granted one of these scopes.
func AnyScope(scopes ...string) Policy {
	refusal := scopeRefusal(scopes)
	scopes = slices.Clone(scopes)
	return func(_ *http.Request, p *Principal) error {
		if !slices.ContainsFunc(scopes, p.HasScope) {
			return refusal
		}
		return nil
	}
}

func scopeRefusal(scopes []string) error {
	list := strings.Join(scopes, " ")
	params := [][2]string{{"error", "insufficient_scope"}}
	if list != "" && isQuotable(list) {
		params = append(params, [2]string{"scope", list})
	}
	return &challenged{ErrDenied.With("required_scope", list), params}
}

// Role allows a principal that has exactly this role.
func Role(role string) Policy {
	refusal := ErrDenied.With("required_role", role)
	return func(_ *http.Request, p *Principal) error {
		if !p.HasRole(role) {
			return refusal
		}
		return nil
	}
}

// CallerTypes allows principals of these types, so that a route for persons
// refuses programs. It refuses a caller of type [Unknown], unless Unknown is
// listed. Without types it refuses every principal.
func CallerTypes(kinds ...CallerType) Policy {
	kinds = slices.Clone(kinds)
	return func(_ *http.Request, p *Principal) error {
		if !slices.Contains(kinds, p.CallerType()) {
			return ErrDenied.With("principal_kind", string(p.CallerType()))
		}
		return nil
	}
}

// MaxAuthAge allows a principal whose user authenticated at most age ago. A
// refusal is a 401 with max_age in the challenge, so that the client can ask for
// a new login (RFC 9470). A principal whose time of authentication is unknown is
// refused.
func MaxAuthAge(age time.Duration) Policy {
	refusal := &challenged{ErrStepUp.With("max_age", age.String()), [][2]string{
		stepUp[0],
		{"max_age", strconv.FormatInt(int64(age/time.Second), 10)},
	}}
	return func(_ *http.Request, p *Principal) error {
		if t := p.AuthTime(); t.IsZero() || time.Since(t) > age {
			return refusal
		}
		return nil
	}
}

// ACR allows a principal whose login has one of these authentication context classes,
// compared exactly. A refusal is a 401 whose challenge names them in acr_values, so
// that a client can ask the user for another login (RFC 9470). Without classes it
// refuses every principal.
func ACR(classes ...string) Policy {
	list := strings.Join(classes, " ")
	params := [][2]string{stepUp[0]}
	if list != "" && isQuotable(list) {
		params = append(params, [2]string{"acr_values", list})
	}
	refusal := &challenged{ErrWeakLogin.With("acr_values", list), params}
	classes = slices.Clone(classes)
	return func(_ *http.Request, p *Principal) error {
		if p.ACR() == "" || !slices.Contains(classes, p.ACR()) {
			return refusal
		}
		return nil
	}
}
