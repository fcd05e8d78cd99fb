package auth

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/ringwall/ringwall/errors"
)

// hiddenError is the refusal of an [Object] policy. The response is the same for
// an object that does not exist and for one that the caller may not use; absent
// distinguishes them.
type hiddenError struct {
	err    error
	absent bool
}

func (h *hiddenError) Error() string { return h.err.Error() }
func (h *hiddenError) Unwrap() error { return h.err }

// Object returns a policy for a single object: load returns it, and can reports
// whether the principal may access it (OWASP API1:2023). A missing object, for which
// load returns notFound or an error that wraps it, and another caller's object both
// give notFound, so that a caller cannot find out which objects exist. Any other
// error of load is returned unchanged.
//
// The handler gets the same object from [ObjectFrom]. A write should still have the
// owner in its own condition, because the object can change in between (ASVS 5.0
// 15.4.2).
//
// Object panics if an argument is nil, or if notFound has a status of 500 or more, so
// that a service finds it when it starts.
func Object[O any](notFound *errors.Kind, load func(*http.Request) (O, error), can func(context.Context, *Principal, O) bool) Policy {
	switch {
	case notFound == nil:
		panic("auth: Object: notFound must not be nil; did you mean errors.ErrNotFound?")
	case notFound.Status() >= 500:
		// AnyOf would take the refusal for a failure.
		panic("auth: Object: notFound has the status " + strconv.Itoa(notFound.Status()) + "; did you mean a kind with 404?")
	case load == nil:
		panic("auth: Object: load must not be nil")
	case can == nil:
		panic("auth: Object: can must not be nil")
	}
	return func(r *http.Request, p *Principal) error {
		object, err := load(r)
		switch {
		case err == error(notFound):
			return &hiddenError{err, true}
		case errors.Is(err, notFound):
			return &hiddenError{notFound.Wrap(errors.Opaque(err)), true}
		case err != nil:
			return err
		}
		allowed := can(r.Context(), p, object)
		if s, ok := r.Context().Value(contextKey{}).(*state); ok {
			s.objects = append(s.objects, loaded{object, allowed})
		}
		if !allowed {
			return &hiddenError{notFound.With("object", "not the caller's"), false}
		}
		return nil
	}
}

// loaded is an object, and whether its own policy allowed it.
type loaded struct {
	object  any
	allowed bool
}

// ObjectFrom returns the object of type O that an [Object] policy of this
// request loaded. If there are several, it is the last one that its own policy
// allowed; the last one of all, if another policy of an [AnyOf] let the caller
// through. It returns false if no object of type O was loaded.
func ObjectFrom[O any](ctx context.Context) (O, bool) {
	var last O
	found := false
	for _, l := range slices.Backward(stateOf(ctx).objects) {
		object, ok := l.object.(O)
		switch {
		case ok && l.allowed:
			return object, true
		case ok && !found:
			last, found = object, true
		}
	}
	return last, found
}
