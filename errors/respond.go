package errors

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/ringwall/ringwall/internal/nethttp"
	"github.com/ringwall/ringwall/internal/public"
)

// HandlerFunc is a handler that returns an error, which is passed to [Respond].
type HandlerFunc func(http.ResponseWriter, *http.Request) error

// ServeHTTP calls f and responds with the error that it returns.
func (f HandlerFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := f(w, r); err != nil {
		Respond(w, r, err)
	}
}

// Respond writes the response to an error: a JSON object with a code, a message
// and a correlation ID. It logs everything else in one record. The kind of the
// error decides the status; an error without a kind becomes a 500 with a constant
// message.
//
// The response must not be cached (Cache-Control: no-store) or sniffed
// (X-Content-Type-Options: nosniff). Headers of another body are removed, such as
// Content-Length, ETag and Last-Modified. Those that were set outside the
// Responder stay, except Content-Length. The response to HEAD has no body.
//
// Over HTTP/1.1, Respond reads the rest of the request body, at most 256 KiB,
// and waits at most one second for the next bytes and about 5 s in total. If the
// rest does not arrive, or for a 413 or an [http.MaxBytesError], the response
// closes the connection. net/http alone would wait until Server.ReadTimeout
// before it sends a response.
//
// Inside a [Responder], if the header has been sent, Respond logs the error and
// aborts the connection with [http.ErrAbortHandler], so that a truncated body does
// not look complete. Output that a handler writes after Respond is dropped, unless
// a middleware inside the Responder has wrapped w. On a hijacked connection,
// Respond only logs. Outside a Responder, the correlation ID is random, and the
// logger is [slog.Default].
func Respond(w http.ResponseWriter, r *http.Request, err error) {
	s, ok := r.Context().Value(scopeKey{}).(*scope)
	if !ok {
		s = &scope{responder: &fallback, id: newID(), body: requestBody{ReadCloser: r.Body}}
		s.respond(w, r, err)
		return
	}
	s.respond(w, r, err)
}

// fallback is used by Respond outside a Responder.
var fallback = Responder{header: "X-Correlation-Id", redactor: newRedactor(nil)}

func (s *scope) respond(w http.ResponseWriter, r *http.Request, err error) {
	k := s.kindFor(r, err)
	s.record(r, outcome{kind: k, err: err, sampled: k.sampled})
	if s.out != nil {
		switch s.out.state.Load() {
		case hijacked:
			return
		case sent, answered:
			s.out.foreign.Store(false) // it is logged already
			panic(http.ErrAbortHandler)
		}
		if ownWriter(w) == s.out { // else w buffers, and the state of the outer writer stays
			s.out.state.Store(fresh)
		}
		s.out.answer.Store(int32(k.status))
	}
	h := w.Header()
	own, ok := w.(interface{ baseWriter() *writer })
	direct := ok && own.baseWriter() == s.out // else a middleware may still encode the body
	s.dropBodyHeaders(h, k.status, direct)
	for key, lines := range headersOf(err, k) {
		if key == "Vary" { // keep the members of outer layers
			lines = slices.Concat(h[key], lines)
		}
		h[key] = slices.Clone(lines) // the error may be a package variable
	}
	delete(h, "Content-Length") // also one of an outer handler
	s.endBody(w, r, k, err)
	// Values of this response only: a handler may have changed the slice of the
	// ID, and under http.TimeoutHandler two responses may be written at once.
	lines := [...]string{s.responder.contentType(), "no-store", "nosniff", s.id}
	h["Content-Type"] = lines[0:1:1]
	h["Cache-Control"] = lines[1:2:2]
	h["X-Content-Type-Options"] = lines[2:3:3]
	h[s.responder.header] = lines[3:4:4]
	w.WriteHeader(k.status)
	if r.Method != http.MethodHead {
		b := buffers.Get().(*[]byte)
		*b = s.appendBody((*b)[:0], k, err)
		_, _ = w.Write(*b) // an error means that the client has disconnected
		buffers.Put(b)
	}
	if direct {
		s.out.state.Store(answered) // drops the output of a handler that does not return
	}
}

// endBody discards or refuses the unread part of the request body.
func (s *scope) endBody(w http.ResponseWriter, r *http.Request, k *Kind, err error) {
	if s.body.ReadCloser == nil || s.body.ReadCloser == http.NoBody {
		return
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok || k.status == http.StatusRequestEntityTooLarge {
		nethttp.RefuseBody(w, r, s.body.ReadCloser)
		return
	}
	nethttp.DiscardBody(w, r, s.body.ReadCloser)
}

// dropBodyHeaders removes the headers that a handler set for another body. Those
// that were set outside the Responder stay, because a compressor there also
// encodes this body.
func (s *scope) dropBodyHeaders(h http.Header, status int, direct bool) {
	var outer *nethttp.HeaderRecord // nil without a Responder
	if s.out != nil {
		outer = &s.out.record
	}
	outer.Reset(h, "Etag")
	outer.Reset(h, "Last-Modified")
	if !direct {
		return
	}
	outer.Reset(h, "Content-Encoding")
	outer.Reset(h, "Content-Disposition")
	if status != http.StatusRequestedRangeNotSatisfiable || !strings.Contains(firstValue(h, "Content-Range"), "*/") {
		outer.Reset(h, "Content-Range") // "bytes */47" has the length (RFC 9110, section 15.5.17)
	}
	s.dropTrailers(h)
}

// dropTrailers removes the trailers of a replaced body: the declared ones, and
// those that net/http recognizes by their prefix.
func (s *scope) dropTrailers(h http.Header) {
	declared := h["Trailer"]
	s.out.record.Reset(h, "Trailer")
	for _, line := range declared {
		if slices.Contains(h["Trailer"], line) {
			continue // of an outer handler, which sets it later
		}
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for key := range h {
		if strings.HasPrefix(key, http.TrailerPrefix) {
			delete(h, key)
		}
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

func (s *scope) appendBody(b []byte, k *Kind, err error) []byte {
	message, problems := k.message, []public.Problem(nil)
	if d, _ := describer(err); d != nil {
		m, list := d.Public()
		message, problems = string(m), list
	}
	switch {
	case s.responder.problem:
		b = append(b, `{"title":`...)
		b = appendString(b, statusText(k.status))
		b = append(b, `,"status":`...)
		b = appendInt(b, k.status)
		b = append(b, `,"detail":`...)
		b = appendString(b, message)
		b = append(b, `,"code":"`...)
		b = append(b, k.code...)
		b = append(b, `","correlation_id":"`...)
	case message == k.message:
		b = append(b, k.prefix...)
	default:
		b = append(b, `{"code":"`...)
		b = append(b, k.code...)
		b = append(b, `","message":`...)
		b = appendString(b, message)
		b = append(b, `,"correlation_id":"`...)
	}
	b = append(append(b, s.id...), '"')
	if s.responder.details && len(problems) > 0 {
		b = append(b, `,"errors":`...)
		list, _ := json.Marshal(problems) // only strings: cannot fail
		b = append(b, list...)
	}
	return append(b, '}', '\n')
}

func appendString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string cannot fail
	return append(b, quoted...)
}

func appendInt(b []byte, n int) []byte {
	return append(b, byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
}

// headersOf returns the response headers of the first Error of kind k.
func headersOf(err error, k *Kind) http.Header {
	var header http.Header
	walk(err, func(e *Error) bool {
		if e.kind == k {
			header = e.header
		}
		return header == nil
	})
	return header
}
