package apikey

import (
	"sync"
	"time"
)

// maxCached bounds the keys that a cache holds.
const maxCached = 4096

// A cache holds the records of keys that were accepted less than CacheTTL ago, so that a
// busy client does not cost a store call for each request. It holds no decisions: secret,
// networks and expiry are compared on every request.
type cache struct {
	ttl     time.Duration
	mu      sync.RWMutex
	entries map[string]cached
	drops   uint64
}

type cached struct {
	record Record
	at     time.Time // before it was looked up
}

// lookUpRecord returns the cached record of a key. Pass drops to storeRecord
// after a lookup in the store.
func (c *cache) lookUpRecord(id string, now time.Time) (r Record, drops uint64, known bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.entries[id]
	age := now.Sub(e.at)
	return e.record, c.drops, ok && age >= 0 && age < c.ttl
}

// storeRecord caches the record of a key, unless a key was invalidated since the
// lookup, because that may be this key.
func (c *cache) storeRecord(r Record, at time.Time, drops uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if drops != c.drops {
		return
	}
	if _, known := c.entries[r.Key.ID]; !known && len(c.entries) >= maxCached {
		c.makeRoom(at)
	}
	c.entries[r.Key.ID] = cached{r, at}
}

// makeRoom deletes the expired entries, or a quarter of all if none has expired. It
// deletes many at once, because it has to visit all entries.
func (c *cache) makeRoom(now time.Time) {
	for id, e := range c.entries {
		if age := now.Sub(e.at); age < 0 || age >= c.ttl {
			delete(c.entries, id)
		}
	}
	for id := range c.entries {
		if len(c.entries) <= maxCached*3/4 {
			return
		}
		delete(c.entries, id)
	}
}

// invalidateKey deletes a key that changed.
func (c *cache) invalidateKey(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, id)
	c.drops++
}
