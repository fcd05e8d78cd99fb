package errors

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/ringwall/ringwall/internal/nethttp"
)

// The states of a response, in order.
const (
	fresh    int32 = iota // nothing was decided
	held                  // a 404 or 405 that may turn out to have no body
	captured              // a foreign body that will be replaced
	sent                  // the header is out
	answered              // an answer of ours is out, and what the handler still writes goes nowhere
	hijacked              // the connection is the handler's
)

// keptBytes bounds how much of a foreign body goes to the log.
const keptBytes = 4096

// writer is the one ResponseWriter of the module that wraps another. It knows
// what was sent, and holds back what must not be.
type writer struct {
	http.ResponseWriter
	scope *scope
	// state and answer are atomic since a handler under http.TimeoutHandler
	// runs on, and may call Respond, while the timeout is being answered.
	state  atomic.Int32
	answer atomic.Int32 // the status of the response that Respond writes
	status int          // the status, once state is not fresh
	kept   []byte       // the beginning of a captured body
	// foreign is set for a response of 400 and above that a handler wrote by
	// itself. It is atomic for the reason that state is.
	foreign atomic.Bool
	kind    *Kind // of that response, if its body goes out
	record  nethttp.HeaderRecord
	duplex  bool // the handler reads on after it has begun to respond
}

// Header returns the header map of the response. If a proxy emptied it after an
// informational response, the headers of the rings are there again.
func (w *writer) Header() http.Header {
	h := w.ResponseWriter.Header()
	w.record.Restore(h)
	return h
}

// KeepHeaders serves nethttp.KeepHeaders.
func (w *writer) KeepHeaders(set *nethttp.RingHeaders, vary int) { w.record.Add(set, vary) }

// wrap returns w as a ResponseWriter that has the optional methods of the one
// that it wraps, and no others: handlers ask for them with type assertions.
func (w *writer) wrap() http.ResponseWriter {
	_, flushes := w.ResponseWriter.(http.Flusher)
	_, hijacks := w.ResponseWriter.(http.Hijacker)
	switch {
	case flushes && hijacks:
		return hijackWriter{flushWriter{w}}
	case flushes:
		return flushWriter{w}
	}
	return w
}

// Structs of one pointer: as interfaces, they cost no allocation.
type (
	flushWriter  struct{ *writer }
	hijackWriter struct{ flushWriter }
)

// Unwrap serves http.ResponseController, deadlines above all.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) baseWriter() *writer { return w }

func (w *writer) WriteHeader(status int) {
	switch w.state.Load() {
	case held, captured, answered:
		return // the first status counts, as in net/http
	case sent, hijacked:
		w.ResponseWriter.WriteHeader(status) // net/http logs the mistake
		return
	}
	switch {
	case status < 100 || status > 999:
		w.ResponseWriter.WriteHeader(status) // net/http panics, and nothing is out
	case status >= 100 && status <= 199 && status != http.StatusSwitchingProtocols:
		h := w.Header()
		w.ResponseWriter.WriteHeader(status) // informational: the answer is to come
		w.record.Save(h)
	case status < 400:
		w.sendHeader(status)
	case w.isOwnResponse(status):
		w.foreign.Store(false) // Respond has replaced what was held back
		w.sendHeader(status)
	default:
		w.foreign.Store(true)
		w.decideForeign(status)
	}
}

// decideForeign sends the header of a response that a handler wrote by itself,
// or holds it back.
func (w *writer) decideForeign(status int) {
	switch {
	case w.scope.keepsForeignBody():
		w.kind = w.scope.kindOfKept(status) // sendHeader may end the context
		w.sendHeader(status)
	case isForeign(status, w.Header()):
		w.status = status
		w.state.Store(captured)
	case w.mayBeBare(status):
		w.status = status
		w.state.Store(held)
	default:
		w.sendHeader(status)
	}
}

// isOwnResponse reports whether a response is that of Respond. The header is looked at
// too: a middleware that buffers may drop what Respond wrote into it, and write
// an answer of its own with the same status (http.TimeoutHandler does).
func (w *writer) isOwnResponse(status int) bool {
	return w.answer.Load() == int32(status) && strings.HasPrefix(firstValue(w.Header(), "Content-Type"), w.scope.responder.contentType())
}

// isForeign reports whether a response is one that may leak: a 5xx that was not
// made by Respond, or any that has the signature of http.Error.
func isForeign(status int, h http.Header) bool {
	return status >= 500 || firstValue(h, "Content-Type") == "text/plain; charset=utf-8" && firstValue(h, "X-Content-Type-Options") == "nosniff"
}

func firstValue(h http.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// mayBeBare reports whether a response is a router's bare 404 or 405, unless a
// body follows. No body follows on HEAD, where a content type tells that there
// would have been one.
func (w *writer) mayBeBare(status int) bool {
	if status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
		return false
	}
	return w.scope.request.Method != http.MethodHead || firstValue(w.Header(), "Content-Type") == ""
}

func (w *writer) sendHeader(status int) {
	w.status = status
	w.state.Store(sent)
	w.record.Restore(w.ResponseWriter.Header())
	w.record.End()
	switch {
	case status < 400 || w.duplex:
	case status == http.StatusRequestEntityTooLarge:
		nethttp.RefuseBody(w, w.scope.request, w.scope.body.ReadCloser)
	default:
		nethttp.DiscardBody(w, w.scope.request, w.scope.body.ReadCloser)
	}
	w.ResponseWriter.WriteHeader(status)
}

// startBody prepares for bytes of a body, and reports whether they go out.
func (w *writer) startBody() bool {
	switch w.state.Load() {
	case fresh:
		w.sendHeader(http.StatusOK)
	case held:
		w.sendHeader(w.status)
	case captured, answered:
		return false
	}
	return true
}

func (w *writer) keepBytes(n int) int { return min(n, keptBytes-len(w.kept)) }

func (w *writer) Write(p []byte) (int, error) {
	if len(p) == 0 && w.state.Load() == held {
		return 0, nil
	}
	if !w.startBody() {
		w.kept = append(w.kept, p[:w.keepBytes(len(p))]...)
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

func (w *writer) WriteString(s string) (int, error) {
	if s == "" && w.state.Load() == held {
		return 0, nil
	}
	if !w.startBody() {
		w.kept = append(w.kept, s[:w.keepBytes(len(s))]...)
		return len(s), nil
	}
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom keeps sendfile working for http.ServeContent.
func (w *writer) ReadFrom(src io.Reader) (int64, error) {
	if s := w.state.Load(); s == held || s == captured || s == answered {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	w.startBody()
	return io.Copy(w.ResponseWriter, src)
}

// FlushError serves http.ResponseController, which would unwrap past us.
func (w *writer) FlushError() error {
	if w.state.Load() == captured {
		w.scope.replaceForeignBody()
	}
	w.startBody()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// EnableFullDuplex serves http.ResponseController, which would unwrap past us.
func (w *writer) EnableFullDuplex() error {
	err := http.NewResponseController(w.ResponseWriter).EnableFullDuplex()
	w.duplex = err == nil
	return err
}

func (w flushWriter) Flush() { _ = w.FlushError() }

func (w hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.ResponseWriter.(http.Hijacker).Hijack()
	if err == nil {
		w.state.Store(hijacked)
	}
	return conn, rw, err
}

// Status returns the status of the response: the one that was sent, or that
// will be when the handler returns, which is 200 as long as nothing was
// decided. It reports false when no [Responder] is outside to know, when the
// connection was hijacked, and where a ResponseWriter without an Unwrap method
// hides it.
func Status(w http.ResponseWriter) (status int, ok bool) {
	own := ownWriter(w)
	if own == nil {
		return 0, false
	}
	switch own.state.Load() {
	case fresh:
		return http.StatusOK, true
	case hijacked:
		return 0, false
	}
	return own.status, true
}

func ownWriter(w http.ResponseWriter) *writer {
	for {
		switch v := w.(type) {
		case interface{ baseWriter() *writer }:
			return v.baseWriter()
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return nil
		}
	}
}
