package apikey

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/route"
	"github.com/ringwall/ringwall/internal/wiring"
)

// Options configures a [Manager]. Prefix, Store, ClientIP and Routes are
// required.
type Options struct {
	// Prefix is the start of every key, so that scanners find leaked keys: 1 to 16
	// lower-case letters and digits.
	Prefix string
	// Store keeps the keys. [NewMemory] loses them at a restart. Managers with the
	// same store share all its keys, whatever their Prefix is.
	Store Store
	// ClientIP returns the client's address, and whether it is certain:
	// headers.PeerIP, or the ClientIP of a headers.Forwarded. If it is not certain,
	// no network matches.
	ClientIP func(*http.Request) (netip.Addr, bool)
	// Routes lists patterns of requests whose keys are read. The language is that
	// of http.ServeMux without hosts. "/" matches every request, for a service that
	// accepts only keys. With Route, it is the pattern "/" of that router.
	Routes []string
	// Header is the name of the header with the key. Empty means X-API-Key.
	Header string
	// CacheTTL is the time for which an accepted key is cached. A key that another
	// process revokes is refused after at most CacheTTL. 0 means 1 s, the maximum.
	// The cache cannot be disabled, only shortened.
	CacheTTL time.Duration
	// Bearer also reads keys from an Authorization header with the scheme Bearer. Such a
	// token that does not have the form of a key is not claimed. For bearer tokens of
	// other kinds too, leave it out and pass the Manager to token.Bearer.
	Bearer bool
	// Route returns the pattern that the application's own router picks, for
	// routers that strip prefixes.
	Route func(*http.Request) string
	// OnEvent is called after each event of a key. It must not block. A panic is
	// logged and has no other effect.
	OnEvent func(context.Context, Event)
	// Logger receives an error if OnEvent panics. nil means slog.Default().
	Logger *slog.Logger
}

// New returns a Manager. It reports all invalid options, joined.
func New(o Options) (*Manager, error) {
	routes, err := route.Opening(o.Route, route.Field{Name: "apikey: Routes", Patterns: o.Routes, Everywhere: true})
	problems := []error{err}
	refuse := func(text string) { problems = append(problems, errors.New("apikey: "+text)) }
	if !regexp.MustCompile(`^[a-z0-9]{1,16}$`).MatchString(o.Prefix) {
		refuse(`Prefix: must have 1 to 16 lower-case letters and digits; did you mean the name of your service?`)
	}
	if wiring.IsNil(o.Store) {
		refuse("Store: must not be nil; NewMemory loses the keys at a restart")
	}
	if o.ClientIP == nil {
		refuse("ClientIP: must not be nil; did you mean headers.PeerIP?")
	}
	if len(o.Routes) == 0 {
		refuse(`Routes: must not be empty; did you mean "/partner/", or "/" for everywhere?`)
	}
	if o.Header == "" {
		o.Header = "X-API-Key"
	}
	if !regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`).MatchString(o.Header) || slices.Contains(taken[:], strings.ToLower(o.Header)) {
		refuse(`Header: is not a header name, or has another meaning; did you mean "X-API-Key"?`)
	}
	if o.CacheTTL == 0 {
		o.CacheTTL = time.Second
	}
	if o.CacheTTL < 0 || o.CacheTTL > time.Second {
		refuse("CacheTTL " + o.CacheTTL.String() + ": must be between 0 and 1s")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &Manager{
		prefix: o.Prefix, store: o.Store, clientIP: o.ClientIP, routes: routes, bearer: o.Bearer, header: http.CanonicalHeaderKey(o.Header), challenge: `ApiKey header="` + o.Header + `"`,
		cache: cache{ttl: o.CacheTTL, entries: make(map[string]cached)}, onEvent: o.OnEvent, logger: o.Logger, now: wallNow, writers: make(chan struct{}, 16),
	}, nil
}
