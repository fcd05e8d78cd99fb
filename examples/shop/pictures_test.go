package main

import (
	"bytes"
	"image"
	"image/png"
	"mime/multipart"
	"net/textproto"
	"testing"

	"github.com/stretchr/testify/require"
)

// drawing is a PNG that is so high.
func drawing(t *testing.T, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, height))))
	return b.Bytes()
}

// pictureForm is a form as a browser sends it.
func pictureForm(t *testing.T, kind string, content []byte) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	require.NoError(t, form.WriteField("alt", "A wall"))
	part, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="picture"; filename="wall.png"`}, "Content-Type": {kind}})
	require.NoError(t, err)
	_, err = part.Write(content)
	require.NoError(t, err)
	require.NoError(t, form.Close())
	return b.String(), form.FormDataContentType()
}
