package redisauth

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/errors"
)

// A KeyStore keeps API keys in Redis: their digests, not their secrets. It is an
// [apikey.Store], safe for concurrent use, and the same for every process that
// uses the Redis.
type KeyStore struct {
	*store
	get, put, drop, scan script
}

var _ apikey.Store = (*KeyStore)(nil)

// NewKeyStore returns a store of API keys. It reports all invalid options,
// joined. A lost key locks out a client, so the Redis must write to disk
// (appendonly).
func NewKeyStore(client redis.UniversalClient, o Options) (*KeyStore, error) {
	s, err := newStore(client, o)
	if err != nil {
		return nil, err
	}
	return &KeyStore{store: s, get: newScript(getLua), put: newScript(putLua), drop: newScript(dropLua), scan: newScript(scanLua)}, nil
}

// hashKey returns the key of the hash with all API keys.
func (s *KeyStore) hashKey() string { return s.prefix + "apikeys" }

// skewSeconds returns the seconds that scripts add to the clock of Redis, in tests.
func (s *KeyStore) skewSeconds() int64 { return int64(s.skew / time.Second) }

// isID reports whether a field of the hash is an API key. keyLua describes the other
// fields.
func isID(id string) bool { return id != "" && id[0] != '-' }

// Get implements [apikey.Store].
func (s *KeyStore) Get(ctx context.Context, id string) (apikey.Record, bool, error) {
	if !isID(id) {
		return apikey.Record{}, false, nil
	}
	reply, err := s.runScript(ctx, false, s.get, s.hashKey(), id)
	if err != nil || reply == nil {
		return apikey.Record{}, false, err
	}
	r, err := readKey(id, reply)
	return r, err == nil, err
}

// Put implements [apikey.Store].
func (s *KeyStore) Put(ctx context.Context, k apikey.Record) (bool, error) {
	if !isID(k.Key.ID) {
		return false, fmt.Errorf("redisauth: %q is not a key ID", k.Key.ID)
	}
	value, err := json.Marshal(k)
	if err != nil {
		return false, err
	}
	reply, err := s.runScript(ctx, true, s.put, s.hashKey(), s.skewSeconds(), k.Key.ID, strconv.Itoa(k.Version-1), strconv.Itoa(k.Version)+" "+string(value))
	return reply == int64(1), err
}

// Delete implements [apikey.Store]. For an hour, a delayed Put cannot create the key
// again.
func (s *KeyStore) Delete(ctx context.Context, id string) error {
	if !isID(id) {
		return nil
	}
	_, err := s.runScript(ctx, true, s.drop, s.hashKey(), s.skewSeconds(), id)
	return err
}

// List implements [apikey.Store]. It reads in steps, so that Redis serves other
// clients between them: a key that changes meanwhile is listed before or after
// its change. With an error, List returns all keys that could be read.
func (s *KeyStore) List(ctx context.Context) ([]apikey.Record, error) {
	found, broken := make(map[string]apikey.Record), make(map[string]error) // a scan may return a key twice
	var failed error
	for p := (keyPage{next: "0"}); ; {
		if p, failed = s.page(ctx, p); failed != nil {
			break
		}
		for i := 1; i < len(p.fields); i += 2 {
			id, _ := p.fields[i-1].(string)
			if !isID(id) {
				continue
			}
			k, err := readKey(id, p.fields[i])
			if err != nil {
				broken[id] = err
				continue
			}
			found[id] = k
		}
		if p.next == "0" {
			break
		}
	}
	list := slices.SortedFunc(maps.Values(found), func(a, b apikey.Record) int {
		return cmp.Or(a.Key.Created.Compare(b.Key.Created), strings.Compare(a.Key.ID, b.Key.ID))
	})
	return list, errors.Join(append(slices.Collect(maps.Values(broken)), failed)...)
}

// A keyPage is the result of one HSCAN.
type keyPage struct {
	server, next string // the Redis process, and the next cursor: "0" after the last page
	fields       []any  // fields and values, in turn
}

// page reads the page after another. A scan ends with an error if it reaches another
// Redis process, because cursors are valid only in the process that issued them.
func (s *KeyStore) page(ctx context.Context, before keyPage) (keyPage, error) {
	reply, err := s.runScript(ctx, false, s.scan, s.hashKey(), before.next)
	if err != nil {
		return keyPage{}, err
	}
	r := reader{}
	parts := r.asList(reply)
	p := keyPage{r.textAt(parts, 0), r.textAt(parts, 1), r.asList(r.at(parts, 2))}
	if before.server != "" && p.server != before.server {
		return keyPage{}, unavailableError(errOtherServer)
	}
	return p, r.joinError(nil)
}

// readKey reads a version and a record. It refuses a record with another ID or without
// a secret, because this package does not write such a record.
func readKey(id string, v any) (apikey.Record, error) {
	text, _ := v.(string)
	_, value, _ := strings.Cut(text, " ")
	var k apikey.Record
	if err := json.Unmarshal([]byte(value), &k); err != nil {
		return apikey.Record{}, unavailableError(fmt.Errorf("read the key %q: %w", id, err))
	}
	if k.Key.ID != id || len(k.Secrets) == 0 {
		return apikey.Record{}, unavailableError(fmt.Errorf("read the key %q: it has another ID, or no secret", id))
	}
	return k, nil
}
