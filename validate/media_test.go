package validate_test

import (
	"mime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

// FuzzMediaType_FV9 compares media types with package mime, which a handler may
// use on the same header: what both accept has one meaning.
func FuzzMediaType_FV9(f *testing.F) {
	for _, seed := range []string{"application/json;", "text/plain;;charset=utf-8", `multipart/form-data; boundary="a;b\"c"`, "a/b ; c=d ;\t", "a/b;c=\"\\\\\"", "a/b;c*0=d;c*1=e", "a/b;c", "A/B;C=D"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		media, params, ok := validate.ParseMediaType(header)
		theirs, theirParams, err := mime.ParseMediaType(header)
		if !ok || err != nil || strings.Contains(header, "*") { // mime joins the parameters of RFC 2231, which no media type here has
			return
		}
		require.Equal(t, theirs, media)
		require.Len(t, params, len(theirParams))
		for name, value := range theirParams {
			require.Equal(t, value, params[name])
		}
	})
}
