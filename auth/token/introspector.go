package token

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/wiring"
)

// IntrospectorOptions configures an [Introspector]. URL, ClientID, Secret and
// Audience are required.
type IntrospectorOptions struct {
	// URL is the https URL of the introspection endpoint (RFC 7662).
	URL string
	// Issuer is the issuer of the tokens, for the principal. The iss of a reply, if it
	// has one, must be equal.
	Issuer string
	// ClientID and Secret are the credentials of this service at the endpoint, which
	// it gets by HTTP Basic authentication (RFC 6749, section 2.3.1).
	ClientID string
	Secret   []byte
	// Audience lists the names of this service. The aud of a reply must have one of
	// them. A reply that says that the token is a refresh or an ID token, in token_use
	// as Ory Hydra or in typ as Keycloak, is refused. If the endpoint accepts such
	// tokens without such a member, Identity must refuse them.
	Audience []string
	// CacheFor is the time for which an active token is not introspected again, and so
	// the time for which a revoked token is still accepted. It is at most 1 min. 0
	// means 10 s. A negative value disables the cache of active tokens.
	CacheFor time.Duration
	// CacheEntries is the maximum number of cached results: of active tokens, and as many
	// of refused ones. 0 means 4096.
	CacheEntries int
	// Shared caches active replies for all processes of a service, for example in
	// Redis. nil means that each process caches by itself.
	Shared IntrospectionCache
	// MaxSize is the maximum size of a token in bytes, at most 64 KiB. 0 means 8 KiB.
	MaxSize int
	// Revocations is checked for each request. A token whose reply has no iat
	// counts as issued before every revocation of its subject. nil means that
	// only the endpoint revokes tokens.
	Revocations *auth.Revocations
	// Identity is called once for each active reply, as [VerifierOptions].Identity is
	// for each token.
	Identity func(Payload, auth.Identity) (auth.Identity, error)
	// Client calls the endpoint. Its redirects and cookies are not used. nil means a
	// new client that uses the proxy of the environment.
	Client *http.Client
	// OnEvent is called after a call that failed. It must not block. nil means that
	// events are logged.
	OnEvent func(context.Context, Event)
	// Logger receives the events, and an error if OnEvent panics. nil means
	// slog.Default().
	Logger *slog.Logger
	// InsecureNoAudience accepts replies without an aud: then the endpoint must reply
	// "active" only for tokens that are meant for ClientID.
	InsecureNoAudience bool
	// InsecureHTTP also accepts an http URL on a loopback address, for development.
	InsecureHTTP bool
}

// An IntrospectionCache shares active replies of an introspection endpoint
// between processes. It must be bounded, and must delete a reply when its time to
// live has passed. A writer of the cache can forge callers.
type IntrospectionCache interface {
	// Load returns the reply under a key, or nil if there is none.
	Load(ctx context.Context, key string) ([]byte, error)
	// Store stores a reply for at most ttl.
	Store(ctx context.Context, key string, reply []byte, ttl time.Duration) error
}

// NewIntrospector returns an Introspector. It does not call the endpoint. It reports
// all invalid options, joined.
func NewIntrospector(o IntrospectorOptions) (*Introspector, error) {
	var problems []error
	report := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("token: "+format, args...))
	}
	if problem := checkFetchURL(o.URL, o.InsecureHTTP); problem != "" {
		report("URL %q: %s; did you mean the introspection_endpoint of the issuer's metadata?", o.URL, problem)
	}
	if o.ClientID == "" {
		report("ClientID: must not be empty; did you mean the client ID of this service at the issuer?")
	}
	if len(o.Secret) == 0 {
		report("Secret: must not be empty; did you mean the client secret of this service at the issuer?")
	}
	problems = append(problems, checkNames(o.Issuer, o.Audience))
	switch {
	case len(o.Audience) == 0 && !o.InsecureNoAudience:
		report("Audience: must not be empty: tokens for other services would pass")
	case slices.Contains(o.Audience, ""):
		report("Audience: must not have an empty entry: tokens for other services would pass")
	}
	if o.CacheFor > time.Minute {
		report("CacheFor %s: must be at most 1m, because a revoked token is accepted as long", o.CacheFor)
	}
	if 0 < o.CacheFor && o.CacheFor < time.Millisecond {
		report("CacheFor %s: is below a millisecond%s", o.CacheFor, suggestSeconds(o.CacheFor))
	}
	if o.CacheEntries < 0 {
		report("CacheEntries %d: must not be negative", o.CacheEntries)
	}
	if o.MaxSize < 0 || o.MaxSize > 64<<10 {
		report("MaxSize %d: must be between 0 and 65536", o.MaxSize)
	}
	if problem := checkClient(o.Client); problem != "" {
		report("%s", problem)
	}
	if o.Shared != nil && wiring.IsNil(o.Shared) {
		report("Shared: must not be a nil pointer; did you mean to check the error of its New?")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	i := &Introspector{
		url: o.URL, issuer: o.Issuer, clientID: o.ClientID, secret: slices.Clone(o.Secret), audience: slices.Clone(o.Audience),
		anyAudience: o.InsecureNoAudience, cacheFor: orDefault(o.CacheFor, 10*time.Second), maxSize: orDefault(o.MaxSize, 8<<10),
		revocations: o.Revocations, identify: o.Identity, shared: o.Shared, client: newFetchClient(o.Client),
		reporter: reporter{o.OnEvent, o.Logger, o.URL}, now: time.Now,
		calls: make(map[[sha256.Size]byte]*introspection), active: newResultCache(orDefault(o.CacheEntries, 4096)), refused: newResultCache(orDefault(o.CacheEntries, 4096)),
	}
	if t, ok := i.client.Transport.(*http.Transport); ok && o.Client == nil {
		t.MaxIdleConns, t.MaxIdleConnsPerHost, t.MaxConnsPerHost = maxCalls, maxCalls, maxCalls
	}
	return i, nil
}
