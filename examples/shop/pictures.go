package main

import (
	"bytes"
	"context"
	"image"
	_ "image/jpeg" // the two accepted formats
	_ "image/png"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

var (
	errNoProduct = errors.Define(404, "product_not_found", "No such product.")
	errNoPicture = errors.Define(404, "picture_not_found", "This product has no picture.")
	errPicture   = errors.Define(422, "picture_unreadable", "The picture is unreadable or larger than 4096 by 4096 pixels.")
)

// newPicture is the input of an upload. The file is the last part, and is read while it
// arrives.
type newPicture struct {
	SKU  string        `path:"sku" validate:"required,alphanum,max=32"`
	Alt  string        `form:"alt" validate:"required,max=100"`
	File validate.File `form:"picture" types:"image/png image/jpeg" validate:"required"`
}

// pictureLimits are the limits for one picture in a form.
var pictureLimits = validate.Limits{Body: 16 << 10, File: 1 << 20}

type productRef struct {
	SKU string `path:"sku" validate:"required,alphanum,max=32"`
}

// pictures stores one picture for each product, with an alternative text.
type pictures struct{ shelf shelf }

// alt returns the alternative text, or "" if there is no picture.
func (p pictures) alt(ctx context.Context, sku string) (string, error) {
	text, err := p.shelf.get(ctx, "alt:"+sku)
	return string(text), err
}

func (p pictures) put(ctx context.Context, sku, alt string, content []byte) error {
	set := func(key string, value []byte) error {
		return p.shelf.update(ctx, key, func([]byte) ([]byte, error) { return value, nil })
	}
	return errors.Join(set("picture:"+sku, content), set("alt:"+sku, []byte(alt)))
}

func known(sku string) bool {
	return slices.ContainsFunc(products, func(p product) bool { return p.SKU == sku })
}

// putPicture stores a file if it is complete and has its declared type.
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
	if err := s.pictures.put(r.Context(), in.SKU, in.Alt, content); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// showPicture serves a picture with the headers of the API. A file that is also valid HTML
// stays a picture, because of nosniff and a policy that runs no script.
func (s *service) showPicture(w http.ResponseWriter, r *http.Request, in *productRef) error {
	if !known(in.SKU) {
		return errNoProduct
	}
	content, err := s.pictures.shelf.get(r.Context(), "picture:"+in.SKU)
	if err != nil {
		return err
	}
	if content == nil {
		return errNoPicture
	}
	w.Header().Set("Content-Type", http.DetectContentType(content)) // putPicture accepts only two formats
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	// Pages of other origins may embed the picture, because pictures of products are
	// public.
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(content)
	return nil
}
