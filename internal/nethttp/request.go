// Package nethttp preserves what net/http and outer handlers expect of a middleware
// that copies the request and wraps the ResponseWriter.
//
// net/http uses these fields of its own request (Go 1.26, server.go, transfer.go,
// h2_bundle.go):
//
//   - MultipartForm, to remove the temporary files of a form after the handler. If
//     only a copy of the request has the form, its files stay on the disk.
//   - Trailer, in which it stores the trailers of a chunked body.
//   - Body, to discard the unread rest. The Body of a copy is not carried back,
//     because net/http recognizes only its own.
//
// It uses these parts of its own ResponseWriter:
//
//   - requestTooLarge, which [http.MaxBytesReader] calls at its limit, so that the
//     response is sent at once and closes the connection. The method is unexported,
//     so a wrapper cannot have it.
//   - the header map, which httputil.ReverseProxy empties after each informational
//     response (1xx).
//   - Unwrap, which [http.ResponseController] calls on wrappers.
//
// Outer handlers, such as tracers and access logs, read Pattern, Form and PostForm.
// Path values are not carried back: ServeMux stores them in fields without an
// accessor, and setting them again would allocate for each request.
package nethttp

import (
	"context"
	"net/http"
)

// CopyRequest returns a copy of r with the context ctx. The caller must call
// [CarryBack] when the handler of the copy has ended, even by a panic. CopyRequest
// may set r.Trailer.
func CopyRequest(ctx context.Context, r *http.Request) *http.Request {
	if r.Trailer == nil && r.ContentLength < 0 && r.ProtoMajor == 1 {
		// net/http stores trailers that were not announced in the map of its own
		// request, if there is one: the copy then shares the map.
		r.Trailer = make(http.Header)
	}
	return r.WithContext(ctx)
}

// CarryBack sets on r the fields that the handler has set on its copy. It writes only
// fields that differ, because an outer handler may read the others concurrently.
func CarryBack(r, handled *http.Request) {
	if r.MultipartForm != handled.MultipartForm {
		r.MultipartForm = handled.MultipartForm
	}
	if r.Form == nil && handled.Form != nil { // ParseForm does not replace an existing form
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

// RemoveForm removes the temporary files of a request whose handler panicked or ended
// its goroutine. net/http then does so for HTTP/2 only (compare finishRequest with
// http2serverConn.runHandler).
func RemoveForm(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll()
	}
}
