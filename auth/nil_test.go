package auth_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

var errGone = errors.Define(404, "gone_in_test", "Gone.")

// A nil handler or policy panics at start, as in http.Handle, instead of a 500
// for each request.
func TestNilIsRefusedWhenTheServiceStarts_FE9(t *testing.T) {
	m := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{bearer}}))
	load := func(*http.Request) (int, error) { return 1, nil }
	can := func(context.Context, *auth.Principal, int) bool { return true }
	for name, row := range map[string]struct {
		wire func()
		want string
	}{
		"FE9 Handler of nil":              {func() { m.Handler(nil) }, "auth: Handler(nil): the next handler must not be nil; did you mean the router?"},
		"FE9 Handler of a nil func":       {func() { m.Handler(http.HandlerFunc(nil)) }, "auth: Handler(nil): the next handler must not be nil; did you mean the router?"},
		"FE9 Require of nil":              {func() { auth.Require(nil) }, "auth: Require: policies[0]: must not be nil; did you mean Require()?"},
		"FE9 Require of nil, the second":  {func() { auth.Require(auth.Role("a"), nil) }, "auth: Require: policies[1]: must not be nil; did you mean Require()?"},
		"FE9 Require in front of nil":     {func() { auth.Require()(nil) }, "auth: Require(nil): the next handler must not be nil; did you mean the router?"},
		"FE9 AllOf of nil":                {func() { auth.AllOf(nil) }, "auth: AllOf: policies[0]: must not be nil"},
		"FE9 AnyOf of nil":                {func() { auth.AnyOf(auth.Role("a"), nil) }, "auth: AnyOf: policies[1]: must not be nil"},
		"FE9 Object without notFound":     {func() { auth.Object(nil, load, can) }, "auth: Object: notFound must not be nil; did you mean errors.ErrNotFound?"},
		"FE9 Object without load":         {func() { auth.Object(errGone, nil, can) }, "auth: Object: load must not be nil"},
		"FE9 Object without can":          {func() { auth.Object(errGone, load, nil) }, "auth: Object: can must not be nil"},
		"FE9 Object whose notFound fails": {func() { auth.Object(auth.ErrUnavailable, load, can) }, "auth: Object: notFound has the status 503; did you mean a kind with 404?"},
	} {
		t.Run(name, func(t *testing.T) { require.PanicsWithValue(t, row.want, row.wire) })
	}
}
