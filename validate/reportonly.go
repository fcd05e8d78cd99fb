package validate

import (
	"bytes"
	"io"
	"net/http"
)

// A keeper keeps the bytes of a body that are read.
type keeper struct {
	body io.ReadCloser
	kept bytes.Buffer
}

// keepBytes lets a keeper read the body of a request.
func keepBytes(r *http.Request) *keeper {
	k := &keeper{body: r.Body}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = k
	}
	return k
}

// Read implements io.Reader.
func (k *keeper) Read(b []byte) (int, error) {
	n, err := k.body.Read(b)
	k.kept.Write(b[:n])
	return n, err
}

// Close implements io.Closer.
func (k *keeper) Close() error { return k.body.Close() }

// putBack gives the request its body again, as though nothing of it had been read.
func (k *keeper) putBack(r *http.Request) {
	r.Body = k.body
	if k.kept.Len() > 0 {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(&k.kept, k.body), k.body}
	}
}
