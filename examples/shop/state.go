package main

import (
	"cmp"
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

// state is what outlives a request: in this process, or in a Redis and a
// folder of keys, with which any number of shops behave as one. A busy service has
// two Redis: the counts of limits may be evicted when memory is short, sessions and
// revocations must not. And a Redis that keeps sessions in an append-only file stands
// still while it rewrites that, for a tenth of a second and more: limits wait for 100
// ms, and are then local.
type state struct {
	shelf       shelf
	limits      ratelimit.Store
	sessions    session.Store
	partners    apikey.Store
	revocations auth.RevocationFeed
	signingKeys []token.Key
	refreshKeys []session.Key
	ready       func(context.Context) error
}

func openState(c config, secrets *secrets) (state, error) {
	s := state{shelf: newMemoryShelf(), partners: apikey.NewMemory(), ready: func(context.Context) error { return nil }}
	var err, failed error
	s.signingKeys, err = secrets.signingKeys(time.Now())
	s.refreshKeys, failed = secrets.refreshKeys(time.Now())
	if err = errors.Join(err, failed); err != nil || c.redis == "" {
		return s, err
	}
	if c.keys == "" {
		return s, errors.New("-redis needs -keys: shops that share their state share their keys too")
	}
	options, err := redisOptions("-redis", c.redis)
	if err != nil {
		return s, err
	}
	limits, err := redisOptions("-limits-redis", cmp.Or(c.limitsRedis, c.redis))
	if err != nil {
		return s, err
	}
	client := redis.NewClient(options)
	s.shelf = redisShelf{client}
	sessions, err := redisauth.NewSessionStore(client, redisauth.Options{})
	if err != nil {
		return s, err
	}
	s.sessions = sessions
	s.ready = sessions.Ready // one for all stores of this Redis
	if s.partners, err = redisauth.NewKeyStore(client, redisauth.Options{}); err != nil {
		return s, err
	}
	if s.revocations, err = redisauth.NewRevocationFeed(client, redisauth.Options{}); err != nil {
		return s, err
	}
	secret, err := secrets.get("limits.key", true)
	if err != nil {
		return s, err
	}
	// A client of its own: logins that wait for connections do not hold it up.
	s.limits, err = redislimit.New(redis.NewClient(limits), redislimit.Options{Secret: secret})
	return s, err
}

// redisOptions reads the URL of a Redis, which may have a password, so that no error
// shows it.
func redisOptions(flag, url string) (*redis.Options, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New(flag + " is not a URL such as redis://127.0.0.1:6379")
	}
	// The stores try again by themselves, where that is safe, and keep to their
	// own deadlines.
	options.MaxRetries, options.ContextTimeoutEnabled = -1, true
	options.DialerRetries, options.DialTimeout = 1, time.Second
	return options, nil
}
