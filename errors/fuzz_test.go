package errors_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// FuzzResponse sends hostile text through every input that errors reads. Every
// failure is exactly three members, and the ID is one that may be trusted.
func FuzzResponse(f *testing.F) {
	f.Add("/a?b=c", "id", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "text")
	f.Add("//%2e", "\x00", "ff-", "password=\"")
	h := errors.Must(errors.NewResponder(errors.Options{Logger: new(journal).logger(), TrustCorrelation: func(*http.Request) bool { return true }})).Handler(
		errors.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error { return fmt.Errorf("%s", r.Header.Get("Text")) }))
	f.Fuzz(func(t *testing.T, path, id, trace, text string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		r.Header = http.Header{"X-Correlation-Id": {id}, "Traceparent": {trace}, "Text": {text}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var body map[string]string
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
		require.Len(t, body, 3)
		require.Equal(t, "internal_error", body["code"])
		require.Regexp(t, `^[A-Za-z0-9._-]{1,64}$`, body["correlation_id"])
		require.Equal(t, w.Header().Get("X-Correlation-Id"), body["correlation_id"])
	})
}
