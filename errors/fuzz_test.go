package errors_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

var (
	inboundID   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}\z`)
	traceparent = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?\z`)
)

// naiveTrace is the rule of W3C Trace Context, section 3.2.
func naiveTrace(line string) any {
	m := traceparent.FindStringSubmatch(strings.ReplaceAll(line, "\n", " ")) // "." is any byte of a line
	if m == nil || m[1] == "ff" || m[1] == "00" && m[4] != "" || strings.Trim(m[2], "0") == "" || strings.Trim(m[3], "0") == "" {
		return nil
	}
	return m[2]
}

// FuzzResponse sends hostile text in every input that the package reads. Every
// failure must have exactly three members and one log record, and an adopted ID
// must match a regular expression.
func FuzzResponse(f *testing.F) {
	f.Add("/a?b=c", "id", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "text")
	f.Add("//%2e", "\x00", "ff-", "password=\"")
	f.Add(strings.Repeat("/a", 600), "somebody", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", "Cookie: a\n")
	f.Fuzz(func(t *testing.T, path, id, trace, text string) {
		var log bytes.Buffer
		h := errors.Must(errors.NewResponder(errors.Options{
			Logger: slog.New(slog.NewJSONHandler(&log, nil)), TrustCorrelation: func(*http.Request) bool { return true },
		})).Handler(errors.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error { return fmt.Errorf("%s", r.Header.Get("Text")) }))
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		r.Header = http.Header{"X-Correlation-Id": {id}, "Traceparent": {trace}, "Text": {text}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)

		var body map[string]string
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
		require.Len(t, body, 3)
		require.Equal(t, "internal_error", body["code"])
		require.Equal(t, w.Header().Get("X-Correlation-Id"), body["correlation_id"])
		if inboundID.MatchString(id) {
			require.Equal(t, id, body["correlation_id"])
		} else {
			require.Regexp(t, "^[0-9a-f]{32}$", body["correlation_id"])
		}
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("\n")))
		var record map[string]any
		require.NoError(t, json.Unmarshal(log.Bytes(), &record))
		require.Equal(t, naiveTrace(trace), record["trace_id"])
		require.Equal(t, body["correlation_id"], record["correlation_id"])
		require.LessOrEqual(t, len([]rune(record["route"].(string))), 256)
		require.NotContains(t, record, "client_correlation_id")
	})
}
