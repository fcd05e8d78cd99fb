package ratelimit

import (
	"strconv"
	"strings"
)

// The bytes of text, and the values, that one allocation has room for. A
// response that lives long keeps all of it in memory.
const (
	textRoom  = 2 << 10
	valueRoom = 128
)

// lines hands out the values of response headers without an allocation for
// each, and without sharing: a handler owns what it finds in the header map,
// and may change it.
type lines struct {
	room strings.Builder // what was handed out stays as it is
	rest []string        // each is used once, and never comes back
	buf  []byte
}

// newText returns a copy of the bytes, which it keeps as a buffer for the next.
func (l *lines) newText(b []byte) string {
	l.buf = b
	if l.room.Cap()-l.room.Len() < len(b) {
		l.room.Reset()
		l.room.Grow(max(textRoom, len(b)))
	}
	begin := l.room.Len()
	l.room.Write(b)
	return l.room.String()[begin:]
}

// newValue returns one value of a header. Appending to it copies.
func (l *lines) newValue(text string) []string {
	if len(l.rest) == 0 {
		l.rest = make([]string, valueRoom)
	}
	value := l.rest[:1:1]
	l.rest = l.rest[1:]
	value[0] = text
	return value
}

func (l *lines) newNumber(n int64) []string {
	return l.newValue(l.newText(strconv.AppendInt(l.buf[:0], n, 10)))
}
