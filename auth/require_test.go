package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

var errNoOrder = errors.Define(404, "order_not_found", "No such order.")

type order struct{ id, owner string }

// load returns the orders 1 (of ada) and 2 (of eve); 9 is a store that fails.
func load(r *http.Request) (order, error) {
	switch id := r.URL.Query().Get("id"); id {
	case "1":
		return order{id, "ada"}, nil
	case "2":
		return order{id, "eve"}, nil
	case "9":
		return order{}, errors.New("connection refused")
	}
	return order{}, errNoOrder.Header("X-Found", "no")
}

func mine(_ context.Context, p *auth.Principal, o order) bool { return o.owner == p.Subject() }

func TestRequireChecksPolicies(t *testing.T) {
	ada := auth.Identity{CallerType: auth.Person, Subject: "ada", Scope: []string{"orders:read", "orders:write"}, AuthTime: time.Now()}
	root := auth.Identity{CallerType: auth.Person, Subject: "root", Roles: []string{"admin"}}
	key := auth.Identity{CallerType: auth.Program, Subject: "ada"}
	either := auth.Identity{CallerType: auth.Unknown, Subject: "ada"}
	own := auth.Object(errNoOrder, load, mine)
	for _, row := range []struct {
		name, query string
		id          auth.Identity
		policies    []auth.Policy
		status      int
		code        string
	}{
		{"AZ1 anonymous", "", auth.Identity{}, nil, 401, "auth_required"},
		{"AZ3 a scope that is a prefix", "", ada, []auth.Policy{auth.Scopes("orders")}, 403, "access_denied"},
		{"AZ3 a scope that is longer", "", ada, []auth.Policy{auth.Scopes("orders:read:all")}, 403, "access_denied"},
		{"AZ3 a scope in another case", "", ada, []auth.Policy{auth.Scopes("Orders:read")}, 403, "access_denied"},
		{"AZ3 two scopes as one", "", ada, []auth.Policy{auth.Scopes("orders:read orders:write")}, 403, "access_denied"},
		{"one scope of two missing", "", ada, []auth.Policy{auth.Scopes("orders:read", "stock:read")}, 403, "access_denied"},
		{"no scopes listed", "", ada, []auth.Policy{auth.Scopes()}, 403, "access_denied"},
		{"none of any scope", "", ada, []auth.Policy{auth.AnyScope("a", "b")}, 403, "access_denied"},
		{"AnyOf nothing", "", ada, []auth.Policy{auth.AnyOf()}, 403, "access_denied"},
		{"another role", "", ada, []auth.Policy{auth.Role("admin")}, 403, "access_denied"},
		{"FT4 an unknown kind is no user", "", either, []auth.Policy{auth.CallerTypes(auth.Person)}, 403, "access_denied"},
		{"FT4 an unknown kind is no service", "", either, []auth.Policy{auth.CallerTypes(auth.Program)}, 403, "access_denied"},
		{"FT4 an unknown kind is neither of the two", "", either, []auth.Policy{auth.CallerTypes(auth.Program, auth.Person)}, 403, "access_denied"},
		{"AZ4 a program of the same name", "", key, []auth.Policy{auth.CallerTypes(auth.Person)}, 403, "access_denied"},
		{"a program never logged in", "", key, []auth.Policy{auth.MaxAuthAge(time.Hour)}, 401, "login_too_old"},
		{"AZ5 a policy that fails", "", ada, []auth.Policy{func(*http.Request, *auth.Principal) error { return errors.New("down") }}, 500, "internal_error"},
		{"AZ2 an object that is not there", "3", ada, []auth.Policy{own}, 404, "order_not_found"},
		{"AZ2 somebody else's object", "2", ada, []auth.Policy{own}, 404, "order_not_found"},
		{"AZ5 a store that fails", "9", ada, []auth.Policy{own}, 500, "internal_error"},
		{"AZ5 a store that fails, and an admin", "9", root, []auth.Policy{auth.AnyOf(auth.Role("admin"), own)}, 500, "internal_error"},
		{"not there, and an admin", "3", root, []auth.Policy{auth.AnyOf(auth.Role("admin"), own)}, 404, "order_not_found"},
		{"neither admin nor owner", "2", ada, []auth.Policy{auth.AnyOf(auth.Role("admin"), own)}, 404, "order_not_found"},
		{"the scope is asked before the object", "9", root, []auth.Policy{auth.Scopes("orders:read"), own}, 403, "access_denied"},
		{"any principal", "", key, nil, 200, "{ }"},
		{"exact scopes", "", ada, []auth.Policy{auth.Scopes("orders:write", "orders:read")}, 200, "{ }"},
		{"any scope", "", ada, []auth.Policy{auth.AnyScope("a", "orders:read")}, 200, "{ }"},
		{"a recent login", "", ada, []auth.Policy{auth.MaxAuthAge(time.Hour)}, 200, "{ }"},
		{"one's own object", "1", ada, []auth.Policy{own}, 200, "{1 ada}"},
		{"an admin gets the object too", "2", root, []auth.Policy{auth.AnyOf(auth.Role("admin"), own)}, 200, "{2 eve}"},
		{"AllOf inside AnyOf", "1", ada, []auth.Policy{auth.AnyOf(auth.AllOf(auth.CallerTypes(auth.Person), own), auth.Role("x"))}, 200, "{1 ada}"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/?id="+row.query, nil)
			if row.id.Subject != "" {
				r = r.WithContext(auth.NewContext(r.Context(), errors.Must(auth.NewPrincipal(row.id))))
			}
			w := httptest.NewRecorder()
			auth.Require(row.policies...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				o, _ := auth.ObjectFrom[order](r.Context())
				fmt.Fprint(w, o)
			})).ServeHTTP(w, r)
			require.Equal(t, row.status, w.Code)
			if row.status == 200 {
				require.Equal(t, row.code, w.Body.String())
				return
			}
			require.Equal(t, row.code, code(t, w.Result()))
			require.NotContains(t, w.Header(), "X-Found", "a header of load's error would tell what exists")
		})
	}
}

// The log has the error of load for an object that does not exist.
func TestMissingObjectIsLogged(t *testing.T) {
	for err, want := range map[error]string{
		errNoOrder:                             "order_not_found: No such order.",
		errNoOrder.Wrap(errors.New("no rows")): "order_not_found: order_not_found: no rows",
	} {
		own := auth.Object(errNoOrder, func(*http.Request) (order, error) { return order{}, err }, mine)
		require.EqualError(t, own(httptest.NewRequest("GET", "/", nil), nil), want)
	}
}

// Kinds of an application that has policies of its own.
var (
	errNoPIN  = errors.Define(401, "pin_required", "This needs your PIN.")
	errLocked = errors.Define(403, "account_locked", "The account is locked.")
)

func refusing(err error) auth.Policy {
	return func(*http.Request, *auth.Principal) error { return err }
}

// RFC 9110, section 15.5.2: every 401 has a challenge.
func TestRequireChallenges(t *testing.T) {
	for _, row := range []struct {
		name   string
		policy auth.Policy
		want   []string
	}{
		{"TH5 scope", auth.Scopes("stock:read", "stock:write"), []string{`Bearer realm="api", error="insufficient_scope", scope="stock:read stock:write"`}},
		{"TH6 a scope that does not fit into quotes", auth.Scopes(`a"b`), []string{`Bearer realm="api", error="insufficient_scope"`}},
		{"role", auth.Role("admin"), nil},
		{"a step up without an age", refusing(auth.ErrStepUp), []string{`Bearer realm="api", error="insufficient_user_authentication"`, `Signed alg="x", realm="api"`}},
		{"a 401 of the application", refusing(errNoPIN), []string{`Bearer realm="api"`, `Signed alg="x", realm="api"`}},
		{"a 403 of the application", refusing(errLocked), nil},
		{"age", auth.MaxAuthAge(90 * time.Second), []string{`Bearer realm="api", error="insufficient_user_authentication", max_age="90"`, `Signed alg="x", realm="api"`}},
		{"anonymous behind a public route", nil, []string{`Bearer realm="api"`, `Signed alg="x", realm="api"`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/orders", nil)
			var policies []auth.Policy
			o := auth.Options{Public: []string{"/orders"}}
			if row.policy != nil {
				policies, o.Public = []auth.Policy{row.policy}, nil
				r.Header.Set("Authorization", "Bearer ada")
			}
			res := serve(t, o, r, auth.Require(policies...)(http.HandlerFunc(whoami)).ServeHTTP)
			require.Equal(t, row.want, res.Header["Www-Authenticate"])
		})
	}
}

func TestMaxAuthAgeIncludesItsBoundary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := errors.Must(auth.NewPrincipal(auth.Identity{CallerType: auth.Person, Subject: "ada", AuthTime: time.Now()}))
		policy := auth.MaxAuthAge(time.Minute)
		<-time.After(time.Minute)
		require.NoError(t, policy(nil, p))
		<-time.After(time.Nanosecond)
		require.ErrorIs(t, policy(nil, p), auth.ErrStepUp)
	})
}

// Two policies may load objects of one type, from two places.
func TestObjectFromIsTheOneThatMayBeUsed(t *testing.T) {
	of := func(id, owner string) auth.Policy {
		return auth.Object(errNoOrder, func(*http.Request) (order, error) { return order{id, owner}, nil }, mine)
	}
	for _, row := range []struct {
		name   string
		policy auth.Policy
		want   string
	}{
		{"API1 the last one is somebody else's", auth.AnyOf(of("1", "ada"), of("2", "eve")), "{1 ada}"},
		{"API1 the first one is somebody else's", auth.AnyOf(of("2", "eve"), of("1", "ada")), "{1 ada}"},
		{"neither is the caller's, who may see all", auth.AnyOf(of("2", "eve"), of("3", "eve"), auth.CallerTypes(auth.Person)), "{3 eve}"},
		{"both are the caller's", auth.AllOf(of("1", "ada"), of("4", "ada")), "{4 ada}"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r = r.WithContext(auth.NewContext(r.Context(), errors.Must(auth.NewPrincipal(auth.Identity{CallerType: auth.Person, Subject: "ada"}))))
			w := httptest.NewRecorder()
			auth.Require(row.policy)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				o, _ := auth.ObjectFrom[order](r.Context())
				fmt.Fprint(w, o)
			})).ServeHTTP(w, r)
			require.Equal(t, row.want, w.Body.String())
		})
	}
}

func TestObjectsStayWithTheirRequest(t *testing.T) {
	shared := auth.NewContext(t.Context(), errors.Must(auth.NewPrincipal(auth.Identity{CallerType: auth.Person, Subject: "ada"})))
	h := auth.Require(auth.Object(errNoOrder, load, mine))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/?id=1", nil).WithContext(shared))
	_, ok := auth.ObjectFrom[order](shared)
	require.False(t, ok)
}
