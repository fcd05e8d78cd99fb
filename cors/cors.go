package cors

import (
	"net/http"
	"sync/atomic"

	"github.com/ringwall/ringwall/internal/wiring"
)

// A Middleware is a CORS policy. It is safe for concurrent use, and changes
// only by [Middleware.Reconfigure], as a whole.
type Middleware struct{ policy atomic.Pointer[policy] }

// New returns a Middleware. It refuses a list without origins, origins that
// cannot match or match too much, and options that contradict each other. The
// error joins all problems.
func New(o Options) (*Middleware, error) {
	m := new(Middleware)
	if err := m.Reconfigure(o); err != nil {
		return nil, err
	}
	return m, nil
}

// Reconfigure replaces all options. A request that is under way keeps those
// that it began with. It refuses what [New] refuses, and then keeps the options
// as they were.
func (m *Middleware) Reconfigure(o Options) error {
	p, err := compilePolicy(o)
	if err != nil {
		return err
	}
	m.policy.Store(p)
	return nil
}

// Handler answers preflights itself, sets the CORS headers of all other
// responses before next runs, and refuses what [Middleware.Check] refuses.
// Handler panics if next is nil: a service finds that when it starts.
func (m *Middleware) Handler(next http.Handler) http.Handler {
	wiring.RequireNew("cors: Handler", m == nil || m.policy.Load() == nil)
	wiring.RequireHandler("cors: Handler", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.policy.Load().serveRequest(w, r, next) })
}

// Check returns [ErrOriginDenied] for a request that Handler would refuse
// because of where it comes from. Browsers tell that in Sec-Fetch-Site,
// which pages cannot set, and in Origin. A request with neither does not come
// from a browser of this decade, and passes: it has no cookies of a victim.
func (m *Middleware) Check(r *http.Request) error {
	if reason, refused := m.policy.Load().checkEnforced(r); refused {
		return deniedError(r, reason)
	}
	return nil
}

// AllowsOrigin reports whether a request has exactly one Origin, and that one is
// listed. A list that is "*" lists nobody here. It is made for upgrades to WebSocket, which CORS does not cover
// (ASVS 5.0 4.4.2), and for handlers that check origins themselves.
func (m *Middleware) AllowsOrigin(r *http.Request) bool {
	p := m.policy.Load()
	from := r.Header["Origin"]
	return len(from) == 1 && !p.origins.all && p.origins.allowsOrigin(from[0])
}
