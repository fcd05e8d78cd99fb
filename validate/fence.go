package validate

import (
	"bytes"
	"io"

	"github.com/ringwall/ringwall/errors"
)

// A fence checks the boundaries of a multipart form (RFC 2046, section 5.1.1)
// before mime/multipart reads them. That package accepts a body that ends after any
// boundary as complete. It skips all bytes before the first boundary and after the
// last, so that another parser may find parts that were never checked. A fence stores
// no bytes of the form, only a state and counts.
type fence struct {
	r       io.Reader
	mark    string // CRLF, two hyphens and the boundary
	state   fenceState
	matched int // bytes of mark or of the epilogue; in a header, see scanHeader
	inLine  int // bytes of mark that begin a header line; -1 if it begins otherwise
	begun   bool
	err     error
}

type fenceState uint8

const (
	inPreamble fenceState = iota
	inDelimiter
	inHyphens
	inDelimiterEnd
	inHeader
	inContent
	inEpilogue
)

// Errors of a fence. Their texts complete "the form".
var (
	errFormCut      = errors.New("ends too early")
	errFormPreamble = errors.New("does not begin with its boundary")
	errFormEpilogue = errors.New("has data after its end")
	errFormBoundary = errors.New("has a boundary that is not alone on its line")
	errFormLine     = errors.New("has a header line that does not end with CRLF")
)

func newFence(r io.Reader, boundary string) *fence {
	return &fence{r: r, mark: "\r\n--" + boundary, matched: len("\r\n")} // the first line has no line break before it
}

// isClosed reports whether the closing boundary was read.
func (f *fence) isClosed() bool { return f.state == inEpilogue }

func (f *fence) Read(b []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.r.Read(b)
	if f.scan(b[:n]); f.err != nil {
		return 0, f.err
	}
	if err == io.EOF {
		switch {
		case !f.isClosed():
			f.err = errFormCut
		case f.matched == 1:
			f.err = errFormEpilogue // a return without a newline
		default:
			f.err = io.EOF
		}
		return n, f.err
	}
	return n, err
}

// scan reads the next bytes, up to an error.
func (f *fence) scan(b []byte) {
	for i := 0; i < len(b) && f.err == nil; i++ {
		switch f.state {
		case inPreamble:
			f.scanPreamble(b[i])
		case inDelimiter:
			f.scanDelimiter(b[i])
		case inHyphens:
			f.expect(b[i], '-', inEpilogue, errFormBoundary)
		case inDelimiterEnd:
			f.expect(b[i], '\n', inHeader, errFormBoundary)
		case inHeader:
			f.scanHeader(b[i])
		case inContent:
			if f.matched == 0 { // most bytes of a file are here
				next := bytes.IndexByte(b[i:], '\r')
				if next < 0 {
					return
				}
				i += next
			}
			f.scanContent(b[i])
		case inEpilogue:
			f.scanEpilogue(b[i])
		}
	}
}

// expect changes the state if a byte is the required one.
func (f *fence) expect(b, want byte, next fenceState, otherwise error) {
	if b != want {
		f.err = otherwise
		return
	}
	f.state, f.matched = next, 0
}

// scanPreamble accepts one line break before the first boundary, which some
// clients send.
func (f *fence) scanPreamble(b byte) {
	if !f.begun && b == '\r' {
		f.matched = 0
	}
	f.begun = true
	if b != f.mark[f.matched] {
		f.err = errFormPreamble
		return
	}
	f.countMark()
}

// countMark counts a byte that continues the boundary.
func (f *fence) countMark() {
	if f.matched++; f.matched == len(f.mark) {
		f.state, f.matched = inDelimiter, 0
	}
}

// scanDelimiter accepts the byte after a boundary: the beginning of CRLF or of two
// hyphens. Other bytes and the padding of RFC 2046 are refused, because the line ends a
// part for some parsers and is content for others.
func (f *fence) scanDelimiter(b byte) {
	switch b {
	case '\r':
		f.state = inDelimiterEnd
	case '-':
		f.state = inHyphens
	default:
		f.err = errFormBoundary
	}
}

// scanHeader checks the header lines of a part. matched is 0 at the beginning of a
// line, 1 in it, 2 after its return, and 3 after the return of an empty line. A line
// that begins with the boundary is refused, because it is a header for some parsers and
// a new part for others.
func (f *fence) scanHeader(b byte) {
	if f.matched == 0 {
		f.inLine = len("\r\n")
	}
	if f.inLine >= 0 && b != f.mark[f.inLine] {
		f.inLine = -1
	}
	if f.inLine >= 0 {
		if f.inLine++; f.inLine == len(f.mark) {
			f.err = errFormBoundary
			return
		}
	}
	atReturn := f.matched >= 2
	switch {
	case atReturn != (b == '\n'):
		f.err = errFormLine
	case b == '\n' && f.matched == 3:
		f.state, f.matched = inContent, len("\r\n") // in an empty part, the end of the header is the line break before the boundary
	case b == '\n':
		f.matched = 0
	case b == '\r' && f.matched == 0:
		f.matched = 3
	case b == '\r':
		f.matched = 2
	default:
		f.matched = 1
	}
}

// scanContent searches the boundary. Only its first byte is a return, so that only a
// return can begin it again.
func (f *fence) scanContent(b byte) {
	switch {
	case b == f.mark[f.matched]:
		f.countMark()
	case b == '\r':
		f.matched = 1
	default:
		f.matched = 0
	}
}

// scanEpilogue accepts one line break after the last boundary.
func (f *fence) scanEpilogue(b byte) {
	if f.matched > 1 || b != "\r\n"[f.matched] {
		f.err = errFormEpilogue
		return
	}
	f.matched++
}
