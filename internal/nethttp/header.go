package nethttp

import (
	"maps"
	"net/http"
)

// A RingHeader is a header that a middleware of this module (a ring) sets before it
// calls the next handler.
type RingHeader struct {
	Name  string
	Lines int // 0 means the number that was passed for Vary
}

// RingHeaders are the headers of one ring. They must not be modified.
type RingHeaders []RingHeader

// A HeaderKeeper is a ResponseWriter that restores the headers of rings after an
// informational response (1xx). Package errors implements it.
type HeaderKeeper interface {
	http.ResponseWriter
	// KeepHeaders is called by each ring, the outermost first. The parameter vary
	// is the number of Vary lines, or 0 if the ring does not set Vary.
	KeepHeaders(set *RingHeaders, vary int)
}

// KeepHeaders registers the headers of a ring with the HeaderKeeper that w is or
// wraps. Without one it does nothing. A ring does not wrap w itself, because this
// would allocate for each request and hide the methods of w.
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

// A HeaderRecord is the state of a HeaderKeeper for one response. The zero value is
// ready for use.
//
// httputil.ReverseProxy adds the lines of each informational response to the
// header map, writes it, and empties the map. The lines of the rings therefore come
// first, and those of the proxy after them.
type HeaderRecord struct {
	outer []outerHeader // set by handlers outside the HeaderKeeper
	rings [5]*RingHeaders
	count int32
	vary  int32
	saved http.Header // nil without an informational response
}

// Begin records the headers that outer handlers have set.
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

// Reset restores the lines that a header had at Begin, or deletes the header if it
// had none. A nil record has no headers.
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

// Save saves the lines of outer handlers and of the rings. It is called after an
// informational response was written, before the proxy empties the map.
func (k *HeaderRecord) Save(h http.Header) {
	k.saved = make(http.Header)
	for _, header := range k.outer {
		n, lines := 0, h[header.name]
		for n < min(len(lines), len(header.lines)) && lines[n] == header.lines[n] {
			n++ // if the header was deleted, its lines are the proxy's
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

// Restore copies the saved lines into an empty header map. It does so once for each
// Save, because a map that is empty later is one whose headers a handler has deleted.
func (k *HeaderRecord) Restore(h http.Header) {
	if k.saved != nil && len(h) == 0 {
		maps.Copy(h, k.saved)
		k.saved = nil
	}
}

// End drops the saved lines. It is called when the final header is sent.
func (k *HeaderRecord) End() { k.saved = nil }
