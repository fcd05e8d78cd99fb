// Package headerlines returns the value slices of response headers without an
// allocation for each response. No two responses share a slice, because a handler
// may modify the slices in its header map (rs/cors issue 198).
package headerlines

import (
	"slices"
	"sync"
	"unsafe"
)

// slabBytes is the approximate size of one allocation. A long-lived response keeps
// its whole slab in memory.
const slabBytes = 4 << 10

// Constant returns copies of one value slice. It is safe for concurrent use.
type Constant struct {
	values []string
	size   int       // of a slab, in strings
	slabs  sync.Pool // of *slab
}

// A slab holds value slices. Each is used once.
type slab struct{ rest []string }

// NewConstant returns a Constant for the values, which it copies.
func NewConstant(values ...string) *Constant {
	row := max(1, len(values)) * int(unsafe.Sizeof(""))
	return &Constant{values: slices.Clone(values), size: max(1, slabBytes/row) * len(values)}
}

// Take returns a value slice that it does not return again. The capacity is the
// length, so that an append copies it. Without values, Take returns nil.
func (c *Constant) Take() []string {
	n := len(c.values)
	if n == 0 {
		return nil
	}
	s, _ := c.slabs.Get().(*slab)
	if s == nil {
		s = new(slab)
	}
	if len(s.rest) == 0 {
		s.rest = c.fillSlab()
	}
	row := s.rest[:n:n]
	s.rest = s.rest[n:]
	c.slabs.Put(s)
	return row
}

// fillSlab returns a full slab. It doubles the filled part with each copy, which is
// faster than copying slice by slice.
func (c *Constant) fillSlab() []string {
	rest := make([]string, c.size)
	for n := copy(rest, c.values); n < len(rest); {
		n += copy(rest[n:], rest[:n])
	}
	return rest
}
