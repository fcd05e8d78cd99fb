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
		{name: "double slash", method: "POST", target: "//auth/login", want: "login"},
		{name: "dot segment", method: "POST", target: "/auth/./login", want: "login"},
		{name: "dot dot segment", method: "POST", target: "/x/../auth/login", want: "login"},
		{name: "escaped dot dot segment", method: "POST", target: "/x/%2e%2e/auth/login", want: "login"},
		{name: "escaped slash", method: "POST", target: "/auth%2Flogin", want: "login"},
		{name: "escaped letter", method: "POST", target: "/auth/logi%6e", want: "login"},
		{name: "escaped letter and slash", method: "POST", target: "/auth%2flogi%6E", want: "login"},
		{name: "last slash", method: "POST", target: "/auth/login/", want: "login"},
		{name: "last slashes", method: "POST", target: "/auth/login//", want: "login"},
		{name: "escaped last slash", method: "POST", target: "/auth/login%2f", want: "login"},
		{name: "query", method: "POST", target: "/auth/login?a=/", want: "login"},
		{name: "subtree without its slash", method: "PUT", target: "/auth", want: "auth"},
		{name: "as it is", method: "POST", target: "/auth/login", want: "login"},
		{name: "other method falls to the subtree", method: "PUT", target: "/auth/login", want: "auth"},
		{name: "longest literal wins over method", method: "GET", target: "/auth/login", want: "auth"},
		{name: "GET covers HEAD", method: "HEAD", target: "/anything", want: "reads"},
		{name: "method case is significant", method: "get", target: "/anything"},
		{name: "no claim", method: "DELETE", target: "/anything"},
		{name: "wildcard", method: "GET", target: "/orders/7", want: "orders"},
		{name: "literal before wildcard", method: "GET", target: "/orders/mine", want: "mine"},
		{name: "method of its own before GET", method: "HEAD", target: "/orders/mine", want: "mine"},
		{name: "wildcard is not empty", method: "GET", target: "/orders/", want: "reads"},
		{name: "end with slash", method: "PUT", target: "/orders/7/items/", want: "orders"},
		{name: "end without slash", method: "PUT", target: "/orders/7/items", want: "orders"},
		{name: "past the end", method: "PUT", target: "/orders/7/items/8"},
		{name: "asterisk form", method: "OPTIONS", target: "*"},
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
		{name: "double slash", method: "POST", target: "//auth/login", want: -1},
		{name: "dot segment", method: "POST", target: "/auth/./login", want: -1},
		{name: "dot dot out of an open subtree", method: "GET", target: "/static/../admin", want: -1},
		{name: "escaped dot dot", method: "GET", target: "/static/%2e%2e/admin", want: -1},
		{name: "escaped dot dot slash", method: "GET", target: "/static/..%2fadmin", want: -1},
		{name: "backslash", method: "GET", target: `/static/..%5cadmin`, want: -1},
		{name: "NUL", method: "GET", target: "/static/a%00", want: -1},
		{name: "escaped slash in a literal", method: "POST", target: "/auth%2Flogin", want: -1},
		{name: "escaped slash in a wildcard", method: "GET", target: "/files/a%2fb", want: -1},
		{name: "needless escape", method: "POST", target: "/auth/logi%6e", want: -1},
		{name: "needless escape under another reading", method: "GET", target: "/static/%61dmin", want: -1},
		{name: "last slash", method: "POST", target: "/auth/login/", want: -1},
		{name: "longer", method: "POST", target: "/auth/login2", want: -1},
		{name: "subtree without its slash", method: "GET", target: "/static", want: -1},
		{name: "other method", method: "POST", target: "/static/a", want: -1},
		{name: "root is not everything", method: "GET", target: "/x", want: -1},
		{name: "as it is", method: "POST", target: "/auth/login", want: 0},
		{name: "subtree", method: "GET", target: "/static/a/b", want: 0},
		{name: "subtree itself", method: "HEAD", target: "/static/", want: 0},
		{name: "root", method: "GET", target: "/", want: 0},
		{name: "more specific field", method: "GET", target: "/static/admin", want: 1},
		{name: "needed escape in a wildcard", method: "GET", target: "/files/a%20b", want: 0},
		{name: "needed escape in a literal", method: "GET", target: "/a%20b", want: 0},
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
		{name: "no route", method: "POST"},
		{name: "other route", method: "POST", picked: "POST /auth/logout"},
		{name: "other method", method: "GET", picked: "/auth/login"},
		{name: "with method", method: "POST", picked: "POST /auth/login", want: true},
		{name: "without method", method: "POST", picked: "/auth/login", want: true},
		{name: "all methods", method: "PATCH", picked: "PATCH /health", want: true},
		{name: "HEAD through GET", method: "HEAD", picked: "GET /{page:[a-z]+}", want: true},
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
		{name: "everything", pattern: "/", want: `auth: Public[0] "/": opens every path; did you mean "/{$}"?`},
		{name: "everything with method", pattern: "GET /", want: `auth: Public[0] "GET /": opens every path; did you mean "GET /{$}"?`},
		{name: "everything as rest", pattern: "/{rest...}", want: `auth: Public[0] "/{rest...}": opens every path; did you mean "/{$}"?`},
		{name: "empty", want: `auth: Public[0] "": must not be empty; a pattern is "[METHOD ]/path"`},
		{name: "no slash", pattern: "POST auth", want: `auth: Public[0] "POST auth": must have a path that starts with "/", without a host; did you mean "POST /auth"?`},
		{name: "small method", pattern: "post /a", want: `auth: Public[0] "post /a": has a method with lower-case letters; did you mean "POST /a"?`},
		{name: "bad method", pattern: "P(ST /a", want: `auth: Public[0] "P(ST /a": has a method that is not a token (RFC 9110, section 5.6.2)`},
		{name: "FR4 methods with a comma", pattern: "POST,PUT /a", want: `auth: Public[0] "POST,PUT /a": must have one method; did you mean "POST /a" and "PUT /a"?`},
		{
			name:    "FR4 methods with a comma and a space",
			pattern: "POST, PUT, PATCH /a",
			want:    `auth: Public[0] "POST, PUT, PATCH /a": must have one method; did you mean "POST /a" and "PUT /a" and "PATCH /a"?`,
		},
		{
			name:    "FR4 methods with a space",
			pattern: "POST PUT /a/b",
			want:    `auth: Public[0] "POST PUT /a/b": must have one method; did you mean "POST /a/b" and "PUT /a/b"?`,
		},
		{
			name:    "FR4 methods with a bar, a token of RFC 9110",
			pattern: "GET|HEAD /a",
			want:    `auth: Public[0] "GET|HEAD /a": must have one method; did you mean "GET /a" and "HEAD /a"?`,
		},
		{name: "FR4 methods with a slash", pattern: "GET/HEAD /a", want: `auth: Public[0] "GET/HEAD /a": must have one method; did you mean "GET /a" and "HEAD /a"?`},
		{name: "FR4 methods in lower case", pattern: "post,put /a", want: `auth: Public[0] "post,put /a": must have one method; did you mean "POST /a" and "PUT /a"?`},
		{
			name:    "FR4 a word for all methods",
			pattern: "ANY /a",
			want:    `auth: Public[0] "ANY /a": has ANY, which is not a method; did you mean "/a", which matches all methods?`,
		},
		{
			name:    "FR4 a sign for all methods",
			pattern: "* /a",
			want:    `auth: Public[0] "* /a": has *, which is not a method; did you mean "/a", which matches all methods?`,
		},
		{name: "FR4 a method behind the path", pattern: "/a POST", want: `auth: Public[0] "/a POST": has a space, which ends the method; did you mean "POST /a"?`},
		{name: "space without a method", pattern: "/a b", want: `auth: Public[0] "/a b": has a space, which ends the method; did you mean a path without one?`},
		{name: "control character", pattern: "/\t", want: `auth: Public[0] "/\t": has a control character`},
		{name: "unclean", pattern: "/a//b", want: `auth: Public[0] "/a//b": must not have an empty segment, "." or ".."`},
		{name: "dot dot", pattern: "/a/../b", want: `auth: Public[0] "/a/../b": must not have an empty segment, "." or ".."`},
		{name: "asterisk", pattern: "/a/*", want: `auth: Public[0] "/a/*": has "*", which is not a wildcard; did you mean a trailing "/" for the subtree?`},
		{name: "escaped", pattern: "/a%20b", want: `auth: Public[0] "/a%20b": must have a decoded path, without %`},
		{name: "query", pattern: "/a?b", want: `auth: Public[0] "/a?b": must not have a query, fragment or backslash`},
		{name: "regexp", pattern: "/a/{id:[0-9]+}", want: `auth: Public[0] "/a/{id:[0-9]+}": has a regular expression; did you mean {id}?`},
		{name: "part of a segment", pattern: "/a/x{id}", want: `auth: Public[0] "/a/x{id}": has a wildcard that is not a whole segment: x{id}`},
		{name: "open brace", pattern: "/a/{id", want: `auth: Public[0] "/a/{id": has a wildcard that is not a whole segment: {id`},
		{name: "no name", pattern: "/a/{}", want: `auth: Public[0] "/a/{}": has a wildcard name that is not letters, digits and _, or that starts with a digit: {}`},
		{name: "rest in the middle", pattern: "/a/{x...}/b", want: `auth: Public[0] "/a/{x...}/b": has {x...} before the last segment`},
		{name: "name twice", pattern: "/a/{x}/{x}", want: `auth: Public[0] "/a/{x}/{x}": has two wildcards named x`},
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
