package headerlines

import (
	"strconv"
	"strings"
)

// The bytes of text, and the values, of one allocation. A long-lived response keeps
// all of it in memory.
const (
	slabText   = 2 << 10
	slabValues = 128
)

// A Slab makes value slices of texts that change with each response, without an
// allocation for each. The zero Slab is ready. It is not safe for concurrent use.
type Slab struct {
	text   strings.Builder // what was returned is not written again
	values []string        // the unused values
	buf    []byte
}

// Buffer returns an empty buffer in which to build a text.
func (s *Slab) Buffer() []byte { return s.buf[:0] }

// NewText returns a copy of b. It keeps b as the next [Slab.Buffer].
func (s *Slab) NewText(b []byte) string {
	s.buf = b
	if s.text.Cap()-s.text.Len() < len(b) {
		s.text.Reset()
		s.text.Grow(max(slabText, len(b)))
	}
	begin := s.text.Len()
	s.text.Write(b)
	return s.text.String()[begin:]
}

// NewValue returns a value slice of one text. An append copies the slice.
func (s *Slab) NewValue(text string) []string {
	if len(s.values) == 0 {
		s.values = make([]string, slabValues)
	}
	value := s.values[:1:1]
	s.values = s.values[1:]
	value[0] = text
	return value
}

// NewNumber returns a value slice of one decimal number.
func (s *Slab) NewNumber(n int64) []string {
	return s.NewValue(s.NewText(strconv.AppendInt(s.Buffer(), n, 10)))
}
