package validate_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

func zip(t testing.TB, text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestGzipIsLimited(t *testing.T) {
	type note struct {
		Text string `json:"text" validate:"max=100"`
	}
	srv := serve[note](t, validate.Options{Gzip: true, Limits: validate.Limits{Body: 64 << 10}})
	good := zip(t, `{"text":"a"}`)
	for _, row := range []struct {
		name, body string
		encodings  []string
		status     int
		code       string
	}{
		{"VT9 a bomb of 16 MiB", zip(t, `{"text":"`+strings.Repeat("a", 1<<24)), []string{"gzip"}, 413, "input_too_large"},
		{"VT9 a bomb of depth", zip(t, strings.Repeat("[", 1<<20)), []string{"gzip"}, 413, "input_too_large"},
		{"VT9 empty members without end", strings.Repeat(zip(t, ""), 10_000), []string{"gzip"}, 413, "input_too_large"},
		{"VT9 not compressed", `{"text":"a"}`, []string{"gzip"}, 400, "malformed_input"},
		{"VT9 cut", good[:len(good)-6], []string{"gzip"}, 400, "malformed_input"},
		{"VT9 a wrong checksum", good[:len(good)-8] + "abcd" + good[len(good)-4:], []string{"gzip"}, 400, "malformed_input"},
		{"VT9 data behind it", good + "x", []string{"gzip"}, 400, "malformed_input"},
		{"VT9 a second value behind it", good + good, []string{"gzip"}, 400, "malformed_input"},
		{"VT9 twice", zip(t, good), []string{"gzip, gzip"}, 415, "unsupported_media_type"},
		{"VT9 two lines", good, []string{"gzip", "gzip"}, 415, "unsupported_media_type"},
		{"VT9 another encoding", good, []string{"br"}, 415, "unsupported_media_type"},
		{"VT9 empty", "", []string{"gzip"}, 400, "malformed_input"},
		{"VT9 compressed", good, []string{"gzip"}, 200, ""},
		{"VT9 in upper case", good, []string{"GZIP"}, 200, ""},
		{"FV9 x-gzip", good, []string{"x-gzip"}, 200, ""},
		{"FV9 identity and gzip", good, []string{"identity, gzip"}, 200, ""},
		{"FV9 gzip with empty elements", good, []string{", GZip ,"}, 200, ""},
		{"FV9 x-gzip and gzip", zip(t, good), []string{"x-gzip", "gzip"}, 415, "unsupported_media_type"},
		{"FV9 identity", `{"text":"a"}`, []string{"identity"}, 200, ""},
		{"FV9 x-gzip that is not compressed", `{"text":"a"}`, []string{"x-gzip"}, 400, "malformed_input"},
		{"FV9 a bomb as x-gzip", zip(t, strings.Repeat("[", 1<<20)), []string{"x-gzip"}, 413, "input_too_large"},
		{"VT9 not encoded", `{"text":"a"}`, nil, 200, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			header := jsonType()
			if row.encodings != nil {
				header["Content-Encoding"] = row.encodings
			}
			status, code, message := send(t, "POST", srv.URL, header, strings.NewReader(row.body))
			require.Equal(t, row.status, status, message)
			require.Equal(t, row.code, code)
		})
	}
	t.Run("not switched on", func(t *testing.T) {
		header := http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}
		status, _, _ := send(t, "POST", serve[note](t, validate.Options{}).URL, header, strings.NewReader(good))
		require.Equal(t, 415, status)
	})
}
