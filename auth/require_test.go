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
		{name: "AZ1 anonymous", id: auth.Identity{}, status: 401, code: "auth_required"},
		{name: "AZ3 a scope that is a prefix", id: ada, policies: []auth.Policy{auth.Scopes("orders")}, status: 403, code: "access_denied"},
		{name: "AZ3 a scope that is longer", id: ada, policies: []auth.Policy{auth.Scopes("orders:read:all")}, status: 403, code: "access_denied"},
		{name: "AZ3 a scope in another case", id: ada, policies: []auth.Policy{auth.Scopes("Orders:read")}, status: 403, code: "access_denied"},
		{name: "AZ3 two scopes as one", id: ada, policies: []auth.Policy{auth.Scopes("orders:read orders:write")}, status: 403, code: "access_denied"},
		{name: "one scope of two missing", id: ada, policies: []auth.Policy{auth.Scopes("orders:read", "stock:read")}, status: 403, code: "access_denied"},
		{name: "no scopes listed", id: ada, policies: []auth.Policy{auth.Scopes()}, status: 403, code: "access_denied"},
		{name: "none of any scope", id: ada, policies: []auth.Policy{auth.AnyScope("a", "b")}, status: 403, code: "access_denied"},
		{name: "AnyOf nothing", id: ada, policies: []auth.Policy{auth.AnyOf()}, status: 403, code: "access_denied"},
		{name: "another role", id: ada, policies: []auth.Policy{auth.Role("admin")}, status: 403, code: "access_denied"},
		{name: "FT4 an unknown kind is no user", id: either, policies: []auth.Policy{auth.CallerTypes(auth.Person)}, status: 403, code: "access_denied"},
		{name: "FT4 an unknown kind is no service", id: either, policies: []auth.Policy{auth.CallerTypes(auth.Program)}, status: 403, code: "access_denied"},
		{
			name:     "FT4 an unknown kind is neither of the two",
			id:       either,
			policies: []auth.Policy{auth.CallerTypes(auth.Program, auth.Person)},
			status:   403,
			code:     "access_denied",
		},
		{name: "AZ4 a program of the same name", id: key, policies: []auth.Policy{auth.CallerTypes(auth.Person)}, status: 403, code: "access_denied"},
		{name: "a program never logged in", id: key, policies: []auth.Policy{auth.MaxAuthAge(time.Hour)}, status: 401, code: "login_too_old"},
		{
			name:     "AZ5 a policy that fails",
			id:       ada,
			policies: []auth.Policy{func(*http.Request, *auth.Principal) error { return errors.New("down") }},
			status:   500,
			code:     "internal_error",
		},
		{name: "AZ2 an object that is not there", query: "3", id: ada, policies: []auth.Policy{own}, status: 404, code: "order_not_found"},
		{name: "AZ2 somebody else's object", query: "2", id: ada, policies: []auth.Policy{own}, status: 404, code: "order_not_found"},
		{name: "AZ5 a store that fails", query: "9", id: ada, policies: []auth.Policy{own}, status: 500, code: "internal_error"},
		{
			name:     "AZ5 a store that fails, and an admin",
			query:    "9",
			id:       root,
			policies: []auth.Policy{auth.AnyOf(auth.Role("admin"), own)},
			status:   500,
			code:     "internal_error",
		},
		{name: "not there, and an admin", query: "3", id: root, policies: []auth.Policy{auth.AnyOf(auth.Role("admin"), own)}, status: 404, code: "order_not_found"},
		{name: "neither admin nor owner", query: "2", id: ada, policies: []auth.Policy{auth.AnyOf(auth.Role("admin"), own)}, status: 404, code: "order_not_found"},
		{
			name:     "the scope is asked before the object",
			query:    "9",
			id:       root,
			policies: []auth.Policy{auth.Scopes("orders:read"), own},
			status:   403,
			code:     "access_denied",
		},
		{name: "any principal", id: key, status: 200, code: "{ }"},
		{name: "exact scopes", id: ada, policies: []auth.Policy{auth.Scopes("orders:write", "orders:read")}, status: 200, code: "{ }"},
		{name: "any scope", id: ada, policies: []auth.Policy{auth.AnyScope("a", "orders:read")}, status: 200, code: "{ }"},
		{name: "a recent login", id: ada, policies: []auth.Policy{auth.MaxAuthAge(time.Hour)}, status: 200, code: "{ }"},
		{name: "one's own object", query: "1", id: ada, policies: []auth.Policy{own}, status: 200, code: "{1 ada}"},
		{name: "an admin gets the object too", query: "2", id: root, policies: []auth.Policy{auth.AnyOf(auth.Role("admin"), own)}, status: 200, code: "{2 eve}"},
		{
			name:     "AllOf inside AnyOf",
			query:    "1",
			id:       ada,
			policies: []auth.Policy{auth.AnyOf(auth.AllOf(auth.CallerTypes(auth.Person), own), auth.Role("x"))},
			status:   200,
			code:     "{1 ada}",
		},
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
		{
			name:   "TH5 scope",
			policy: auth.Scopes("stock:read", "stock:write"),
			want:   []string{`Bearer realm="api", error="insufficient_scope", scope="stock:read stock:write"`},
		},
		{name: "TH6 a scope that does not fit into quotes", policy: auth.Scopes(`a"b`), want: []string{`Bearer realm="api", error="insufficient_scope"`}},
		{name: "role", policy: auth.Role("admin")},
		{
			name:   "a step up without an age",
			policy: refusing(auth.ErrStepUp),
			want:   []string{`Bearer realm="api", error="insufficient_user_authentication"`, `Signed alg="x", realm="api"`},
		},
		{name: "a 401 of the application", policy: refusing(errNoPIN), want: []string{`Bearer realm="api"`, `Signed alg="x", realm="api"`}},
		{name: "a 403 of the application", policy: refusing(errLocked)},
		{
			name:   "age",
			policy: auth.MaxAuthAge(90 * time.Second),
			want:   []string{`Bearer realm="api", error="insufficient_user_authentication", max_age="90"`, `Signed alg="x", realm="api"`},
		},
		{name: "anonymous behind a public route", want: []string{`Bearer realm="api"`, `Signed alg="x", realm="api"`}},
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
		{name: "API1 the last one is somebody else's", policy: auth.AnyOf(of("1", "ada"), of("2", "eve")), want: "{1 ada}"},
		{name: "API1 the first one is somebody else's", policy: auth.AnyOf(of("2", "eve"), of("1", "ada")), want: "{1 ada}"},
		{name: "neither is the caller's, who may see all", policy: auth.AnyOf(of("2", "eve"), of("3", "eve"), auth.CallerTypes(auth.Person)), want: "{3 eve}"},
		{name: "both are the caller's", policy: auth.AllOf(of("1", "ada"), of("4", "ada")), want: "{4 ada}"},
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
