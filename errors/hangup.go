package errors

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
)

// errBodyTimeout has the code of the validate package: one failure, one code.
var errBodyTimeout = Define(408, "body_timeout", "The request body did not arrive in time.")

// A requestBody keeps the first failure of the request's body, so that a client
// that ends its upload is not taken for a failure of an upstream, which has the
// same errors. A proxy reads it on another goroutine than the handler's.
type requestBody struct {
	io.ReadCloser
	failure atomic.Pointer[error]
}

// Read reads from the client's body.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && b.failure.Load() == nil {
		failure := err // so that only a failure costs an allocation
		b.failure.Store(&failure)
	}
	return n, err
}

// watchBody makes the handler read the request's body through s.body.
func (s *scope) watchBody() {
	if body := s.request.Body; body != nil && body != http.NoBody {
		s.body.ReadCloser = body
		s.request.Body = &s.body
	}
}

// kindOfHangUp returns the kind of a request that its client ended, if err comes
// from that; else nil. found is the kind that err has, or nil. What a driver
// reports of a canceled request is often wrapped in a kind such as "store
// unavailable", and that kind must not win.
func (s *scope) kindOfHangUp(r *http.Request, err error, found *Kind) *Kind {
	if s.request != nil {
		r = s.request // the handler may have canceled a context of its own
	}
	// A cause of another text is the server's: a timeout, or a shutdown.
	gone := context.Cause(r.Context()) == context.Canceled
	if gone && isCauseOf(err, found, context.Canceled) {
		return s.kindOfGone()
	}
	failure := s.body.failure.Load()
	if failure == nil || found != nil && found.status < 500 || !errors.Is(err, *failure) {
		return nil // a handler that reads bodies has kinds for those that are cut short
	}
	if gone || errors.Is(*failure, os.ErrDeadlineExceeded) {
		return s.kindOfGone()
	}
	return nil // such as a chunk that is malformed
}

// kindOfGone tells a client that was too slow, which may still read the answer,
// from one that went away: net/http cancels the context for both.
func (s *scope) kindOfGone() *Kind {
	if failure := s.body.failure.Load(); failure != nil && errors.Is(*failure, os.ErrDeadlineExceeded) {
		return errBodyTimeout
	}
	return ErrCanceled
}

// isCauseOf reports whether err, which has kind k, was caused by end. A kind
// below 500 is a decision about the request: an end that stands beside it came
// later.
func isCauseOf(err error, k *Kind, end error) bool {
	if k == nil || k.status >= 500 {
		return errors.Is(err, end)
	}
	caused := false
	walk(err, func(e *Error) bool {
		if e.kind == k {
			caused = errors.Is(e.cause, end)
		}
		return e.kind != k
	})
	return caused
}

// kindOfForeign returns the kind of a response that a handler wrote by itself. A
// proxy writes a bare 502 when its client goes away (net/http/httputil), and
// handlers write the text of the error that they got.
func (s *scope) kindOfForeign(status int, body string) *Kind {
	if status < 500 {
		return kindOf(status)
	}
	failure := s.body.failure.Load()
	gone := context.Cause(s.request.Context()) == context.Canceled
	if !gone && (failure == nil || !errors.Is(*failure, os.ErrDeadlineExceeded)) {
		return kindOf(status)
	}
	// Only a proxy says nothing more of a cause. A bare 500 is the handler's own.
	bare := isOutage(status) && (body == "" || strings.TrimSpace(body) == http.StatusText(status))
	if bare || strings.Contains(body, context.Canceled.Error()) || failure != nil && strings.Contains(body, (*failure).Error()) {
		return s.kindOfGone()
	}
	return kindOf(status)
}

// kindOfKept returns the kind of a response that a handler wrote by itself and
// that the client gets as it is. Of a gateway, it is most often bare; else its
// text is not known.
func (s *scope) kindOfKept(status int) *Kind {
	if isOutage(status) {
		return s.kindOfForeign(status, "")
	}
	return kindOf(status)
}
