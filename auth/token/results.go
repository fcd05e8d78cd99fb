package token

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// A resultCache has the results of introspections by the SHA-256 of their tokens. It
// is bounded, and evicts the oldest result.
type resultCache struct {
	most  int
	mu    sync.Mutex
	byKey map[[sha256.Size]byte]*list.Element
	order list.List // of cachedResult, the oldest first
}

type cachedResult struct {
	key    [sha256.Size]byte
	result result
}

func newResultCache(most int) *resultCache {
	return &resultCache{most: most, byKey: make(map[[sha256.Size]byte]*list.Element)}
}

// lookUp returns the result under a key, if its caching has not ended.
func (c *resultCache) lookUp(key [sha256.Size]byte, now time.Time) (result, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.byKey[key]
	if element == nil {
		return result{}, false
	}
	found := element.Value.(cachedResult).result
	return found, now.Before(found.until)
}

// store replaces the result under a key.
func (c *resultCache) store(key [sha256.Size]byte, r result, now time.Time) {
	if !now.Before(r.until) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.byKey[key]; old != nil {
		c.order.Remove(old)
	}
	for len(c.byKey) >= c.most && c.order.Len() > 0 {
		oldest := c.order.Front()
		delete(c.byKey, oldest.Value.(cachedResult).key)
		c.order.Remove(oldest)
	}
	c.byKey[key] = c.order.PushBack(cachedResult{key, r})
}
