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

// The states of a response, in ascending order.
const (
	fresh    int32 = iota // no header was written
	held                  // a 404 or 405 that is replaced if it has no body
	captured              // a foreign body that will be replaced
	sent                  // the header was sent
	answered              // Respond has written the response; further output is dropped
	hijacked              // the handler has taken over the connection
)

// keptBytes is the maximum number of bytes of a foreign body that are logged.
const keptBytes = 4096

// A writer wraps net/http's ResponseWriter. It tracks the state of the response, and
// holds back foreign error bodies.
type writer struct {
	http.ResponseWriter
	scope *scope
	// state and answer are atomic because a handler under http.TimeoutHandler
	// may still call Respond while the response to the timeout is written.
	state  atomic.Int32
	answer atomic.Int32 // the status of the response that Respond writes
	status int          // the status, once state is not fresh
	kept   []byte       // the beginning of a captured body
	// foreign is true for a response of at least 400 that a handler wrote itself.
	// It is atomic for the same reason as state.
	foreign atomic.Bool
	kind    *Kind // of a foreign response that is not replaced
	record  nethttp.HeaderRecord
	duplex  bool // the handler may read the request body while it writes
	// replaceable is true for a foreign response that would be replaced without
	// InsecureReportOnly; bare is true if that depends on whether its body is empty.
	replaceable, bare bool
}

// Header returns the header map of the response. It restores the headers of this
// module if a proxy emptied the map after an informational response.
func (w *writer) Header() http.Header {
	h := w.ResponseWriter.Header()
	w.record.Restore(h)
	return h
}

// KeepHeaders implements nethttp.HeaderKeeper.
func (w *writer) KeepHeaders(set *nethttp.RingHeaders, vary int) { w.record.Add(set, vary) }

// wrap returns a ResponseWriter with the optional methods of the one that w wraps,
// and no others, because handlers find them with type assertions.
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

// Structs of one pointer, which become interfaces without an allocation.
type (
	flushWriter  struct{ *writer }
	hijackWriter struct{ flushWriter }
)

// Unwrap is called by http.ResponseController, such as for deadlines.
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
		w.ResponseWriter.WriteHeader(status) // net/http panics before it sends anything
	case status >= 100 && status <= 199 && status != http.StatusSwitchingProtocols:
		h := w.Header()
		w.ResponseWriter.WriteHeader(status) // informational: the final response follows
		w.record.Save(h)
	case status < 400:
		w.sendHeader(status)
	case w.isOwnResponse(status):
		w.foreign.Store(false) // Respond has replaced the foreign response
		w.sendHeader(status)
	default:
		w.foreign.Store(true)
		w.decideForeign(status)
	}
}

// decideForeign sends the header of a foreign response, or holds it back.
func (w *writer) decideForeign(status int) {
	switch {
	case w.scope.keepsForeignBody():
		w.kind = w.scope.kindOfKept(status) // sendHeader may end the context
		w.sendHeader(status)
	case w.scope.responder.reportOnly:
		w.kind = w.scope.kindOfKept(status)
		w.replaceable = isForeign(status, w.Header())
		w.bare = !w.replaceable && w.mayBeBare(status)
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

// isOwnResponse reports whether Respond is writing the response. It also checks the
// header, because a middleware that buffers may drop the response of Respond and
// write its own with the same status (http.TimeoutHandler does).
func (w *writer) isOwnResponse(status int) bool {
	return w.answer.Load() == int32(status) && strings.HasPrefix(firstValue(w.Header(), "Content-Type"), w.scope.responder.contentType())
}

// isForeign reports whether a body may reveal internals: the status is 5xx, or the
// headers are those of http.Error.
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
// body follows. For HEAD, where no body follows, a Content-Type shows that GET would
// have had one.
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
	case status < 400 || w.duplex || w.scope.responder.reportOnly:
	case status == http.StatusRequestEntityTooLarge:
		nethttp.RefuseBody(w, w.scope.request, w.scope.body.ReadCloser)
	default:
		nethttp.DiscardBody(w, w.scope.request, w.scope.body.ReadCloser)
	}
	w.ResponseWriter.WriteHeader(status)
}

// startBody prepares for bytes of a body, and reports whether they are sent.
func (w *writer) startBody() bool {
	switch w.state.Load() {
	case fresh:
		w.sendHeader(http.StatusOK)
	case held:
		w.sendHeader(w.status)
	case captured, answered:
		return false
	case sent:
		w.bare = false
	}
	return true
}

func (w *writer) bytesToKeep(n int) int { return min(n, keptBytes-len(w.kept)) }

func (w *writer) Write(p []byte) (int, error) {
	if len(p) == 0 && (w.bare || w.state.Load() == held) {
		return 0, nil
	}
	if !w.startBody() {
		w.kept = append(w.kept, p[:w.bytesToKeep(len(p))]...)
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

func (w *writer) WriteString(s string) (int, error) {
	if s == "" && (w.bare || w.state.Load() == held) {
		return 0, nil
	}
	if !w.startBody() {
		w.kept = append(w.kept, s[:w.bytesToKeep(len(s))]...)
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

// FlushError is called by http.ResponseController, which would otherwise use the
// inner ResponseWriter.
func (w *writer) FlushError() error {
	if w.state.Load() == captured {
		w.scope.replaceForeignBody()
	}
	w.startBody()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// EnableFullDuplex is called by http.ResponseController, which would otherwise use
// the inner ResponseWriter.
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

// Status returns the status of the response: the one that was sent, or the one that
// will be sent when the handler returns, which is 200 if no header was written. It
// reports false outside a [Responder], if the connection was hijacked, and if a
// ResponseWriter without an Unwrap method is in between.
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
