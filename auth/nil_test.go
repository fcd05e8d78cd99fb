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
		"FE9 Handler of nil":              {wire: func() { m.Handler(nil) }, want: "auth: Handler(nil): the next handler must not be nil; did you mean the router?"},
		"FE9 Handler of a nil func":       {wire: func() { m.Handler(http.HandlerFunc(nil)) }, want: "auth: Handler(nil): the next handler must not be nil; did you mean the router?"},
		"FE9 Require of nil":              {wire: func() { auth.Require(nil) }, want: "auth: Require: policies[0]: must not be nil; did you mean Require()?"},
		"FE9 Require of nil, the second":  {wire: func() { auth.Require(auth.Role("a"), nil) }, want: "auth: Require: policies[1]: must not be nil; did you mean Require()?"},
		"FE9 Require in front of nil":     {wire: func() { auth.Require()(nil) }, want: "auth: Require(nil): the next handler must not be nil; did you mean the router?"},
		"FE9 AllOf of nil":                {wire: func() { auth.AllOf(nil) }, want: "auth: AllOf: policies[0]: must not be nil"},
		"FE9 AnyOf of nil":                {wire: func() { auth.AnyOf(auth.Role("a"), nil) }, want: "auth: AnyOf: policies[1]: must not be nil"},
		"FE9 Object without notFound":     {wire: func() { auth.Object(nil, load, can) }, want: "auth: Object: notFound must not be nil; did you mean errors.ErrNotFound?"},
		"FE9 Object without load":         {wire: func() { auth.Object(errGone, nil, can) }, want: "auth: Object: load must not be nil"},
		"FE9 Object without can":          {wire: func() { auth.Object(errGone, load, nil) }, want: "auth: Object: can must not be nil"},
		"FE9 Object whose notFound fails": {wire: func() { auth.Object(auth.ErrUnavailable, load, can) }, want: "auth: Object: notFound has the status 503; did you mean a kind with 404?"},
	} {
		t.Run(name, func(t *testing.T) { require.PanicsWithValue(t, row.want, row.wire) })
	}
}
