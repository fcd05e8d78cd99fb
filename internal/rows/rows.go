// Package rows hands out the values of response headers without an allocation
// for each response, and without sharing: a handler owns what it finds in the
// header map, and may change it (rs/cors issue 198).
package rows

import (
	"slices"
	"sync"
	"unsafe"
)

// slabBytes is about what one allocation takes. A response that lives long
// keeps its whole slab in memory.
const slabBytes = 4 << 10

// Rows hands out copies of one row of values. It is safe for concurrent use.
type Rows struct {
	values []string
	size   int       // of a slab, in values
	slabs  sync.Pool // of *slab
}

// A slab holds rows that are used once each, and never come back.
type slab struct{ rest []string }

// New returns Rows of the values, which it copies.
func New(values ...string) *Rows {
	row := max(1, len(values)) * int(unsafe.Sizeof(""))
	return &Rows{values: slices.Clone(values), size: max(1, slabBytes/row) * len(values)}
}

// Take returns a row that nobody else has or will have. Its capacity is its
// length, so that appending to it copies.
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

// fillSlab returns a slab full of rows. It copies what is there already, twice as
// much each time, which costs less than row after row.
func (r *Rows) fillSlab() []string {
	rest := make([]string, r.size)
	for n := copy(rest, r.values); n < len(rest); {
		n += copy(rest[n:], rest[:n])
	}
	return rest
}
