package validate

import (
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// checkMedia refuses what is not one of the types, in UTF-8 and in an encoding
// that is taken, before a byte of the body is read.
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

// media returns the parameters of the media type, which is one of the types.
func (c *config) media(r *http.Request, types []string) (map[string]string, error) {
	if len(codings(r.Header)) > 0 && !c.isZipped(r) {
		taken := "identity"
		if c.gzip {
			taken = "gzip"
		}
		return nil, ErrMediaType.Header("Accept-Encoding", taken) // RFC 9110, section 12.5.3
	}
	lines := r.Header["Content-Type"]
	if len(lines) != 1 {
		return nil, mediaTypeError(r, types)
	}
	if slices.Contains(types, lines[0]) {
		return nil, nil // as most clients write it: nothing to parse
	}
	media, params, ok := parseMediaType(lines[0])
	if !ok || !slices.Contains(types, media) {
		return nil, mediaTypeError(r, types)
	}
	return params, nil
}

// mediaTypeError refuses a media type, and says which are taken (RFC 9110, section
// 15.5.16). The log has what came.
func mediaTypeError(r *http.Request, types []string) error {
	var came []string
	for _, line := range r.Header["Content-Type"] {
		came = append(came, line[:min(len(line), 128)])
	}
	return ErrMediaType.Header("Accept", strings.Join(types, ", ")).With("content_type", came[:min(len(came), 2)])
}

// watcher sees each part of a body as it arrives, and says what is too large,
// or "".
type watcher interface{ write(fresh []byte) string }

// firstBuffer is what a body is read into before it has shown its size. What
// the client only says of the size buys no more than the next larger.
const firstBuffer = 4 << 10

// growth is how buffers grow: in few and large steps, so that the old and the
// new one, and what a decompressor holds, are together hardly more than the
// new.
type growth struct {
	second int64 // the size of the second buffer
	factor int64 // of any after that
	most   int64
}

func (c *config) growth(r *http.Request) growth {
	most := c.limits.Body + 1 // one more to see the end
	if c.isZipped(r) {
		return growth{second: 1<<20 + 1, factor: 24, most: most} // large by nature, or not compressed
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

// readBody reads the whole body within the limits, into the buffer of s if
// it fits.
// What is too large is refused at the first byte that is.
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
// DATA frame: of a body of unknown length, one byte is read, within BodyTimeout.
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

// source returns what the bytes of a body are read from.
func (c *config) source(r *http.Request, s *scratch) (io.Reader, error) {
	if !c.isZipped(r) {
		return r.Body, nil
	}
	if s.unzip == nil {
		s.unzip = new(gzip.Reader)
	}
	return s.unzip, s.unzip.Reset(&capped{r: r.Body, left: c.limits.Body + 1})
}

// capped bounds what a decompressor reads: members that are empty inside make
// an input without end out of nothing.
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

// patience is how long a body may still take. A server with a ReadTimeout of
// its own keeps it: setting a deadline would extend it. A writer without
// deadlines is read without one.
type patience struct {
	control *http.ResponseController // nil: there is no deadline of ours
	started time.Time
	most    time.Duration
	steps   int64
}

// bodyStep is the number of bytes that earn a second more of BodyTimeout.
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

// extend gives a second more for every step that was received.
func (p *patience) extend(received int64) {
	if steps := received / bodyStep; p.control != nil && steps > p.steps {
		p.steps = steps
		_ = p.control.SetReadDeadline(p.started.Add(p.most + time.Duration(steps)*time.Second))
	}
}

// clearDeadline takes the deadline away when the body is there. Of a body that is
// refused, net/http still reads some 256 KiB after the handler: the deadline
// stays, and bounds that too.
func (p *patience) clearDeadline() {
	if p.control != nil {
		_ = p.control.SetReadDeadline(time.Time{})
	}
}

func bodyRefusal(kind *errors.Kind, text string) error {
	return newRefusal(kind, "", "", kind.Code(), text)
}

// readError tells a slow client from one that is gone, and both from one whose
// body is shorter than it said.
func readError(r *http.Request, err error) error {
	_, broken := errors.AsType[*net.OpError](err) // the connection is
	switch _, tooLarge := errors.AsType[*http.MaxBytesError](err); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrBodyTimeout.Header("Connection", "close")
	case broken || r.Context().Err() != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return errors.ErrCanceled.Wrap(err)
	case tooLarge: // a limit that stands outside of ours
		return ErrInputTooLarge.Wrap(err)
	}
	return ErrMalformed.Wrap(err).Header("Connection", "close")
}
