package main

import (
	"bytes"
	"image"
	_ "image/jpeg" // the two formats that are taken
	_ "image/png"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

var (
	errNoProduct = errors.Define(404, "product_not_found", "No such product.")
	errNoPicture = errors.Define(404, "picture_not_found", "This product has no picture.")
	errPicture   = errors.Define(422, "picture_unreadable", "The picture cannot be read, or is larger than 4096 by 4096.")
)

// newPicture is the whole input of an upload: the file comes last, and is read
// as it arrives.
type newPicture struct {
	SKU  string        `path:"sku" validate:"required,alphanum,max=32"`
	Alt  string        `form:"alt" validate:"required,max=100"`
	File validate.File `form:"picture" types:"image/png image/jpeg" validate:"required"`
}

// pictureLimits are for one picture, and a form around it.
var pictureLimits = validate.Limits{Body: 16 << 10, File: 1 << 20}

type productRef struct {
	SKU string `path:"sku" validate:"required,alphanum,max=32"`
}

// picture is a stored picture. Its type is the one that its bytes have.
type picture struct {
	kind, alt string
	content   []byte
}

// pictures are kept in memory, one for each product.
type pictures struct {
	mu    sync.Mutex
	bySKU map[string]picture
}

func (p *pictures) of(sku string) (picture, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.bySKU[sku]
	return found, ok
}

func (p *pictures) put(sku string, one picture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bySKU[sku] = one
}

func known(sku string) bool {
	return slices.ContainsFunc(products, func(p product) bool { return p.SKU == sku })
}

// putPicture keeps a file only when all of it came, and when it is what it
// says it is.
func (s *service) putPicture(w http.ResponseWriter, r *http.Request, in *newPicture) error {
	if !known(in.SKU) {
		return errNoProduct
	}
	content, err := io.ReadAll(&in.File) // at most Limits.File
	if err != nil {
		return err
	}
	size, format, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil || "image/"+format != in.File.Type || size.Width > 4096 || size.Height > 4096 {
		return errPicture.Wrap(err)
	}
	s.pictures.put(in.SKU, picture{in.File.Type, in.Alt, content})
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// showPicture serves under the headers of the API, so that bytes that are more
// than one thing stay a picture: nosniff, and a policy that runs nothing.
func (s *service) showPicture(w http.ResponseWriter, r *http.Request, in *productRef) error {
	if !known(in.SKU) {
		return errNoProduct
	}
	found, ok := s.pictures.of(in.SKU)
	if !ok {
		return errNoPicture
	}
	w.Header().Set("Content-Type", found.kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(found.content)))
	_, _ = w.Write(found.content)
	return nil
}
