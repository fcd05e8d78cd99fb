// Package nethttp keeps the promises that net/http, and handlers further out,
// take for granted of a middleware.
//
// net/http looks these up on the request and the ResponseWriter that it made
// (Go 1.26, server.go, transfer.go, h2_bundle.go). After the handler, the
// request's:
//
//   - MultipartForm, to remove the temporary files of a form. A form that
//     only a copy of the request has leaves its files on the disk.
//   - Trailer, where it puts the trailers of a chunked body.
//   - Body, to discard the unread rest. It is never handed back from a copy:
//     net/http recognizes only its own.
//
// And the writer's:
//
//   - requestTooLarge, which [http.MaxBytesReader] calls at its limit so that
//     the response is sent at once and closes the connection. The method is
//     unexported: no other ResponseWriter can have it.
//   - the header map, which httputil.ReverseProxy empties after each
//     informational response (1xx).
//   - Unwrap, which [http.ResponseController] follows.
//
// Handlers further out read Pattern, Form and PostForm, as tracers and access
// logs do. Path values go inward only: ServeMux keeps them in fields without an
// accessor, and setting them again would cost an allocation for each request.
package nethttp

import (
	"context"
	"net/http"
)

// CopyRequest returns a copy of a request with another context. The caller
// must call [CarryBack] when the handler of the copy has ended, also by a
// panic.
func CopyRequest(ctx context.Context, r *http.Request) *http.Request {
	if r.Trailer == nil && r.ContentLength < 0 && r.ProtoMajor == 1 {
		// net/http assigns trailers that were not announced to the field of its own
		// request, or adds them to the map that is there: which both then have.
		r.Trailer = make(http.Header)
	}
	return r.WithContext(ctx)
}

// CarryBack gives a request the fields that the handler of its copy has set. It
// writes only what differs, because a handler further out may read the others
// at the same time.
func CarryBack(r, handled *http.Request) {
	if r.MultipartForm != handled.MultipartForm {
		r.MultipartForm = handled.MultipartForm
	}
	if r.Form == nil && handled.Form != nil { // ParseForm leaves a form that exists
		r.Form = handled.Form
	}
	if r.PostForm == nil && handled.PostForm != nil {
		r.PostForm = handled.PostForm
	}
	if r.Trailer == nil && handled.Trailer != nil {
		r.Trailer = handled.Trailer
	}
	if r.Pattern != handled.Pattern {
		r.Pattern = handled.Pattern
	}
}

// RemoveForm removes the temporary files of a request whose handler panics or
// ends its goroutine. net/http does so for HTTP/2 only (compare finishRequest
// with http2serverConn.runHandler).
func RemoveForm(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll()
	}
}
