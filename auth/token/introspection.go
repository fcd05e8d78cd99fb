package token

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

const (
	// introspectionTimeout bounds a call of the endpoint, and so the time for which a
	// request waits for one.
	introspectionTimeout = 2 * time.Second
	// inactiveFor is the time for which the result "not active" is cached.
	inactiveFor = 10 * time.Second
	// maxReply bounds a reply of the endpoint, in bytes.
	maxReply = 64 << 10
	// maxCalls bounds the connections to the endpoint.
	maxCalls = 32
)

// An Introspector is an [auth.Authenticator] for opaque bearer tokens, which only their
// issuer can read. It calls the introspection endpoint of the issuer (RFC 7662).
// Concurrent requests with one token share a call, which takes at most 2 s; at most
// 1000 requests wait. An endpoint that cannot be reached, or that refuses this
// service, is [auth.ErrUnavailable]. It is safe for concurrent use.
type Introspector struct {
	url, issuer, clientID string
	secret                []byte
	audience              []string
	anyAudience           bool
	cacheFor              time.Duration
	maxSize               int
	revocations           *auth.Revocations
	identify              identifier
	shared                IntrospectionCache
	client                *http.Client
	reporter              reporter
	now                   func() time.Time

	waiting waiters
	mu      sync.Mutex
	calls   map[[sha256.Size]byte]*introspection // that run
	active  *resultCache
	refused *resultCache // apart, so that a flood evicts no active token
}

var _ auth.Authenticator = (*Introspector)(nil)

// An introspection is one call of the endpoint, for which any number of requests may
// wait.
type introspection struct {
	done   chan struct{}
	result result // to be read when done is closed
	err    error
}

// A result is the content of a reply about a token.
type result struct {
	principal *auth.Principal // nil if the token is not active
	err       error           // of a token that is active, but refused
	times     times
	until     time.Time // the end of the caching
}

// Challenge returns the scheme: Bearer.
func (i *Introspector) Challenge() string { return "Bearer" }

// Authenticate introspects the token of an Authorization header with the scheme
// Bearer. It returns nil and nil for another scheme, and without the header.
func (i *Introspector) Authenticate(r *http.Request) (*auth.Principal, error) {
	token, err := bearer(r)
	if token == "" || err != nil {
		return nil, err
	}
	return i.Introspect(r.Context(), token)
}

// Introspect returns the principal of a token. It returns [auth.ErrInvalid] for a token
// that is not active or not for this service, [auth.ErrExpired], [auth.ErrRevoked] or
// [auth.ErrUnavailable].
func (i *Introspector) Introspect(ctx context.Context, token string) (*auth.Principal, error) {
	switch {
	case i == nil || i.client == nil:
		return nil, auth.ErrUnavailable.With("reason", "the introspector was not made by NewIntrospector")
	case len(token) > i.maxSize:
		return nil, invalid(ReasonSize)
	case !isTokenText(token):
		return nil, invalid(ReasonEncoding)
	}
	key := sha256.Sum256([]byte(token))
	now := i.now()
	res, cached := i.active.lookUp(key, now)
	if !cached {
		res, cached = i.refused.lookUp(key, now)
	}
	if !cached {
		var err error
		if res, err = i.await(ctx, i.call(ctx, key, token)); err != nil {
			return nil, err
		}
	}
	return i.check(ctx, res)
}

// check makes the checks whose results change while a result is cached.
func (i *Introspector) check(ctx context.Context, res result) (*auth.Principal, error) {
	switch {
	case res.err != nil:
		return nil, res.err
	case res.principal == nil:
		return nil, invalid(ReasonInactive)
	case !i.now().Before(res.times.expires):
		return nil, errExpired
	}
	if err := checkRevocations(ctx, i.revocations, res.principal, res.times.issued); err != nil {
		return nil, err
	}
	return res.principal, nil
}

// call returns the running call for a token, or starts one.
func (i *Introspector) call(ctx context.Context, key [sha256.Size]byte, token string) *introspection {
	i.mu.Lock()
	defer i.mu.Unlock()
	if running := i.calls[key]; running != nil {
		return running
	}
	c := &introspection{done: make(chan struct{})}
	if len(i.calls) >= maxWaiting {
		c.err = errTooManyWait
		close(c.done)
		return c
	}
	i.calls[key] = c
	go func() {
		defer close(c.done)
		// Other requests wait for it too, so it does not end with this one.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), introspectionTimeout)
		defer cancel()
		if c.result, c.err = i.resolve(ctx, key, token); c.err == nil {
			if c.result.principal != nil {
				i.active.store(key, c.result, i.now())
			} else {
				i.refused.store(key, c.result, i.now())
			}
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.calls, key)
	}()
	return c
}

var errTooManyWait = auth.ErrUnavailable.Header("Retry-After", "1").With("reason", "too many requests wait for introspection")

// await waits for a call as long as the request does.
func (i *Introspector) await(ctx context.Context, c *introspection) (result, error) {
	if err := i.waiting.await(ctx, c.done, errTooManyWait, "the request ended before the introspection"); err != nil {
		return result{}, err
	}
	return c.result, c.err
}

// resolve returns the result for a token from the shared cache, or from the endpoint.
func (i *Introspector) resolve(ctx context.Context, key [sha256.Size]byte, token string) (res result, err error) {
	defer func() {
		if v := recover(); v != nil { // of a Client, of Shared or of Identity
			err = auth.ErrUnavailable.Wrap(fmt.Errorf("introspect token: panic: %v", v))
			i.reporter.report(ctx, Event{Reason: IntrospectionFailed, Err: err})
		}
	}()
	// The names differ for another service, because the endpoint may reply differently
	// to it.
	sum := sha256.Sum256([]byte(i.url + "\x00" + i.clientID + "\x00" + string(key[:])))
	name := hex.EncodeToString(sum[:])
	if i.shared != nil && i.cacheFor > 0 {
		reply, err := i.shared.Load(ctx, name)
		if err != nil {
			i.reporter.report(ctx, Event{Reason: IntrospectionFailed, Err: fmt.Errorf("load shared reply: %w", err)})
		} else if reply != nil {
			if res, err := i.readReply(string(reply)); err == nil && res.principal != nil {
				return res, nil
			}
		}
	}
	reply, err := i.post(ctx, token)
	if err == nil {
		res, err = i.readReply(string(reply))
	}
	if err != nil {
		i.reporter.report(ctx, Event{Reason: IntrospectionFailed, Err: err})
		return result{}, auth.ErrUnavailable.Header("Retry-After", "1").With("reason", "introspection", "url", i.url).Wrap(err)
	}
	if ttl := res.until.Sub(i.now()); i.shared != nil && res.principal != nil && ttl > 0 {
		if err := i.shared.Store(ctx, name, reply, ttl); err != nil {
			i.reporter.report(ctx, Event{Reason: IntrospectionFailed, Err: fmt.Errorf("store shared reply: %w", err)})
		}
	}
	return res, nil
}

// post returns the reply of the endpoint for a token.
func (i *Introspector) post(ctx context.Context, token string) ([]byte, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.url, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(url.QueryEscape(i.clientID), url.QueryEscape(string(i.secret)))
	return sendRequest(i.client, req, maxReply)
}

// readReply returns the result of a reply. An error means that the reply is not
// about the token.
func (i *Introspector) readReply(text string) (result, error) {
	list, ok := members(text, nil, maxMetadataMembers)
	if !ok {
		return result{}, errors.New("the reply is not a JSON object with distinct names")
	}
	now := i.now()
	switch active, _ := memberOf(list, "active"); active.value {
	case "true":
	case "false":
		return result{until: now.Add(inactiveFor)}, nil
	default:
		return result{}, errors.New("the reply has no member active")
	}
	res := result{until: now.Add(max(0, i.cacheFor))}
	c, err := i.readClaims(list)
	if err == nil {
		res.times = c.times
		res.principal, err = i.principal(list, &c, text)
	}
	if err != nil {
		if kind, _ := errors.AsType[*errors.Kind](err); kind == auth.ErrUnavailable {
			return result{}, err // of Identity
		}
		return result{err: err, until: now.Add(inactiveFor)}, nil
	}
	res.times.expires = res.principal.ExpiresAt()
	if res.times.expires.Before(res.until) {
		res.until = res.times.expires
	}
	return res, nil
}

// readClaims returns the claims of an active reply.
func (i *Introspector) readClaims(list []member) (claims, error) {
	var c claims
	for _, m := range list {
		if !c.setClaim(m) && !c.clearOptional(m.name) {
			return c, invalidClaim(m.name)
		}
	}
	if c.subject == "" {
		c.subject = c.client // of a client that acts for itself
	}
	kind, hasKind := memberOf(list, "token_type")
	switch {
	case !isOfAccessToken(list):
		return c, invalid(ReasonType)
	case hasKind && !strings.EqualFold(kind.value, `"Bearer"`), c.confirmation.value != "":
		return c, invalidClaim("cnf")
	case c.issuer != "" && i.issuer != "" && c.issuer != i.issuer:
		return c, mismatch(ReasonIssuer, c.issuer, i.issuer)
	case c.audience.value == "" && i.anyAudience:
	case !hasName(c.audience, i.audience):
		return c, audienceError(c.audience, i.audience)
	}
	switch {
	case c.subject == "" || len(c.subject) > maxSubject:
		return c, invalidClaim("sub")
	case c.expires.IsZero():
		return c, invalidClaim("exp")
	case c.notBefore.After(i.now().Add(30 * time.Second)):
		return c, invalid(ReasonNotBefore)
	}
	return c, nil
}

// isOfAccessToken reports whether a reply does not say that the token is of another kind.
// RFC 7662 has no member for that, and some endpoints reply "active" for the other tokens
// of a client too: token_use is of Ory Hydra, and typ of Keycloak.
func isOfAccessToken(list []member) bool {
	if use, ok := memberOf(list, "token_use"); ok {
		switch text, _ := use.stringValue(); text {
		case "access", "access_token":
		default:
			return false
		}
	}
	if typ, ok := memberOf(list, "typ"); ok {
		switch text, _ := typ.stringValue(); strings.ToLower(text) {
		case "refresh", "offline", "id", "logout":
			return false
		}
	}
	return true
}

// principal returns the principal of an active reply.
func (i *Introspector) principal(list []member, c *claims, text string) (*auth.Principal, error) {
	c.issuer = i.issuer
	kind := auth.Unknown
	switch {
	case c.isOfClient():
		kind = auth.Program
	case i.identify != nil:
		kind = auth.Person
	}
	id := c.identity(kind, text)
	if i.identify != nil {
		var err error
		if id, err = i.identify.identify(clonePayload(text, list), id, c.times); err != nil {
			return nil, err
		}
	}
	p, err := auth.NewPrincipal(id)
	if err != nil {
		return nil, auth.ErrInvalid.Wrap(err)
	}
	return p, nil
}

// isTokenText reports whether a token has the characters of RFC 6750, section 2.1.
func isTokenText(token string) bool {
	for _, c := range []byte(token) {
		if !isUnreserved(c) && strings.IndexByte("+/=", c) < 0 {
			return false
		}
	}
	return token != ""
}
