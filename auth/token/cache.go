package token

import (
	"container/list"
	"sync"
	"sync/atomic"

	"github.com/ringwall/ringwall/auth"
)

const (
	// longestCached is the maximum size of a cached token in bytes.
	longestCached = 2 << 10
	// bytesPerEntry times the number of entries bounds the memory of a cache.
	bytesPerEntry = 2 << 10
	// shardsOfCache is the number of shards, and so of locks, of a large cache.
	shardsOfCache = 16
)

// cache has verified tokens: only successes, with whole tokens as keys, for one
// verifier. Caches with a prefix or a hash as the key, for several verifiers, or
// with decisions, had vulnerabilities (CVE-2026-35030, CVE-2026-35039,
// CVE-2021-32701).
type cache struct{ shards []shard }

// An entry is a verified token. recheck repeats the checks whose results change.
type entry struct {
	token     string
	key       *Key
	times     times
	principal *auth.Principal
	binding   binding
	words     int // of its scope and roles

	used  atomic.Bool // since it was last at the front
	place *list.Element
}

// size estimates the memory of an entry: token, payload twice, the headers of
// the words, and the rest.
func (e *entry) size() int { return len(e.token)*9/4 + e.words*16 + 640 }

// A shard is a part of a cache. It evicts the oldest entry first. An entry that was used is
// moved to the front instead.
type shard struct {
	entries, bytes int // bounds

	mu      sync.RWMutex
	byToken map[string]*entry
	order   list.List // of *entry
	size    int
}

// newCache returns a cache for n entries, or nil for none.
func newCache(n int) *cache {
	if n <= 0 {
		return nil
	}
	shards := 1
	if n >= 16*shardsOfCache {
		shards = shardsOfCache
	}
	c := &cache{make([]shard, shards)}
	for i := range c.shards {
		each := (n + i) / shards // the last shards get the remainder
		s := &c.shards[i]
		s.entries, s.bytes, s.byToken = each, each*bytesPerEntry, make(map[string]*entry)
	}
	return c
}

// shard returns the shard of a token. It depends on letters of the signature, which
// only the issuer can choose, but not on the last ones, which may have fewer bits.
func (c *cache) shard(token string) *shard {
	mixed := 0
	for _, letter := range []byte(token[max(0, len(token)-8):max(0, len(token)-4)]) {
		mixed = mixed*31 + int(letter)
	}
	return &c.shards[mixed%len(c.shards)]
}

// lookUpEntry returns the entry of exactly this token, or nil.
func (c *cache) lookUpEntry(token string) *entry {
	if c == nil || len(token) > longestCached || token == "" {
		return nil
	}
	s := c.shard(token)
	s.mu.RLock()
	e := s.byToken[token]
	s.mu.RUnlock()
	if e != nil && !e.used.Load() {
		e.used.Store(true)
	}
	return e
}

// addEntry caches an entry, unless it is too large.
func (c *cache) addEntry(e *entry) {
	if c == nil || len(e.token) > longestCached {
		return
	}
	s := c.shard(e.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.byToken[e.token]; old != nil {
		s.removeEntry(old)
	}
	if e.size() > s.bytes {
		return
	}
	for s.order.Len() >= s.entries || s.size+e.size() > s.bytes {
		s.evictEntry()
	}
	e.place = s.order.PushBack(e)
	s.byToken[e.token] = e
	s.size += e.size()
}

// evictEntry removes the oldest entry that was not used recently. Requests may mark
// entries concurrently, so it skips each entry at most once.
func (s *shard) evictEntry() {
	for range s.order.Len() {
		front := s.order.Front()
		if !front.Value.(*entry).used.Swap(false) {
			break
		}
		s.order.MoveToBack(front)
	}
	s.removeEntry(s.order.Front().Value.(*entry))
}

func (s *shard) removeEntry(e *entry) {
	s.order.Remove(e.place)
	delete(s.byToken, e.token)
	s.size -= e.size()
}
