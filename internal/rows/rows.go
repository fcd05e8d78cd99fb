// Package rows returns the value slices of response headers without an allocation
// for each response. No two responses share a slice, because a handler may modify
// the slices in its header map (rs/cors issue 198).
package rows

import (
	"slices"
	"sync"
	"unsafe"
)

// slabBytes is the approximate size of one allocation. A long-lived response keeps
// its whole slab in memory.
const slabBytes = 4 << 10

// Rows returns copies of one value slice. It is safe for concurrent use.
type Rows struct {
	values []string
	size   int       // of a slab, in strings
	slabs  sync.Pool // of *slab
}

// A slab holds value slices. Each is used once.
type slab struct{ rest []string }

// New returns Rows for the values, which it copies.
func New(values ...string) *Rows {
	row := max(1, len(values)) * int(unsafe.Sizeof(""))
	return &Rows{values: slices.Clone(values), size: max(1, slabBytes/row) * len(values)}
}

// Take returns a value slice that it does not return again. The capacity is the
// length, so that an append copies it. Without values, Take returns nil.
func (r *Rows) Take() []string {
	n := len(r.values)
	if n == 0 {
		return nil
	}
	s, _ := r.slabs.Get().(*slab)
	if s == nil {
		s = new(slab)
	}
	if len(s.rest) == 0 {
		s.rest = r.fillSlab()
	}
	row := s.rest[:n:n]
	s.rest = s.rest[n:]
	r.slabs.Put(s)
	return row
}

// fillSlab returns a full slab. It doubles the filled part with each copy, which is
// faster than copying slice by slice.
func (r *Rows) fillSlab() []string {
	rest := make([]string, r.size)
	for n := copy(rest, r.values); n < len(rest); {
		n += copy(rest[n:], rest[:n])
	}
	return rest
}
