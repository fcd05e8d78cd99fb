package nethttp

import (
	"maps"
	"net/http"
)

// A RingHeader is a header that a ring sets before it calls the next handler.
type RingHeader struct {
	Name  string
	Lines int // 0: as many as Vary has
}

// RingHeaders are the headers of one ring. They must not change.
type RingHeaders []RingHeader

// A HeaderKeeper is a ResponseWriter that restores the headers of rings after
// an informational response (1xx). That of package errors is one.
type HeaderKeeper interface {
	http.ResponseWriter
	// KeepHeaders is called by each ring, from the outside in. vary is the number
	// of lines that Vary has, or 0 from a ring that does not set it.
	KeepHeaders(set *RingHeaders, vary int)
}

// KeepHeaders registers headers that a ring has set with the HeaderKeeper that w
// is or wraps, if there is one. A ring without one does as any middleware: a
// writer of its own would cost each request an allocation, and would hide the
// methods of w.
func KeepHeaders(w http.ResponseWriter, set *RingHeaders, vary int) {
	for {
		switch v := w.(type) {
		case HeaderKeeper:
			v.KeepHeaders(set, vary)
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return
		}
	}
}

// A HeaderRecord is what a HeaderKeeper knows about one response. The zero
// value is ready for use.
//
// httputil.ReverseProxy adds the lines of each informational response to the
// header map, writes it, and empties the map. So the lines of the rings are
// those that come first; what the proxy has added stands behind them.
type HeaderRecord struct {
	outer []outerHeader // of handlers outside of the HeaderKeeper
	rings [5]*RingHeaders
	count int32
	vary  int32
	saved http.Header // nil without an informational response
}

// Begin records the headers that were set before the HeaderKeeper existed.
func (k *HeaderRecord) Begin(h http.Header) {
	if len(h) == 0 {
		return
	}
	k.outer = make([]outerHeader, 0, len(h))
	for name, lines := range h {
		k.outer = append(k.outer, outerHeader{name, lines[:len(lines):len(lines)]})
	}
}

type outerHeader struct {
	name  string
	lines []string
}

// Reset gives a header the lines that it had at Begin, or deletes it. A nil
// record has none.
func (k *HeaderRecord) Reset(h http.Header, name string) {
	for i := 0; k != nil && i < len(k.outer); i++ {
		if k.outer[i].name == name {
			h[name] = k.outer[i].lines
			return
		}
	}
	delete(h, name)
}

// Add records the headers of a ring.
func (k *HeaderRecord) Add(set *RingHeaders, vary int) {
	if vary > 0 {
		k.vary = int32(vary)
	}
	if last := len(k.rings) - 1; int(k.count) > last {
		both := append(append(RingHeaders(nil), *k.rings[last]...), *set...)
		k.rings[last] = &both
		return
	}
	k.rings[k.count] = set
	k.count++
}

// Save saves the rings' lines of a header map that was just written with an
// informational response.
func (k *HeaderRecord) Save(h http.Header) {
	k.saved = make(http.Header)
	for _, header := range k.outer {
		n, lines := 0, h[header.name]
		for n < min(len(lines), len(header.lines)) && lines[n] == header.lines[n] {
			n++ // where it was deleted, the first lines are the proxy's
		}
		k.saveLines(h, header.name, n)
	}
	for _, set := range k.rings[:k.count] {
		for _, header := range *set {
			n := header.Lines
			if n == 0 {
				n = int(k.vary)
			}
			k.saveLines(h, header.Name, n)
		}
	}
}

func (k *HeaderRecord) saveLines(h http.Header, name string, n int) {
	if n = min(n, len(h[name])); n > 0 {
		k.saved[name] = h[name][:n:n]
	}
}

// Restore puts the saved lines into a header map that was emptied, once: a map
// that is empty again is one whose only header a handler has deleted.
func (k *HeaderRecord) Restore(h http.Header) {
	if k.saved != nil && len(h) == 0 {
		maps.Copy(h, k.saved)
		k.saved = nil
	}
}

// End forgets the saved lines: the final header is out.
func (k *HeaderRecord) End() { k.saved = nil }
