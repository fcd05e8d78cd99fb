package nethttp

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The limits of DiscardBody.
const (
	maxUnread = 256 << 10       // the limit of net/http (maxPostHandlerReadBytes)
	idleTime  = time.Second     // until the next bytes
	totalTime = 5 * time.Second // for all of them
)

// DiscardBody reads the rest of a request body that no handler will read. It
// must be called before the header of the response is written.
//
// net/http itself reads the rest before it sends the response, so that the
// connection can serve another request. It waits for a silent client until
// ReadTimeout, or forever. DiscardBody waits at most one second for the next bytes,
// and about 5 s in total. If the rest is longer than 256 KiB or does not arrive in
// time, the response closes the connection.
//
// The body must be that of net/http's own request, or one that wraps it. For
// HTTP/2, DiscardBody does nothing, because the server resets the stream.
func DiscardBody(w http.ResponseWriter, r *http.Request, body io.Reader) {
	if body == nil || body == http.NoBody || r.ProtoMajor != 1 {
		return
	}
	control := findDeadliner(w)
	if control == nil || control.SetReadDeadline(time.Now().Add(idleTime)) != nil {
		return // such as in http.TimeoutHandler or a test
	}
	// A client that waits for 100 Continue sends nothing, and a read would request it.
	waits := r.Close || w.Header().Get("Connection") == "close" || strings.EqualFold(r.Header.Get("Expect"), "100-continue")
	if waits || !readRest(control, r, body) {
		closeConnection(w)
		return
	}
	_ = control.SetReadDeadline(time.Time{}) // net/http sets the next request's own
}

// RefuseBody is called instead of [DiscardBody] for a body that is too large.
// Unless the body was read completely, the response is sent at once and closes the
// connection, as with http.MaxBytesReader on net/http's own ResponseWriter.
func RefuseBody(w http.ResponseWriter, r *http.Request, body io.Reader) {
	if body == nil || body == http.NoBody || r.ProtoMajor != 1 {
		return
	}
	control := findDeadliner(w)
	if control == nil || control.SetReadDeadline(time.Unix(1, 0)) != nil {
		return
	}
	// The deadline has passed, so only a body that has ended returns io.EOF.
	if !strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		if n, err := body.Read(make([]byte, 1)); n == 0 && err == io.EOF {
			_ = control.SetReadDeadline(time.Time{})
			return
		}
	}
	_ = control.SetReadDeadline(time.Now().Add(idleTime)) // for what net/http reads after the response
	closeConnection(w)
}

// A deadliner is a ResponseWriter with read deadlines, such as net/http's own.
type deadliner interface{ SetReadDeadline(time.Time) error }

// findDeadliner unwraps w as http.ResponseController does, without an allocation.
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

// readRest reads body, and reports whether it reached the end in time.
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
			// After io.EOF, net/http reads in the background, and a deadline that
			// passes cancels all requests of the connection. If the deadline is near,
			// it may have passed already.
			return now.Sub(waited) < idleTime/2
		case err == http.ErrBodyReadAfterClose:
			return true // net/http knows whether it was read completely
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
// the body, and then wait for the client to read (closeWriteAndWait), so that the
// response is not lost. net/http does this in requestTooLarge, which only a
// MaxBytesReader at its limit can call.
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
