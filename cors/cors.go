package cors

import (
	"net/http"
	"sync/atomic"

	"github.com/ringwall/ringwall/internal/wiring"
)

// A Middleware applies a CORS policy. It is safe for concurrent use. Only
// [Middleware.Reconfigure] changes it.
type Middleware struct{ policy atomic.Pointer[policy] }

// New returns a Middleware. It reports all invalid options, joined: no origins,
// origins that cannot match or match too much, and contradictions.
func New(o Options) (*Middleware, error) {
	m := new(Middleware)
	if err := m.Reconfigure(o); err != nil {
		return nil, err
	}
	return m, nil
}

// Reconfigure replaces all options at once. Requests in progress keep the old
// options. It returns the errors of [New], and then changes nothing.
func (m *Middleware) Reconfigure(o Options) error {
	p, err := compilePolicy(o)
	if err != nil {
		return err
	}
	m.policy.Store(p)
	return nil
}

// Handler responds to preflights, sets the CORS headers of other responses
// before next runs, and refuses the requests for which [Middleware.Check]
// returns an error. It panics if next is nil.
func (m *Middleware) Handler(next http.Handler) http.Handler {
	wiring.RequireNew("cors: Handler", m == nil || m.policy.Load() == nil)
	wiring.RequireHandler("cors: Handler", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.policy.Load().serveRequest(w, r, next) })
}

// Check returns [ErrOriginDenied] for a request that Enforce refuses because of
// Sec-Fetch-Site, which pages cannot set, or Origin. It accepts a request with
// neither header, because it does not come from a current browser and so has no
// cookies of a victim.
func (m *Middleware) Check(r *http.Request) error {
	if reason, refused := m.policy.Load().checkEnforced(r); refused {
		return deniedError(r, reason)
	}
	return nil
}

// AllowsOrigin reports whether a request has exactly one Origin and it is
// listed. With Origins "*", it reports false. Use it for WebSocket upgrades,
// which CORS does not cover (ASVS 5.0 4.4.2), and for handlers that check
// origins themselves.
func (m *Middleware) AllowsOrigin(r *http.Request) bool {
	p := m.policy.Load()
	from := r.Header["Origin"]
	return len(from) == 1 && !p.origins.all && p.origins.allowsOrigin(from[0])
}
