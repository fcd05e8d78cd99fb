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

// errBodyTimeout has the code of validate.ErrBodyTimeout: one failure, one code.
var errBodyTimeout = Define(408, "body_timeout", "The request body did not arrive in time.")

// A requestBody records the first read error of the request body. It separates a
// client that ends its upload from an upstream that fails with the same error. The
// field is atomic because a proxy reads the body on another goroutine.
type requestBody struct {
	io.ReadCloser
	failure atomic.Pointer[error]
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && b.failure.Load() == nil {
		failure := err // only a failure costs an allocation
		b.failure.Store(&failure)
	}
	return n, err
}

// watchBody makes the handler read the request body through s.body.
func (s *scope) watchBody() {
	if body := s.request.Body; body != nil && body != http.NoBody {
		s.body.ReadCloser = body
		s.request.Body = &s.body
	}
}

// kindOfHangUp returns the kind for an err that a disconnected or too slow client caused,
// and nil for other errors. found is the kind of err, or nil. A driver's error for a
// canceled request is often wrapped in a kind such as "store unavailable", which must not be
// reported.
func (s *scope) kindOfHangUp(r *http.Request, err error, found *Kind) *Kind {
	if s.request != nil {
		r = s.request // a handler may have canceled a context of its own
	}
	// Any other cause comes from the server: a timeout, or a shutdown.
	canceled := context.Cause(r.Context()) == context.Canceled
	if canceled && isCauseOf(err, found, context.Canceled) {
		return s.bodyTimeoutOrCanceled()
	}
	failure := s.body.failure.Load()
	if failure == nil || found != nil && found.status < 500 || !errors.Is(err, *failure) {
		return nil // a handler that reads bodies has its own kinds for truncated ones
	}
	if canceled || errors.Is(*failure, os.ErrDeadlineExceeded) {
		return s.bodyTimeoutOrCanceled()
	}
	return nil // another read error, such as a malformed chunk
}

// bodyTimeoutOrCanceled returns errBodyTimeout for a client that was too slow and may still read the
// response, and ErrCanceled for a client that disconnected. net/http cancels the context
// for both.
func (s *scope) bodyTimeoutOrCanceled() *Kind {
	if failure := s.body.failure.Load(); failure != nil && errors.Is(*failure, os.ErrDeadlineExceeded) {
		return errBodyTimeout
	}
	return ErrCanceled
}

// isCauseOf reports whether end caused err, whose kind is k. A kind below 500 is a decision
// about the request. If end is only joined with it, end happened later.
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

// kindOfForeign returns the kind of a foreign response. If its client disconnects,
// a proxy writes a bare 502 (net/http/httputil), and a handler writes the text of
// the error.
func (s *scope) kindOfForeign(status int, body string) *Kind {
	if status < 500 {
		return kindOf(status)
	}
	failure := s.body.failure.Load()
	canceled := context.Cause(s.request.Context()) == context.Canceled
	if !canceled && (failure == nil || !errors.Is(*failure, os.ErrDeadlineExceeded)) {
		return kindOf(status)
	}
	// Only a proxy writes a bare gateway status. A bare 500 is the handler's own.
	bare := isOutage(status) && (body == "" || strings.TrimSpace(body) == http.StatusText(status))
	if bare || strings.Contains(body, context.Canceled.Error()) || failure != nil && strings.Contains(body, (*failure).Error()) {
		return s.bodyTimeoutOrCanceled()
	}
	return kindOf(status)
}

// kindOfKept returns the kind of a foreign response that the client gets unchanged. Its body
// is not written yet, so the body of a gateway status is assumed to be empty.
func (s *scope) kindOfKept(status int) *Kind {
	if isOutage(status) {
		return s.kindOfForeign(status, "")
	}
	return kindOf(status)
}
