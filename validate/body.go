package validate

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// checkMedia refuses a body of another media type, charset or content coding before
// it reads a byte of it.
func (c *config) checkMedia(r *http.Request, types []string) error {
	params, err := c.media(r, types)
	if err != nil {
		return err
	}
	for name, value := range params {
		if name != "charset" || !isUTF8(value) {
			return mediaTypeError(r, types)
		}
	}
	return nil
}

// media returns the parameters of the media type, which must be one of types.
func (c *config) media(r *http.Request, types []string) (map[string]string, error) {
	if len(codings(r.Header)) > 0 && !c.isZipped(r) {
		accepted := "identity"
		if c.gzip {
			accepted = "gzip"
		}
		return nil, ErrMediaType.Header("Accept-Encoding", accepted) // RFC 9110, section 12.5.3
	}
	lines := r.Header["Content-Type"]
	if len(lines) != 1 {
		return nil, mediaTypeError(r, types)
	}
	if slices.Contains(types, lines[0]) {
		return nil, nil // the spelling of most clients needs no parsing
	}
	media, params, ok := parseMediaType(lines[0])
	if !ok || !slices.Contains(types, media) {
		return nil, mediaTypeError(r, types)
	}
	return params, nil
}

// mediaTypeError returns an error with an Accept header of the accepted types (RFC
// 9110, section 15.5.16). Only the log contains the type that the client sent.
func mediaTypeError(r *http.Request, types []string) error {
	var sent []string
	for _, line := range r.Header["Content-Type"] {
		sent = append(sent, line[:min(len(line), 128)])
	}
	return ErrMediaType.Header("Accept", strings.Join(types, ", ")).With("content_type", sent[:min(len(sent), 2)])
}

// A watcher checks the bytes of a body while they arrive. write returns the limit
// that they exceed, as a message, or "".
type watcher interface{ write(fresh []byte) string }

// firstBuffer is the size of the first buffer of a body. A Content-Length alone never
// makes the server allocate more than the second one.
const firstBuffer = 4 << 10

// A growth defines the sizes of buffers. They grow in few and large steps, so that
// the old and the new buffer together are hardly larger than the new one.
type growth struct {
	second int64 // the size of the second buffer
	factor int64 // by which each later buffer is larger
	most   int64
}

func (c *config) growth(r *http.Request) growth {
	most := c.limits.Body + 1 // one more byte to find the end
	if c.isZipped(r) {
		return growth{second: 1<<20 + 1, factor: 24, most: most} // a compressed body is probably large
	}
	if r.ContentLength >= 0 {
		most = r.ContentLength + 1
	}
	return growth{second: 48 << 10, factor: 24, most: most}
}

func (g growth) grow(data []byte) []byte {
	size := g.second
	if cap(data) > firstBuffer {
		size = g.factor * int64(cap(data))
	}
	grown := make([]byte, len(data), max(min(size, g.most), int64(len(data))+1))
	copy(grown, data)
	return grown
}

// readBody reads the whole body, into the buffer of s if it fits. It stops at the
// first byte above a limit.
func (c *config) readBody(r *http.Request, s *scratch, watch watcher) ([]byte, error) {
	if r.ContentLength > c.limits.Body {
		return nil, c.tooLarge()
	}
	source, err := c.source(r, s)
	if err != nil {
		return nil, readError(r, err)
	}
	data, buffers := s.buffer[:0], c.growth(r)
	for {
		if len(data) == cap(data) {
			data = buffers.grow(data)
		}
		n, err := source.Read(data[len(data):cap(data)])
		fresh := data[len(data) : len(data)+n]
		data = data[:len(data)+n]
		if over := watch.write(fresh); over != "" {
			return nil, bodyRefusal(ErrInputTooLarge, over)
		}
		switch {
		case int64(len(data)) > c.limits.Body:
			return nil, c.tooLarge()
		case err == io.EOF:
			s.patience.clearDeadline()
			return data, nil
		case err != nil:
			return nil, readError(r, err)
		}
		s.patience.extend(int64(len(data)))
	}
}

// refuseBody refuses a body on a route without one. Proxies such as Envoy and
// linkerd send a request without a body as an empty chunked one, or as an empty
// DATA frame, so one byte of a body of unknown length is read within BodyTimeout.
func refuseBody(r *http.Request, patience *patience) error {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if r.ContentLength < 0 {
		n, err := io.ReadFull(r.Body, make([]byte, 1))
		switch {
		case err == io.EOF:
			patience.clearDeadline()
			return nil
		case n == 0:
			return readError(r, err)
		}
	}
	return ErrUnexpectedBody.Header("Connection", "close")
}

func (c *config) tooLarge() error {
	return ErrInputTooLarge.With("limit", c.limits.Body).Header("Connection", "close")
}

// source returns the reader of a body, which decompresses it if necessary.
func (c *config) source(r *http.Request, s *scratch) (io.Reader, error) {
	if !c.isZipped(r) {
		return r.Body, nil
	}
	if s.unzip == nil {
		s.unzip = new(gzip.Reader)
	}
	return s.unzip, s.unzip.Reset(&capped{r: r.Body, left: c.limits.Body + 1})
}

// A capped reader limits the compressed input, because an endless series of empty
// gzip members produces no output.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, &http.MaxBytesError{}
	}
	n, err := c.r.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	return n, err
}

// A patience is the read deadline of a body. There is none if the server has a
// ReadTimeout, which another deadline would extend, or if the writer does not
// support deadlines.
type patience struct {
	control *http.ResponseController // nil means no deadline
	started time.Time
	most    time.Duration
	steps   int64
}

// bodyStep is the number of bytes that extend the deadline by one second.
const bodyStep = 32 << 10

func (c *config) patience(w http.ResponseWriter, r *http.Request) patience {
	srv, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if srv == nil || srv.ReadTimeout != 0 || r.Body == http.NoBody {
		return patience{}
	}
	p := patience{control: http.NewResponseController(w), started: time.Now(), most: c.limits.BodyTimeout}
	if p.control.SetReadDeadline(p.started.Add(p.most)) != nil {
		return patience{}
	}
	return p
}

// extend extends the deadline by one second for every received step.
func (p *patience) extend(received int64) {
	if steps := received / bodyStep; p.control != nil && steps > p.steps {
		p.steps = steps
		_ = p.control.SetReadDeadline(p.started.Add(p.most + time.Duration(steps)*time.Second))
	}
}

// clearDeadline removes the deadline after the whole body has arrived. It is not
// called for a refused body, of which net/http reads up to 256 KiB after the handler.
func (p *patience) clearDeadline() {
	if p.control != nil {
		_ = p.control.SetReadDeadline(time.Time{})
	}
}

func bodyRefusal(kind *errors.Kind, text string) error {
	return newRefusal(kind, "", "", kind.Code(), text)
}

// readError maps a read error to a kind: a slow client, a disconnected client, an
// outer size limit, or a truncated body.
func readError(r *http.Request, err error) error {
	_, broken := errors.AsType[*net.OpError](err) // the connection failed
	switch _, tooLarge := errors.AsType[*http.MaxBytesError](err); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrBodyTimeout.Header("Connection", "close")
	case broken || r.Context().Err() != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return errors.ErrCanceled.Wrap(err)
	case tooLarge: // the limit of an outer handler
		return ErrInputTooLarge.Wrap(err)
	}
	return ErrMalformed.Wrap(err).Header("Connection", "close")
}

// readJSON decodes a JSON body. The body of a pointer may be missing: the pointer is
// then nil.
func (p *plan) readJSON(r *http.Request, v reflect.Value, s *scratch) error {
	if p.root.isOptional() {
		missing, err := isMissing(r, &s.patience)
		if err != nil || missing {
			return err
		}
	}
	if r.ContentLength != 0 || len(r.Header["Content-Type"]) > 0 { // without a body, no type is needed
		if err := p.c.checkMedia(r, p.c.types); err != nil {
			return err
		}
	}
	s.counter.beginText(&p.c.limits)
	data, err := p.c.readBody(r, s, &s.counter)
	if err != nil {
		return err
	}
	p.setRaw(v, data)
	if p.body != nil {
		v = v.Elem().FieldByIndex(p.body).Addr()
	}
	return p.c.decodeBody(data, &s.counter, v, p.node)
}

// isOptional reports whether a body may be missing.
func (c *check) isOptional() bool { return len(c.hops) > 0 && c.hops[0] == pointerHop }

// isMissing reports whether a request has no body. Of a body of unknown length, it reads
// one byte, which it puts back.
func isMissing(r *http.Request, patience *patience) (bool, error) {
	switch {
	case r.ContentLength > 0:
		return false, nil
	case r.ContentLength == 0, r.Body == nil, r.Body == http.NoBody:
		return true, nil
	}
	first := make([]byte, 1)
	switch _, err := io.ReadFull(r.Body, first); {
	case err == io.EOF:
		patience.clearDeadline()
		return true, nil
	case err != nil:
		return false, readError(r, err)
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first), r.Body), r.Body}
	return false, nil
}

// anyBytes is a watcher that accepts all bytes.
type anyBytes struct{}

func (anyBytes) write([]byte) string { return "" }

// readRaw reads a body that is not decoded.
func (p *plan) readRaw(r *http.Request, v reflect.Value, s *scratch) error {
	if r.ContentLength != 0 || len(r.Header["Content-Type"]) > 0 { // without a body, no type is needed
		if _, err := p.c.media(r, p.c.types); err != nil {
			return err
		}
	}
	data, err := p.c.readBody(r, s, anyBytes{})
	if err != nil {
		return err
	}
	p.setRaw(v, data)
	return nil
}

// setRaw sets the field with the bytes of the body to a copy: the buffer is used again.
func (p *plan) setRaw(v reflect.Value, data []byte) {
	if p.raw != nil {
		v.Elem().FieldByIndex(p.raw).SetBytes(bytes.Clone(data))
	}
}
