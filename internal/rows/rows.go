// Package rows hands out the values of response headers without an allocation
// for each response, and without sharing: a handler owns what it finds in the
// header map, and may change it (rs/cors issue 198).
package rows

import "sync"

// perSlab is how many rows one allocation makes. A response that lives long
// keeps its whole slab in memory: 32 rows of 7 strings are 3.5 KB.
const perSlab = 32

// Rows hands out copies of one row of values. It is safe for concurrent use.
type Rows struct {
	values []string
	slabs  sync.Pool // of *slab
}

// A slab holds rows that are used once each, and never come back.
type slab struct {
	rest []string
}

// New returns Rows of the values, which it copies.
func New(values ...string) *Rows {
	r := &Rows{values: append([]string(nil), values...)}
	r.slabs.New = func() any {
		s := &slab{rest: make([]string, 0, perSlab*len(r.values))}
		for range perSlab {
			s.rest = append(s.rest, r.values...)
		}
		return s
	}
	return r
}

// Take returns a row that nobody else has or will have. Its capacity is its
// length, so that appending to it copies.
func (r *Rows) Take() []string {
	n := len(r.values)
	if n == 0 {
		return nil
	}
	s := r.slabs.Get().(*slab)
	row := s.rest[:n:n]
	if s.rest = s.rest[n:]; len(s.rest) > 0 {
		r.slabs.Put(s)
	}
	return row
}
