package redisauth

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/go-redis/v9"
)

// A ReplayStore stores the IDs of used proofs in Redis, so that a DPoP proof works once
// in all processes. It is a token.ReplayStore, safe for concurrent use. Each ID is a key
// of about 150 bytes that expires after at most three minutes.
type ReplayStore struct {
	*store
	use script
}

// NewReplayStore returns a store of used proofs. It reports all invalid options, joined.
func NewReplayStore(client redis.UniversalClient, o Options) (*ReplayStore, error) {
	s, err := newStore(client, o)
	if err != nil {
		return nil, err
	}
	return &ReplayStore{store: s, use: newScript(useLua)}, nil
}

// useLua stores an ID unless it exists.
// ARGV: the name of the call, by which a retry recognizes the write of the call's first
// sending; the milliseconds until the ID expires.
// Reply: 1 if this call stored the ID, 0 if another did.
const useLua = `
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end
return 0
`

// Use implements token.ReplayStore.
func (s *ReplayStore) Use(ctx context.Context, id string, until time.Time) (bool, error) {
	ttl := max(time.Millisecond, time.Until(until))
	reply, err := s.runScript(ctx, true, s.use, s.prefix+"proof:"+id, rand.Text(), ttl.Milliseconds())
	return reply == int64(1), err
}

// An IntrospectionCache caches active replies of an introspection endpoint in
// Redis. It is a token.IntrospectionCache, safe for concurrent use. A cached reply
// contains the claims of a caller, so whoever can write to the Redis can forge callers.
type IntrospectionCache struct {
	*store
	load, put script
}

// NewIntrospectionCache returns a cache of active replies. It reports all invalid
// options, joined.
func NewIntrospectionCache(client redis.UniversalClient, o Options) (*IntrospectionCache, error) {
	s, err := newStore(client, o)
	if err != nil {
		return nil, err
	}
	return &IntrospectionCache{store: s, load: newScript(loadLua), put: newScript(storeLua)}, nil
}

// Reply: the cached reply, or nil.
const loadLua = `return redis.call('GET', KEYS[1])`

// ARGV: the reply of the introspection endpoint, the milliseconds until it expires.
// Reply: nil.
const storeLua = `redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])`

// Load implements token.IntrospectionCache.
func (c *IntrospectionCache) Load(ctx context.Context, key string) ([]byte, error) {
	reply, err := c.runScript(ctx, false, c.load, c.prefix+"introspection:"+key)
	text, ok := reply.(string)
	if err != nil || !ok {
		return nil, err
	}
	return []byte(text), nil
}

// Store implements token.IntrospectionCache.
func (c *IntrospectionCache) Store(ctx context.Context, key string, reply []byte, ttl time.Duration) error {
	_, err := c.runScript(ctx, false, c.put, c.prefix+"introspection:"+key, reply, max(1, ttl.Milliseconds()))
	return err
}
