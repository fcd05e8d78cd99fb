package cors

import (
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/nethttp"
	"github.com/ringwall/ringwall/internal/wiring"
)

// Routes returns one layer with a policy for each path prefix:
//
//	layer, err := cors.Routes(map[string]*cors.Middleware{
//		"/public/": anyOrigin,
//		"/":        ownOrigins,
//	})
//
// The layer belongs around the router, not at its routes, because a router has
// no route for OPTIONS and responds to a preflight with 404 or 405 (go-chi/chi
// issue 263, gorilla/mux issue 381).
//
// A key is a path that starts with "/", with or without a trailing slash. It
// covers that path and every path below it. The longest key wins. A path that no
// key covers gets no CORS headers, and nothing is enforced there.
//
// The forms of a path (as sent, unescaped, cleaned) may select different
// policies, as those of "/public/../api" and "/api%2Fpartner". The router may
// use either form. So such a request gets no CORS headers, its preflight fails,
// and Enforce of each selected policy must accept it. OnEvent of each is called,
// with [AmbiguousPath] unless the policy refuses the request.
func Routes(policies map[string]*Middleware) (func(http.Handler) http.Handler, error) {
	if len(policies) == 0 {
		return nil, errors.New(`cors: Routes: must not be empty; did you mean {"/": policy}?`)
	}
	var table []prefix
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(policies)) {
		clean := strings.TrimSuffix(key, "/")
		switch {
		case !strings.HasPrefix(key, "/") || clean != "" && path.Clean(key) != clean || strings.ContainsAny(key, "{}*%?# "):
			problems = append(problems, fmt.Errorf("cors: Routes %q: is not a plain path; did you mean %q?", key, suggestPath(key)))
		case policies[key] == nil || policies[key].policy.Load() == nil:
			problems = append(problems, fmt.Errorf("cors: Routes %q: must be a Middleware from New", key))
		case slices.ContainsFunc(table, func(p prefix) bool { return p.path == clean }):
			problems = append(problems, fmt.Errorf("cors: Routes %q: is listed with and without a trailing slash", key))
		}
		table = append(table, prefix{clean, policies[key]})
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	slices.SortFunc(table, func(a, b prefix) int { return len(b.path) - len(a.path) })
	return func(next http.Handler) http.Handler {
		wiring.RequireHandler("cors: Routes", next)
		handlers := make(map[*Middleware]http.Handler, len(table))
		for _, p := range table {
			handlers[p.policy] = p.policy.Handler(next)
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			candidates, n := claims(table, r)
			switch {
			case n > 1:
				serveAmbiguous(w, r, candidates[:n], next)
			case candidates[0] == nil:
				next.ServeHTTP(w, r)
			default:
				handlers[candidates[0]].ServeHTTP(w, r)
			}
		})
	}, nil
}

// A prefix is a path without a trailing slash, and its policy.
type prefix struct {
	path   string
	policy *Middleware
}

// claims returns the distinct policies that the forms of a request's path select, at least
// one. nil means that no key covers a form.
func claims(table []prefix, r *http.Request) (policies [4]*Middleware, n int) {
	raw := r.URL.EscapedPath()
	for _, form := range [...]string{r.URL.Path, raw, cleanPath(r.URL.Path), cleanPath(raw)} {
		if policy := policyFor(table, form); !slices.Contains(policies[:n], policy) {
			policies[n] = policy
			n++
		}
	}
	return policies, n
}

// suggestPath returns a suggestion for an invalid key.
func suggestPath(key string) string {
	if i := strings.IndexAny(key, "{}*%?# "); i >= 0 {
		key = key[:i]
	}
	return strings.TrimSuffix(path.Clean("/"+key), "/") + "/"
}

func cleanPath(p string) string {
	if p == "" || p[0] != '/' {
		return p
	}
	return path.Clean(p)
}

func policyFor(table []prefix, p string) *Middleware {
	for _, t := range table {
		if rest, ok := strings.CutPrefix(p, t.path); ok && (rest == "" || rest[0] == '/') {
			return t.policy
		}
	}
	return nil
}

// serveAmbiguous handles a request whose path forms select different policies,
// or a policy and none.
func serveAmbiguous(w http.ResponseWriter, r *http.Request, policies []*Middleware, next http.Handler) {
	policies = slices.DeleteFunc(policies, func(m *Middleware) bool {
		return m == nil || m.policy.Load().reportAmbiguous(r)
	})
	if len(policies) == 0 {
		next.ServeHTTP(w, r)
		return
	}
	if isPreflight(r) {
		for _, m := range policies {
			m.policy.Load().report(r, Event{Preflight: true, Refused: true, Reason: AmbiguousPath})
		}
		addVary(w.Header(), joined(preflightVary[:]), preflightVary[:])
		nethttp.DiscardBody(w, r, r.Body)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	vary := []string{"Origin", "Sec-Fetch-Site"}
	addVary(w.Header(), joined(vary), vary)
	for _, m := range policies {
		p := m.policy.Load()
		reason, refused := p.checkEnforced(r)
		if !refused {
			reason = AmbiguousPath
		}
		p.report(r, Event{Refused: refused, Reason: reason})
		if refused {
			p.respond(w, r, deniedError(r, reason))
			return
		}
	}
	next.ServeHTTP(w, r)
}

// reportAmbiguous reports an ambiguous request to a policy that is report-only, and
// whether it is.
func (p *policy) reportAmbiguous(r *http.Request) bool {
	if !p.isReportOnly {
		return false
	}
	reason, refused := p.checkEnforced(r)
	if !refused {
		reason = AmbiguousPath
	}
	preflight := isPreflight(r)
	p.report(r, Event{Preflight: preflight, Reported: refused || preflight, Reason: reason})
	if refused {
		errors.Report(r, deniedError(r, reason))
	}
	return true
}
