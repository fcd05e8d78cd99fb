package validate

import (
	"compress/gzip"
	"io"
	"mime"
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
	if encodings := r.Header["Content-Encoding"]; len(encodings) > 0 && !c.zipped(r) {
		taken := "identity"
		if c.gzip {
			taken = "gzip"
		}
		return ErrMediaType.Header("Accept-Encoding", taken) // RFC 9110, section 12.5.3
	}
	lines := r.Header["Content-Type"]
	if len(lines) != 1 {
		return ErrMediaType.With("content_types", len(lines))
	}
	media, params, err := mime.ParseMediaType(lines[0])
	// A parameter that is there twice, alike, is read as one.
	if err != nil || !slices.Contains(types, media) || len(params) != strings.Count(lines[0], ";") {
		return ErrMediaType
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return ErrMediaType
		}
	}
	return nil
}

// zipped reports whether a body is compressed, and taken so.
func (c *config) zipped(r *http.Request) bool {
	encodings := r.Header["Content-Encoding"]
	return c.gzip && len(encodings) == 1 && strings.EqualFold(encodings[0], "gzip")
}

// bodyStep is the number of bytes that earn a second more of BodyTimeout.
const bodyStep = 32 << 10

// readBody reads the whole body within the limits. What is too large is
// refused at the first byte that is: count sees each part as it arrives, and
// says what is wrong with it, or "".
func (c *config) readBody(w http.ResponseWriter, r *http.Request, count func([]byte) string) ([]byte, error) {
	limit := c.limits.Body
	tooLarge := ErrTooLarge.With("limit", limit).Header("Connection", "close")
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	// A server with a ReadTimeout of its own keeps it: setting a deadline
	// would extend it. A writer without deadlines is read without one.
	control, started := http.NewResponseController(w), time.Now()
	srv, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	timed := srv != nil && srv.ReadTimeout == 0 && control.SetReadDeadline(started.Add(c.limits.BodyTimeout)) == nil
	if timed {
		defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	}
	size := int64(4 << 10)
	if r.ContentLength > 0 {
		size = r.ContentLength + 1 // one more to see the end
	}
	source, err := c.source(r)
	if err != nil {
		return nil, readError(r, err)
	}
	data, steps := make([]byte, 0, min(size, limit+1)), 0
	for {
		if len(data) == cap(data) {
			grown := make([]byte, len(data), min(2*int64(cap(data)), limit+1))
			copy(grown, data)
			data = grown
		}
		n, err := source.Read(data[len(data):cap(data)])
		fresh := data[len(data) : len(data)+n]
		data = data[:len(data)+n]
		if over := count(fresh); over != "" {
			return nil, bodyRefusal(ErrTooLarge, over)
		}
		switch {
		case int64(len(data)) > limit:
			return nil, tooLarge
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, readError(r, err)
		}
		if now := len(data) / bodyStep; timed && now > steps {
			steps = now
			_ = control.SetReadDeadline(started.Add(c.limits.BodyTimeout + time.Duration(steps)*time.Second))
		}
	}
}

// source returns what the bytes of a body are read from.
func (c *config) source(r *http.Request) (io.Reader, error) {
	if !c.zipped(r) {
		return r.Body, nil
	}
	return gzip.NewReader(&capped{r: r.Body, left: c.limits.Body + 1})
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

func bodyRefusal(kind *errors.Kind, text string) error {
	return refuse(kind, "", "", kind.Code(), text)
}

// readError tells a slow client from one that is gone, and both from one whose
// body is shorter than it said.
func readError(r *http.Request, err error) error {
	switch _, tooLarge := errors.AsType[*http.MaxBytesError](err); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout.Header("Connection", "close")
	case r.Context().Err() != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return errors.ErrCanceled.Wrap(err)
	case tooLarge: // a limit that stands outside of ours
		return ErrTooLarge.Wrap(err)
	}
	return ErrMalformed.Wrap(err).Header("Connection", "close")
}
