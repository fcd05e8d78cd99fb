package route_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/route"
)

func request(method, target string) *http.Request {
	r := &http.Request{Method: method, URL: &url.URL{}}
	if u, err := url.ParseRequestURI(target); err == nil {
		r.URL = u
	}
	return r
}

// Another spelling of a path must not select a looser tier.
func TestRestrictingMatchesEverySpelling(t *testing.T) {
	table := errors.Must(route.Restricting(nil,
		route.Field{Name: "login", Patterns: []string{"POST /auth/login"}},
		route.Field{Name: "reads", Patterns: []string{"GET /"}},
		route.Field{Name: "auth", Patterns: []string{"/auth/"}},
		route.Field{Name: "orders", Patterns: []string{"GET /orders/{id}", "/orders/{id}/items/{$}"}},
		route.Field{Name: "mine", Patterns: []string{"GET /orders/mine", "HEAD /orders/mine"}},
	))
	names := []string{"login", "reads", "auth", "orders", "mine"}
	for _, tt := range []struct {
		name, method, target, want string
	}{
		{"double slash", "POST", "//auth/login", "login"},
		{"dot segment", "POST", "/auth/./login", "login"},
		{"dot dot segment", "POST", "/x/../auth/login", "login"},
		{"escaped dot dot segment", "POST", "/x/%2e%2e/auth/login", "login"},
		{"escaped slash", "POST", "/auth%2Flogin", "login"},
		{"escaped letter", "POST", "/auth/logi%6e", "login"},
		{"escaped letter and slash", "POST", "/auth%2flogi%6E", "login"},
		{"last slash", "POST", "/auth/login/", "login"},
		{"last slashes", "POST", "/auth/login//", "login"},
		{"escaped last slash", "POST", "/auth/login%2f", "login"},
		{"query", "POST", "/auth/login?a=/", "login"},
		{"subtree without its slash", "PUT", "/auth", "auth"},
		{"as it is", "POST", "/auth/login", "login"},
		{"other method falls to the subtree", "PUT", "/auth/login", "auth"},
		{"longest literal wins over method", "GET", "/auth/login", "auth"},
		{"GET covers HEAD", "HEAD", "/anything", "reads"},
		{"method case is significant", "get", "/anything", ""},
		{"no claim", "DELETE", "/anything", ""},
		{"wildcard", "GET", "/orders/7", "orders"},
		{"literal before wildcard", "GET", "/orders/mine", "mine"},
		{"method of its own before GET", "HEAD", "/orders/mine", "mine"},
		{"wildcard is not empty", "GET", "/orders/", "reads"},
		{"end with slash", "PUT", "/orders/7/items/", "orders"},
		{"end without slash", "PUT", "/orders/7/items", "orders"},
		{"past the end", "PUT", "/orders/7/items/8", ""},
		{"asterisk form", "OPTIONS", "*", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			field, ok := table.Find(request(tt.method, tt.target))
			require.Equal(t, tt.want != "", ok)
			if ok {
				require.Equal(t, tt.want, names[field])
			}
		})
	}
}

// Another spelling of a path must not open a route.
func TestOpeningMatchesOnlyCleanPaths(t *testing.T) {
	table := errors.Must(route.Opening(nil,
		route.Field{Name: "auth: Public", Patterns: []string{"/auth/login", "GET /static/", "/{$}", "/files/{name}", "GET /a b"}},
		route.Field{Name: "auth: Optional", Patterns: []string{"GET /static/admin"}},
	))
	for _, tt := range []struct {
		name, method, target string
		want                 int
	}{
		{"double slash", "POST", "//auth/login", -1},
		{"dot segment", "POST", "/auth/./login", -1},
		{"dot dot out of an open subtree", "GET", "/static/../admin", -1},
		{"escaped dot dot", "GET", "/static/%2e%2e/admin", -1},
		{"escaped dot dot slash", "GET", "/static/..%2fadmin", -1},
		{"backslash", "GET", `/static/..%5cadmin`, -1},
		{"NUL", "GET", "/static/a%00", -1},
		{"escaped slash in a literal", "POST", "/auth%2Flogin", -1},
		{"escaped slash in a wildcard", "GET", "/files/a%2fb", -1},
		{"needless escape", "POST", "/auth/logi%6e", -1},
		{"needless escape under another reading", "GET", "/static/%61dmin", -1},
		{"last slash", "POST", "/auth/login/", -1},
		{"longer", "POST", "/auth/login2", -1},
		{"subtree without its slash", "GET", "/static", -1},
		{"other method", "POST", "/static/a", -1},
		{"root is not everything", "GET", "/x", -1},
		{"as it is", "POST", "/auth/login", 0},
		{"subtree", "GET", "/static/a/b", 0},
		{"subtree itself", "HEAD", "/static/", 0},
		{"root", "GET", "/", 0},
		{"more specific field", "GET", "/static/admin", 1},
		{"needed escape in a wildcard", "GET", "/files/a%20b", 0},
		{"needed escape in a literal", "GET", "/a%20b", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			field, ok := table.Find(request(tt.method, tt.target))
			if !ok {
				field = -1
			}
			require.Equal(t, tt.want, field)
		})
	}
}

func TestRouteFunctionSelectsThePattern(t *testing.T) {
	picks := func(picked string) *route.Table {
		return errors.Must(route.Opening(func(*http.Request) string { return picked },
			route.Field{Name: "Public", Patterns: []string{"POST /auth/login", "/health", "GET /{page:[a-z]+}"}}))
	}
	for _, tt := range []struct {
		name, method, picked string
		want                 bool
	}{
		{"no route", "POST", "", false},
		{"other route", "POST", "POST /auth/logout", false},
		{"other method", "GET", "/auth/login", false},
		{"with method", "POST", "POST /auth/login", true},
		{"without method", "POST", "/auth/login", true},
		{"all methods", "PATCH", "PATCH /health", true},
		{"HEAD through GET", "HEAD", "GET /{page:[a-z]+}", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, ok := picks(tt.picked).Find(request(tt.method, "/auth/login"))
			require.Equal(t, tt.want, ok)
		})
	}
}

func TestInvalidPatternsAreReported(t *testing.T) {
	for _, tt := range []struct {
		name, pattern, want string
	}{
		{"everything", "/", `auth: Public[0] "/": opens every path; did you mean "/{$}"?`},
		{"everything with method", "GET /", `auth: Public[0] "GET /": opens every path; did you mean "GET /{$}"?`},
		{"everything as rest", "/{rest...}", `auth: Public[0] "/{rest...}": opens every path; did you mean "/{$}"?`},
		{"empty", "", `auth: Public[0] "": must not be empty; a pattern is "[METHOD ]/path"`},
		{"no slash", "POST auth", `auth: Public[0] "POST auth": must have a path that starts with "/", without a host; did you mean "POST /auth"?`},
		{"small method", "post /a", `auth: Public[0] "post /a": has a method with lower-case letters; did you mean "POST /a"?`},
		{"bad method", "P(ST /a", `auth: Public[0] "P(ST /a": has a method that is not a token (RFC 9110, section 5.6.2)`},
		{"FR4 methods with a comma", "POST,PUT /a", `auth: Public[0] "POST,PUT /a": must have one method; did you mean "POST /a" and "PUT /a"?`},
		{"FR4 methods with a comma and a space", "POST, PUT, PATCH /a", `auth: Public[0] "POST, PUT, PATCH /a": must have one method; did you mean "POST /a" and "PUT /a" and "PATCH /a"?`},
		{"FR4 methods with a space", "POST PUT /a/b", `auth: Public[0] "POST PUT /a/b": must have one method; did you mean "POST /a/b" and "PUT /a/b"?`},
		{"FR4 methods with a bar, a token of RFC 9110", "GET|HEAD /a", `auth: Public[0] "GET|HEAD /a": must have one method; did you mean "GET /a" and "HEAD /a"?`},
		{"FR4 methods with a slash", "GET/HEAD /a", `auth: Public[0] "GET/HEAD /a": must have one method; did you mean "GET /a" and "HEAD /a"?`},
		{"FR4 methods in lower case", "post,put /a", `auth: Public[0] "post,put /a": must have one method; did you mean "POST /a" and "PUT /a"?`},
		{"FR4 a word for all methods", "ANY /a", `auth: Public[0] "ANY /a": has ANY, which is not a method; did you mean "/a", which matches all methods?`},
		{"FR4 a sign for all methods", "* /a", `auth: Public[0] "* /a": has *, which is not a method; did you mean "/a", which matches all methods?`},
		{"FR4 a method behind the path", "/a POST", `auth: Public[0] "/a POST": has a space, which ends the method; did you mean "POST /a"?`},
		{"space without a method", "/a b", `auth: Public[0] "/a b": has a space, which ends the method; did you mean a path without one?`},
		{"control character", "/\t", `auth: Public[0] "/\t": has a control character`},
		{"unclean", "/a//b", `auth: Public[0] "/a//b": must not have an empty segment, "." or ".."`},
		{"dot dot", "/a/../b", `auth: Public[0] "/a/../b": must not have an empty segment, "." or ".."`},
		{"asterisk", "/a/*", `auth: Public[0] "/a/*": has "*", which is not a wildcard; did you mean a trailing "/" for the subtree?`},
		{"escaped", "/a%20b", `auth: Public[0] "/a%20b": must have a decoded path, without %`},
		{"query", "/a?b", `auth: Public[0] "/a?b": must not have a query, fragment or backslash`},
		{"regexp", "/a/{id:[0-9]+}", `auth: Public[0] "/a/{id:[0-9]+}": has a regular expression; did you mean {id}?`},
		{"part of a segment", "/a/x{id}", `auth: Public[0] "/a/x{id}": has a wildcard that is not a whole segment: x{id}`},
		{"open brace", "/a/{id", `auth: Public[0] "/a/{id": has a wildcard that is not a whole segment: {id`},
		{"no name", "/a/{}", `auth: Public[0] "/a/{}": has a wildcard name that is not letters, digits and _, or that starts with a digit: {}`},
		{"rest in the middle", "/a/{x...}/b", `auth: Public[0] "/a/{x...}/b": has {x...} before the last segment`},
		{"name twice", "/a/{x}/{x}", `auth: Public[0] "/a/{x}/{x}": has two wildcards named x`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := route.Opening(nil, route.Field{Name: "auth: Public", Patterns: []string{tt.pattern}})
			require.EqualError(t, err, tt.want)
		})
	}
	t.Run("everything, picked by a router", func(t *testing.T) {
		_, err := route.Opening(func(*http.Request) string { return "" }, route.Field{Name: "Public", Patterns: []string{"/"}})
		require.EqualError(t, err, `Public[0] "/": opens every path; did you mean "/{$}"?`)
	})
	t.Run("all problems at once, equal patterns too", func(t *testing.T) {
		_, err := route.Restricting(nil, route.Field{Name: "A", Patterns: []string{"/a/{x}", "b"}}, route.Field{Name: "B", Patterns: []string{"/a/{y}"}})
		require.EqualError(t, err, `A[1] "b": must have a path that starts with "/", without a host; did you mean "/b"?`+"\n"+
			`B[0] "/a/{y}": is the same pattern as A[0] "/a/{x}"`)
	})
}

func TestFindDoesNotAllocate(t *testing.T) {
	fields := []route.Field{{Name: "a", Patterns: []string{"POST /auth/login", "GET /orders/{id}", "/static/"}}}
	opening, restricting := errors.Must(route.Opening(nil, fields...)), errors.Must(route.Restricting(nil, fields...))
	for _, target := range []string{"/auth/login", "/orders/12%2034", "/static/%61/b", "/nothing"} {
		r := request("GET", target)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			opening.Find(r)
			restricting.Find(r)
		}), target)
	}
}

// FuzzFind compares a table with a ServeMux that has the same pattern. If an
// opening table matches, the mux matches; if the mux matches, a restricting
// table matches; for plain clean paths, all three agree.
func FuzzFind(f *testing.F) {
	for _, p := range []string{"/a", "/a/", "GET /{x}/b", "/{x}/{$}", "/a/{r...}", "POST /auth/login", "/ ", "/\t", "GET  /a b"} {
		for _, target := range []string{"/a", "/a/", "//a", "/%61", "/a%2fb", "/x/b", "/a/../a", "/auth%2Flogin"} {
			f.Add(p, "GET", target)
		}
	}
	f.Fuzz(func(t *testing.T, p, method, target string) {
		if strings.Contains(p, "CONNECT") || method == "CONNECT" { // ServeMux does not clean their paths
			return
		}
		restricting, err := route.Restricting(nil, route.Field{Name: "f", Patterns: []string{p}})
		if err != nil {
			return
		}
		r := request(method, target)
		if r.URL.Path == "" || r.URL.Path[0] != '/' {
			return
		}
		served := false
		mux := http.NewServeMux()
		mux.HandleFunc(p, func(http.ResponseWriter, *http.Request) { served = true })
		mux.ServeHTTP(httptest.NewRecorder(), r)
		_, caught := restricting.Find(r)
		require.True(t, caught || !served, "served, but not caught")
		opening, err := route.Opening(nil, route.Field{Name: "f", Patterns: []string{p}})
		if err != nil {
			return // opens every path
		}
		_, opened := opening.Find(r)
		require.True(t, served || !opened, "opened, but not served")
		if plain := strings.Trim(target, "abcdefghijklmnopqrstuvwxyz0123456789/") == ""; plain && !strings.Contains(target, "//") {
			require.Equal(t, served, opened)
		}
	})
}
