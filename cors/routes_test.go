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
		{"another's part", "/api/partner/x", allowedOrigin, "", 403},
		{"a sibling that begins alike", "/apix", allowedOrigin, "", 200},
		{"dots that leave a part", "/api/partner/../x", "https://partner.example", "", 403},
		{"dots that leave a prefix, for the policy that they lead to", "/public/../api/x", "https://evil.example", "", 403},
		{"an escaped slash", "/api%2Fpartner/x", "https://partner.example", "", 200},
		{"an escaped slash, for the outer part", "/api%2Fpartner/x", allowedOrigin, "", 403},
		{"an escaped letter", "/%61pi/x", "https://evil.example", "", 403},
		{"two slashes", "//api/x", "https://evil.example", "", 403},
		{"dots after an escaped slash, for a router that cleans the escaped path", "/api/x%2Fy/../../public/z", "https://evil.example", "", 403},
		{"the same, for the policy that they leave", "/api/x%2Fy/../../public/z", allowedOrigin, "", 200},
		{"no part", "/x", allowedOrigin, "", 200},
		{"everybody's", "/public/x", "https://evil.example", "*", 200},
		{"ours", "/api/x", allowedOrigin, allowedOrigin, 200},
		{"ours itself", "/api", allowedOrigin, allowedOrigin, 200},
		{"the longest wins", "/api/partner/x", "https://partner.example", "https://partner.example", 200},
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
		{"a write from an unlisted origin", "POST", http.Header{"Origin": evil}, 403, []cors.Event{{Reason: cors.AmbiguousPath}, {Refused: true, Reason: cors.Unlisted}}},
		{"a preflight", "OPTIONS", http.Header{"Origin": evil, acrm: {"PUT"}}, 403, []cors.Event{
			{Preflight: true, Refused: true, Reason: cors.AmbiguousPath}, {Preflight: true, Refused: true, Reason: cors.AmbiguousPath},
		}},
		{"a read", "GET", http.Header{"Origin": {allowedOrigin}}, 200, []cors.Event{{Reason: cors.AmbiguousPath}, {Reason: cors.AmbiguousPath}}},
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
		{"none", nil, `cors: Routes: must not be empty; did you mean {"/": policy}?`},
		{"no slash", map[string]*cors.Middleware{"api": m}, `cors: Routes "api": is not a plain path; did you mean "/api/"?`},
		{"a pattern", map[string]*cors.Middleware{"/api/{x...}": m}, `cors: Routes "/api/{x...}": is not a plain path; did you mean "/api/"?`},
		{"not clean", map[string]*cors.Middleware{"/a/../b": m}, `cors: Routes "/a/../b": is not a plain path; did you mean "/b/"?`},
		{"nil", map[string]*cors.Middleware{"/a": nil}, `cors: Routes "/a": must be a Middleware from New`},
		{"zero", map[string]*cors.Middleware{"/a": new(cors.Middleware)}, `cors: Routes "/a": must be a Middleware from New`},
		{"twice", map[string]*cors.Middleware{"/a": m, "/a/": m}, `cors: Routes "/a/": is listed with and without a trailing slash`},
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
