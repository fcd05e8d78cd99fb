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

// state has the stores: in this process, or in a Redis and a folder of keys, with which
// any number of shops behave as one. A busy service has two Redis, because the counts of
// limits may be evicted if memory is short, and sessions and revocations must not. A Redis
// with an append-only file may also hang for 100 ms and more while it rewrites the file.
// Limits wait for 100 ms, and are then counted locally.
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
	s.ready = sessions.Ready // the stores of one Redis have the same state
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
	// The limits have a client of their own, so that they do not wait for
	// connections that logins use.
	s.limits, err = redislimit.New(redis.NewClient(limits), redislimit.Options{Secret: secret})
	return s, err
}

// redisOptions reads the URL of a Redis. Its error does not contain the URL, which may have
// a password.
func redisOptions(flag, url string) (*redis.Options, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New(flag + " is not a URL such as redis://127.0.0.1:6379")
	}
	// The stores retry calls themselves if that is safe, and have deadlines.
	options.MaxRetries, options.ContextTimeoutEnabled = -1, true
	options.DialerRetries, options.DialTimeout = 1, time.Second
	return options, nil
}
