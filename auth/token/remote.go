package token

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

const (
	// fetchFloor is the minimum time between the starts of two fetches, and of two
	// that unknown kids cause. Only the first unknown kid after another fetch that
	// succeeded does not wait for it.
	fetchFloor = 10 * time.Second
	// fetchTimeout bounds a fetch, and so how long a request waits for one.
	fetchTimeout = 5 * time.Second
	// maxWaiting bounds the requests that wait for a fetch, so that a server
	// that hangs, and a flood of unknown kids, do not fill the memory.
	maxWaiting = 1000
)

// RemoteOptions configures a [Remote]. Either URL or Issuer is required.
type RemoteOptions struct {
	// URL is the https URL at which the issuer publishes its keys (RFC 7517).
	URL string
	// Issuer is the https URL of an issuer, exactly as in the iss of its tokens
	// and in its metadata, with or without a slash at the end. The URL of the
	// keys is the jwks_uri of the metadata. The metadata is fetched from Issuer
	// with /.well-known/openid-configuration appended (OpenID Connect Discovery
	// 1.0), or, after a 404, from the URL of RFC 8414. It is fetched again after
	// an hour, and after a failed fetch of the keys.
	Issuer string
	// KeyHosts lists further hosts on which the metadata of Issuer may place the
	// keys, such as "www.googleapis.com". The host of Issuer is always accepted.
	KeyHosts []string
	// InsecureHTTP also accepts http URLs on loopback addresses, for development.
	InsecureHTTP bool
	// RSA is the algorithm of RSA keys that do not name one. The issuer documents
	// it. Empty means RS256.
	RSA Alg
	// Refresh is the age at which the keys are fetched again, from 1 min to
	// MaxStale. 0 means 5 min.
	Refresh time.Duration
	// MaxStale is the maximum age of the last good keys if a fetch fails, from 1
	// min to 24 h. 0 means 1 h.
	MaxStale time.Duration
	// Client fetches the keys. Its redirects and cookies are not used. nil means a
	// new client that uses the proxy of the environment.
	Client *http.Client
	// OnEvent is called after a change of the keys or a failed fetch. It must not
	// block. nil means that events are logged.
	OnEvent func(context.Context, Event)
	// Logger receives the events, and an error if OnEvent panics. nil means
	// slog.Default().
	Logger *slog.Logger
}

// A Remote has the published keys of an issuer. It fetches them for the first token,
// for a token with an unknown kid (at most once in 10 s), and when they are older than
// Refresh: by Run, or in the background of a request. A fetch takes at most 5 s. At
// most 1000 requests wait for it; others get [auth.ErrUnavailable]. A Remote is safe
// for concurrent use.
//
// A token with an unknown kid is invalid if the keys were fetched after its iat. A
// token that was issued later may have a newer key. If a fetch must wait, the result is
// [auth.ErrUnavailable] with the time until then, so that a client keeps a good token.
//
// Keys for signatures with a unique kid are used. Every other key is ignored, without
// affecting the rest. Two equal entries are one key. A key whose private part is in
// any entry is ignored in all entries.
//
// If a fetch fails, the last good keys are used up to MaxStale. After that, and for
// unknown kids meanwhile, the result is [auth.ErrUnavailable].
type Remote struct {
	issuer                            string // "" if the URL is configured
	discovery                         discovery
	rsa                               Alg
	client                            *http.Client
	refresh, maxStale, floor, timeout time.Duration
	reporter                          reporter
	now                               func() time.Time

	set     atomic.Pointer[keySet]
	waiting waiters

	mu      sync.Mutex
	latest  *flight   // the fetch that runs, or the last one
	unknown time.Time // the start of the last fetch that an unknown kid caused
}

// NewRemote returns a Remote. It does not fetch yet. It reports all invalid options,
// joined.
func NewRemote(o RemoteOptions) (*Remote, error) {
	var problems []error
	refuse := func(problem string) { problems = append(problems, errors.New("token: "+problem)) }
	discovery, more := newDiscovery(o)
	problems = append(problems, more...)
	if o.RSA == "" {
		o.RSA = RS256
	}
	if f := o.RSA.spec().family; f != pkcs1 && f != pss {
		refuse("RSA " + strconv.Quote(string(o.RSA)) + ": is not an RSA algorithm")
	}
	maxStale := orDefault(o.MaxStale, time.Hour)
	if maxStale < time.Minute || maxStale > 24*time.Hour {
		refuse("MaxStale " + o.MaxStale.String() + ": must be between 1m and 24h" + suggestSeconds(o.MaxStale))
		maxStale = time.Hour // Refresh is checked by itself
	}
	refresh := orDefault(o.Refresh, min(5*time.Minute, maxStale))
	if refresh < time.Minute || refresh > maxStale {
		refuse("Refresh " + refresh.String() + ": must be between 1m and MaxStale" + suggestSeconds(o.Refresh))
	}
	if problem := checkClient(o.Client); problem != "" {
		refuse(problem)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &Remote{
		issuer: o.Issuer, discovery: discovery, rsa: o.RSA, client: newFetchClient(o.Client), refresh: refresh, maxStale: maxStale, floor: fetchFloor, timeout: fetchTimeout,
		reporter: reporter{o.OnEvent, o.Logger, cmp.Or(o.URL, o.Issuer)}, now: time.Now,
	}, nil
}

// Run keeps the keys fresh until ctx ends, and returns its error. A failed fetch
// is retried after 10 s.
func (r *Remote) Run(ctx context.Context) error {
	if !r.usable() {
		return errNotMade()
	}
	for {
		if f := r.fetch(ctx, r.now(), false); f != nil {
			select {
			case <-ctx.Done():
			case <-f.done:
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.pause()):
		}
	}
}

// pause returns the time until the next fetch of Run. It has a
// random part, so that replicas that started together do not fetch at the same time.
func (r *Remote) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if over, err := r.latest.over(); !over || err != nil {
		return r.floor
	}
	return max(r.floor, r.refresh-rand.N(r.refresh/10+1))
}

// Ready returns nil if there are keys that are not too old, and fetches them if there
// are none. It is for the readiness check of a service.
func (r *Remote) Ready(ctx context.Context) error {
	if !r.usable() {
		return errNotMade()
	}
	if r.fresh(r.now()) != nil {
		return nil
	}
	if err := r.await(ctx, r.fetch(ctx, r.now(), false)); err != nil {
		return err
	}
	if r.fresh(r.now()) == nil {
		return r.unavailableError("keys of the issuer")
	}
	return nil
}

func errNotMade() error {
	return auth.ErrUnavailable.With("reason", "the Remote was not made by NewRemote")
}

func (r *Remote) usable() bool { return r != nil && r.client != nil }

// fresh returns the keys if they are at most MaxStale old, or nil.
func (r *Remote) fresh(now time.Time) *keySet {
	if set := r.set.Load(); set != nil && age(now, set.fetched) < r.maxStale {
		return set
	}
	return nil
}

// age returns the time since then by the wall clock or the monotonic clock, whichever
// is longer: the wall clock may have been set back, and the monotonic clock stops while
// a machine is suspended.
func age(now, then time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

func (r *Remote) stillAccepts(ctx context.Context, key *Key, now time.Time) bool {
	set := r.fresh(now)
	return set != nil && r.current(ctx, set, key.kid, now) == key
}

// current returns a key of a set. If the set is old, it starts a fetch, for which
// the request does not wait.
func (r *Remote) current(ctx context.Context, set *keySet, kid string, now time.Time) *Key {
	if age(now, set.fetched) >= r.refresh {
		r.fetch(ctx, now, false)
	}
	return set.keys[kid]
}

func (r *Remote) findKey(ctx context.Context, kid string, now time.Time) (*Key, error) {
	set := r.fresh(now)
	if set != nil {
		if key := r.current(ctx, set, kid, now); key != nil {
			return key, nil
		}
	}
	f := r.fetch(ctx, now, set != nil)
	if err := r.await(ctx, f); err != nil {
		return nil, err
	}
	if set = r.fresh(r.now()); set != nil && set.keys[kid] != nil {
		return set.keys[kid], nil
	}
	return nil, r.missingKeyError(set, f, now)
}

// missingKeyError returns the error for a token that was received at a time, and whose
// key the set lacks after a fetch. It is nil if the issuer has no such key.
func (r *Remote) missingKeyError(set *keySet, f *flight, now time.Time) error {
	switch {
	case set == nil, f.err != nil:
		// The key may be new, and a client would discard a good token after a 401.
		return r.unavailableError("keys of the issuer")
	case f.began.Before(now):
		return &newerKeyError{f.began, r.unavailableError("the key may be newer than the keys of the issuer that were fetched")}
	}
	return nil
}

// A newerKeyError is the error for a token whose key was missing when the keys were
// fetched. It applies only to a token that was issued since.
type newerKeyError struct {
	fetched time.Time
	err     error
}

// Error implements error.
func (e *newerKeyError) Error() string { return e.err.Error() }

// findUnnamed returns the key that a token without a kid means. A new key is found
// when the keys are fetched again, since such a token does not name an unknown one.
func (r *Remote) findUnnamed(ctx context.Context, x5t string, alg Alg, now time.Time) (*Key, error) {
	set := r.fresh(now)
	if set == nil {
		if err := r.await(ctx, r.fetch(ctx, now, false)); err != nil {
			return nil, err
		}
		if set = r.fresh(r.now()); set == nil {
			return nil, r.unavailableError("keys of the issuer")
		}
	}
	if key := onlyKey(maps.Values(set.keys), x5t, alg); key != nil {
		return r.current(ctx, set, key.kid, now), nil
	}
	f := r.fetch(ctx, now, true) // the set may lack the key of this x5t
	if err := r.await(ctx, f); err != nil {
		return nil, err
	}
	if set = r.fresh(r.now()); set != nil && f.err == nil {
		if key := onlyKey(maps.Values(set.keys), x5t, alg); key != nil {
			return key, nil
		}
	}
	return nil, r.missingKeyError(set, f, now)
}

// unavailableError returns an error with the time until the next fetch.
func (r *Remote) unavailableError(reason string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.latest.over()
	waits := r.unknown
	if err != nil {
		waits = r.latest.began
	}
	left := r.floor - age(r.now(), waits)
	seconds := max(1, int((left+time.Second-1)/time.Second))
	return auth.ErrUnavailable.Header("Retry-After", strconv.Itoa(seconds)).With("reason", reason, "url", r.reporter.url).Wrap(err)
}
