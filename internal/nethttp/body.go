package nethttp

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The bounds of DiscardBody.
const (
	maxUnread = 256 << 10       // as net/http has it (maxPostHandlerReadBytes)
	idleTime  = time.Second     // until the next bytes
	totalTime = 5 * time.Second // for all of them
)

// DiscardBody reads the rest of a request body that no handler will read. It
// must be called before the header of the response is written.
//
// net/http reads the rest itself before it sends the response, so that the
// connection can serve another request. It waits for a client that sends
// nothing until ReadTimeout, or for ever. DiscardBody waits for at most one
// second for the next bytes, and for about 5 s in total. If the rest is longer
// than 256 KiB or does not come in time, the response closes the connection.
//
// The body must be that of the request that net/http made, or one around it.
// HTTP/2 needs nothing of this: it resets the stream alone.
func DiscardBody(w http.ResponseWriter, r *http.Request, body io.Reader) {
	if body == nil || body == http.NoBody || r.ProtoMajor != 1 {
		return
	}
	control := findDeadliner(w)
	if control == nil || control.SetReadDeadline(time.Now().Add(idleTime)) != nil {
		return // a buffer, such as that of http.TimeoutHandler, or a test
	}
	// A client that waits for 100 Continue sends nothing: reading would ask for it.
	waits := r.Close || w.Header().Get("Connection") == "close" || strings.EqualFold(r.Header.Get("Expect"), "100-continue")
	if waits || !readRest(control, r, body) {
		closeConnection(w)
		return
	}
	_ = control.SetReadDeadline(time.Time{}) // net/http sets the next request's own
}

// RefuseBody is called instead of [DiscardBody] for a body that is too large.
// Unless all of it was read, the response is sent at once and closes the
// connection, as it does where http.MaxBytesReader has net/http's own
// ResponseWriter.
func RefuseBody(w http.ResponseWriter, r *http.Request, body io.Reader) {
	if body == nil || body == http.NoBody || r.ProtoMajor != 1 {
		return
	}
	control := findDeadliner(w)
	if control == nil || control.SetReadDeadline(time.Unix(1, 0)) != nil {
		return
	}
	// With a deadline that has passed, only a body that has ended says so.
	if !strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		if n, err := body.Read(make([]byte, 1)); n == 0 && err == io.EOF {
			_ = control.SetReadDeadline(time.Time{})
			return
		}
	}
	_ = control.SetReadDeadline(time.Now().Add(idleTime)) // for what net/http reads after the response
	closeConnection(w)
}

// A deadliner is net/http's own ResponseWriter.
type deadliner interface{ SetReadDeadline(time.Time) error }

// findDeadliner does what http.ResponseController does, without an allocation.
func findDeadliner(w http.ResponseWriter) deadliner {
	for {
		switch v := w.(type) {
		case deadliner:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return nil
		}
	}
}

var readBuffers = sync.Pool{New: func() any { return new([8 << 10]byte) }}

// readRest reports whether the body was read to its end.
func readRest(control deadliner, r *http.Request, body io.Reader) bool {
	buffer := readBuffers.Get().(*[8 << 10]byte)
	defer readBuffers.Put(buffer)
	started := time.Now()
	waited := started
	for total := 0; total <= maxUnread; {
		n, err := body.Read(buffer[:])
		total += n
		now := time.Now()
		switch {
		case err == io.EOF:
			// From here on, net/http reads in the background: a deadline that passes
			// cancels all requests of the connection. One that is near may have.
			return now.Sub(waited) < idleTime/2
		case err == http.ErrBodyReadAfterClose:
			return true // net/http knows whether it was read to its end
		case err != nil, r.ContentLength > maxUnread, now.Sub(started) > totalTime:
			return false
		}
		waited = now
		if control.SetReadDeadline(now.Add(idleTime)) != nil {
			return false
		}
	}
	return false
}

// closeConnection makes net/http send the response without reading the rest of
// the body, and wait after it for the client to read (closeWriteAndWait), so
// that the response does not get lost. The only way to its requestTooLarge is
// a MaxBytesReader that reaches its limit.
func closeConnection(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	for {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = outer.Unwrap()
	}
	_, _ = http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0).Read(make([]byte, 1))
}
