package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
)

var errShelf = errors.Define(503, "goods_unavailable", "The shop cannot load this right now. Try again later.")

// A shelf stores values by key. A real service has a database instead.
type shelf interface {
	// get returns a value, or nil.
	get(ctx context.Context, key string) ([]byte, error)
	// update replaces a value by the result of f, in one step.
	update(ctx context.Context, key string, f func(old []byte) ([]byte, error)) error
	// list adds a key at the head of a list. It deletes the keys above the maximum from
	// the list, and their values.
	list(ctx context.Context, name, key string, keep int) error
	// head returns the first keys of a list.
	head(ctx context.Context, name string, n int) ([]string, error)
}

// A memoryShelf is a shelf in this process.
type memoryShelf struct {
	mu     sync.Mutex
	things map[string][]byte
	lists  map[string][]string
}

func newMemoryShelf() *memoryShelf {
	return &memoryShelf{things: make(map[string][]byte), lists: make(map[string][]string)}
}

func (m *memoryShelf) get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.things[key], nil
}

func (m *memoryShelf) update(_ context.Context, key string, f func([]byte) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	thing, err := f(m.things[key])
	if err == nil {
		m.things[key] = thing
	}
	return err
}

func (m *memoryShelf) list(_ context.Context, name, key string, keep int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := slices.Insert(m.lists[name], 0, key)
	if len(keys) > keep {
		for _, old := range keys[keep:] {
			delete(m.things, old)
		}
		keys = keys[:keep]
	}
	m.lists[name] = keys
	return nil
}

func (m *memoryShelf) head(_ context.Context, name string, n int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := m.lists[name]
	return slices.Clone(keys[:min(n, len(keys))]), nil
}

// A redisShelf is a shelf that shops share.
type redisShelf struct{ client *redis.Client }

const shelfPrefix = "shop:"

// within bounds the time of a call, and returns errors of Redis as unavailable.
func (s redisShelf) within(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := call(ctx)
	if err == nil || errors.Is(err, redis.Nil) {
		return nil
	}
	return errShelf.Wrap(err).Header("Retry-After", "1")
}

func (s redisShelf) get(ctx context.Context, key string) (thing []byte, err error) {
	err = s.within(ctx, func(ctx context.Context) (err error) {
		thing, err = s.client.Get(ctx, shelfPrefix+key).Bytes()
		return err
	})
	return thing, err
}

// update retries if another shop has changed the value meanwhile.
func (s redisShelf) update(ctx context.Context, key string, f func([]byte) ([]byte, error)) error {
	key = shelfPrefix + key
	var refused error
	try := func(ctx context.Context) error {
		return s.client.Watch(ctx, func(tx *redis.Tx) error {
			old, err := tx.Get(ctx, key).Bytes()
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
			thing, err := f(old)
			if refused = err; err != nil {
				return nil
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, key, thing, 0).Err() })
			return err
		}, key)
	}
	err := s.within(ctx, func(ctx context.Context) error {
		for range 10 {
			if err := try(ctx); !errors.Is(err, redis.TxFailedErr) {
				return err
			}
		}
		return redis.TxFailedErr
	})
	return errors.Join(refused, err)
}

// push is one step, so that concurrent calls leave no value without a list. It deletes keys
// that are not in KEYS, which only a single Redis allows.
var push = redis.NewScript(`
redis.call('LPUSH', KEYS[1], ARGV[1])
while redis.call('LLEN', KEYS[1]) > tonumber(ARGV[2]) do
	redis.call('DEL', ARGV[3] .. redis.call('RPOP', KEYS[1]))
end`)

func (s redisShelf) list(ctx context.Context, name, key string, keep int) error {
	return s.within(ctx, func(ctx context.Context) error {
		return push.Run(ctx, s.client, []string{shelfPrefix + name}, key, keep, shelfPrefix).Err()
	})
}

func (s redisShelf) head(ctx context.Context, name string, n int) (keys []string, err error) {
	err = s.within(ctx, func(ctx context.Context) (err error) {
		keys, err = s.client.LRange(ctx, shelfPrefix+name, 0, int64(n)-1).Result()
		return err
	})
	return keys, err
}
