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

// HandlerFunc is a handler that returns its error, which goes to [Respond].
type HandlerFunc func(http.ResponseWriter, *http.Request) error

// ServeHTTP calls f and responds with the error that it returns.
func (f HandlerFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := f(w, r); err != nil {
		Respond(w, r, err)
	}
}

// Respond answers a request with an error: a JSON object of exactly a code, a
// message and a correlation ID, and one record in the log with everything
// else. The kind of the error decides the status; an error without a kind is a
// 500 whose text says nothing.
//
// The response is not cached (Cache-Control: no-store), and not sniffed
// (X-Content-Type-Options: nosniff). Headers that were meant for another body
// are dropped: Content-Length, ETag, Last-Modified. Those that were set outside
// of the Responder stay, except Content-Length. A HEAD request gets the
// headers alone.
//
// Over HTTP/1.1, Respond reads the rest of the request body, at most 256 KiB,
// and waits at most one second for the next bytes and about 5 s in total. If the
// rest does not come, or with a 413 or an [http.MaxBytesError], the response
// closes the connection. net/http alone would wait until Server.ReadTimeout
// before it sends a response.
//
// Inside a [Responder], Respond also knows whether the header is out already:
// it then logs the error and aborts the connection with [http.ErrAbortHandler],
// so that a truncated body never looks whole. What a handler writes after it
// called Respond is dropped, unless a middleware in between has wrapped w.
// Outside of a Responder, the correlation ID is random, and the log is
// [slog.Default].
func Respond(w http.ResponseWriter, r *http.Request, err error) {
	s, ok := r.Context().Value(scopeKey{}).(*scope)
	if !ok {
		s = &scope{responder: &fallback, id: newID(), body: requestBody{ReadCloser: r.Body}}
		s.respond(w, r, err)
		return
	}
	s.respond(w, r, err)
}

// fallback serves Respond where no Responder is outside.
var fallback = Responder{header: "X-Correlation-Id", redactor: newRedactor(nil)}

func (s *scope) respond(w http.ResponseWriter, r *http.Request, err error) {
	k := s.kindFor(r, err)
	s.record(r, k, err, k.sampled)
	if s.out != nil {
		switch s.out.state.Load() {
		case hijacked:
			return
		case sent, answered:
			s.out.foreign.Store(false) // one record tells it
			panic(http.ErrAbortHandler)
		}
		if ownWriter(w) == s.out { // else w buffers, and what was decided outside of it stays
			s.out.state.Store(fresh)
		}
		s.out.answer.Store(int32(k.status))
	}
	h := w.Header()
	own, ok := w.(interface{ baseWriter() *writer })
	direct := ok && own.baseWriter() == s.out // else a middleware in between may still encode the body
	s.dropBodyHeaders(h, k.status, direct)
	for key, lines := range headersOf(err, k) {
		if key == "Vary" { // what the outer rings vary by stays
			lines = slices.Concat(h[key], lines)
		}
		h[key] = slices.Clone(lines) // the error may be a package variable
	}
	delete(h, "Content-Length") // that of another body, whoever set it
	s.endBody(w, r, k, err)
	// Lines of this answer alone: a handler may have changed the ID's that it
	// found, and under http.TimeoutHandler two answers are made at once.
	lines := [...]string{s.responder.contentType(), "no-store", "nosniff", s.id}
	h["Content-Type"] = lines[0:1:1]
	h["Cache-Control"] = lines[1:2:2]
	h["X-Content-Type-Options"] = lines[2:3:3]
	h[s.responder.header] = lines[3:4:4]
	w.WriteHeader(k.status)
	if r.Method != http.MethodHead {
		b := buffers.Get().(*[]byte)
		*b = s.appendBody((*b)[:0], k, err)
		_, _ = w.Write(*b) // the client may be gone; nobody is left to tell
		buffers.Put(b)
	}
	if direct {
		s.out.state.Store(answered) // a handler that forgot to return writes on
	}
}

// endBody decides about the part of the request body that no handler has read.
func (s *scope) endBody(w http.ResponseWriter, r *http.Request, k *Kind, err error) {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok || k.status == http.StatusRequestEntityTooLarge {
		nethttp.RefuseBody(w, r, s.body.ReadCloser)
		return
	}
	nethttp.DiscardBody(w, r, s.body.ReadCloser)
}

// dropBodyHeaders drops the headers that a handler set for another body. Those
// that were set outside of the Responder stay: a compressor there encodes this
// body, too.
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
		outer.Reset(h, "Content-Range") // "bytes */47" tells the length (RFC 9110, section 15.5.17)
	}
	s.dropTrailers(h)
}

// dropTrailers drops what would follow the body that we replace: trailers that
// are declared, and those that net/http takes by their prefix.
func (s *scope) dropTrailers(h http.Header) {
	declared := h["Trailer"]
	s.out.record.Reset(h, "Trailer")
	for _, line := range declared {
		if slices.Contains(h["Trailer"], line) {
			continue // of a handler further out, which sets it later
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

// appendBody appends the response body.
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
		list, _ := json.Marshal(problems) // two strings each: cannot fail
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
