package cors_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
)

func TestRoutesSelectsPolicyByPath(t *testing.T) {
	public := compile(t, cors.Options{Origins: []string{"*"}, Methods: []string{"PUT"}})
	ours := compile(t, cors.Options{Origins: []string{allowedOrigin}, Methods: []string{"PUT"}})
	partner := compile(t, cors.Options{Origins: []string{"https://partner.example"}, Methods: []string{"PUT"}})
	layer, err := cors.Routes(map[string]*cors.Middleware{"/public/": public, "/api": ours, "/api/partner/": partner})
	require.NoError(t, err)
	h := layer(next)
	for _, row := range []struct {
		name, target, origin string
		allow                string // of a GET and of a preflight for PUT
		post                 int    // the status of a cross-site POST
	}{
		{name: "another's part", target: "/api/partner/x", origin: allowedOrigin, post: 403},
		{name: "a sibling that begins alike", target: "/apix", origin: allowedOrigin, post: 200},
		{name: "dots that leave a part", target: "/api/partner/../x", origin: "https://partner.example", post: 403},
		{name: "dots that leave a prefix, for the policy that they lead to", target: "/public/../api/x", origin: "https://evil.example", post: 403},
		{name: "an escaped slash", target: "/api%2Fpartner/x", origin: "https://partner.example", post: 200},
		{name: "an escaped slash, for the outer part", target: "/api%2Fpartner/x", origin: allowedOrigin, post: 403},
		{name: "an escaped letter", target: "/%61pi/x", origin: "https://evil.example", post: 403},
		{name: "two slashes", target: "//api/x", origin: "https://evil.example", post: 403},
		{
			name:   "dots after an escaped slash, for a router that cleans the escaped path",
			target: "/api/x%2Fy/../../public/z",
			origin: "https://evil.example",
			post:   403,
		},
		{name: "the same, for the policy that they leave", target: "/api/x%2Fy/../../public/z", origin: allowedOrigin, post: 200},
		{name: "no part", target: "/x", origin: allowedOrigin, post: 200},
		{name: "everybody's", target: "/public/x", origin: "https://evil.example", allow: "*", post: 200},
		{name: "ours", target: "/api/x", origin: allowedOrigin, allow: allowedOrigin, post: 200},
		{name: "ours itself", target: "/api", origin: allowedOrigin, allow: allowedOrigin, post: 200},
		{name: "the longest wins", target: "/api/partner/x", origin: "https://partner.example", allow: "https://partner.example", post: 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			res := do(h, "GET", row.target, http.Header{"Origin": {row.origin}})
			require.Equal(t, row.allow, res.Header.Get("Access-Control-Allow-Origin"))
			res = do(h, "OPTIONS", row.target, http.Header{"Origin": {row.origin}, acrm: {"PUT"}})
			require.Equal(t, row.allow, res.Header.Get("Access-Control-Allow-Origin"))
			res = do(h, "POST", row.target, http.Header{"Origin": {row.origin}, "Sec-Fetch-Site": {"cross-site"}})
			require.Equal(t, row.post, res.StatusCode)
		})
	}
}

// A cache must not serve across sites a response that EnforceAll accepted, even if
// two policies cover the path.
func TestRoutesSetsVary(t *testing.T) {
	layer, err := cors.Routes(map[string]*cors.Middleware{
		"/a/": compile(t, cors.Options{Origins: []string{allowedOrigin}, Enforce: cors.EnforceAll}),
		"/b/": compile(t, cors.Options{Origins: []string{allowedOrigin}}),
	})
	require.NoError(t, err)
	res := do(layer(next), "GET", "/a/../b/x", http.Header{"Sec-Fetch-Site": {"same-origin"}})
	require.Equal(t, http.Header{"X-Next": {"GET"}, "Vary": {"Origin, Sec-Fetch-Site"}}, res.Header)
	res = do(layer(next), "GET", "/a/../b/x", http.Header{"Sec-Fetch-Site": {"cross-site"}})
	require.Equal(t, 403, res.StatusCode)
	require.Equal(t, []string{"Origin, Sec-Fetch-Site"}, res.Header["Vary"])
	res = do(layer(next), "OPTIONS", "/a/../b/x", http.Header{"Origin": {allowedOrigin}, acrm: {"GET"}})
	require.Equal(t, 403, res.StatusCode)
	require.Equal(t, failed(), res.Header)
}

func TestEveryPolicyOfAnAmbiguousPathReportsAnEvent(t *testing.T) {
	var told []cors.Event
	tell := func(_ context.Context, e cors.Event) { told = append(told, e) }
	layer, err := cors.Routes(map[string]*cors.Middleware{
		"/a/": compile(t, cors.Options{Origins: []string{"*"}, OnEvent: tell}),
		"/b/": compile(t, cors.Options{Origins: []string{allowedOrigin}, OnEvent: tell}),
	})
	require.NoError(t, err)
	evil := []string{"https://evil.example"}
	for _, row := range []struct {
		name, method string
		header       http.Header
		status       int
		want         []cors.Event
	}{
		{
			name:   "a write from an unlisted origin",
			method: "POST",
			header: http.Header{"Origin": evil},
			status: 403,
			want:   []cors.Event{{Reason: cors.AmbiguousPath}, {Refused: true, Reason: cors.Unlisted}},
		},
		{name: "a preflight", method: "OPTIONS", header: http.Header{"Origin": evil, acrm: {"PUT"}}, status: 403, want: []cors.Event{
			{Preflight: true, Refused: true, Reason: cors.AmbiguousPath}, {Preflight: true, Refused: true, Reason: cors.AmbiguousPath},
		}},
		{
			name:   "a read",
			method: "GET",
			header: http.Header{"Origin": {allowedOrigin}},
			status: 200,
			want:   []cors.Event{{Reason: cors.AmbiguousPath}, {Reason: cors.AmbiguousPath}},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			told = nil
			require.Equal(t, row.status, do(layer(next), row.method, "/a/../b/x", row.header).StatusCode)
			for i := range row.want {
				w := &row.want[i]
				w.Path, w.Method = "/a/../b/x", row.method
				if w.Preflight {
					w.Method = "PUT"
				}
				w.Origin = row.header["Origin"][0]
			}
			require.Equal(t, row.want, told)
		})
	}
	require.Equal(t, "ambiguous_path", string(cors.AmbiguousPath))
}

func TestRoutesReportsInvalidKeys(t *testing.T) {
	m := compile(t, cors.Options{Origins: []string{"*"}})
	for _, row := range []struct {
		name     string
		policies map[string]*cors.Middleware
		want     string
	}{
		{name: "none", want: `cors: Routes: must not be empty; did you mean {"/": policy}?`},
		{name: "no slash", policies: map[string]*cors.Middleware{"api": m}, want: `cors: Routes "api": is not a plain path; did you mean "/api/"?`},
		{name: "a pattern", policies: map[string]*cors.Middleware{"/api/{x...}": m}, want: `cors: Routes "/api/{x...}": is not a plain path; did you mean "/api/"?`},
		{name: "not clean", policies: map[string]*cors.Middleware{"/a/../b": m}, want: `cors: Routes "/a/../b": is not a plain path; did you mean "/b/"?`},
		{name: "nil", policies: map[string]*cors.Middleware{"/a": nil}, want: `cors: Routes "/a": must be a Middleware from New`},
		{name: "zero", policies: map[string]*cors.Middleware{"/a": new(cors.Middleware)}, want: `cors: Routes "/a": must be a Middleware from New`},
		{name: "twice", policies: map[string]*cors.Middleware{"/a": m, "/a/": m}, want: `cors: Routes "/a/": is listed with and without a trailing slash`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := cors.Routes(row.policies)
			require.EqualError(t, err, row.want)
		})
	}
}

func ExampleRoutes() {
	anyOrigin := errors.Must(cors.New(cors.Options{Origins: []string{"*"}}))
	ownOrigins := errors.Must(cors.New(cors.Options{Origins: []string{"https://app.example.com"}, Credentials: true}))
	layer := errors.Must(cors.Routes(map[string]*cors.Middleware{"/public/": anyOrigin, "/": ownOrigins}))
	handler := layer(http.NotFoundHandler())
	for _, target := range []string{"/public/prices", "/orders"} {
		r := httptest.NewRequest("GET", target, nil)
		r.Header.Set("Origin", "https://app.example.com")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(target, w.Header().Get("Access-Control-Allow-Origin"))
	}
	// Output:
	// /public/prices *
	// /orders https://app.example.com
}
