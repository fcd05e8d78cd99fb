package errors_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// statusCodes is the table of RFC 9110, section 15.5 and 15.6, with the statuses
// that later RFCs have registered (IANA, HTTP Status Code Registry).
var statusCodes = map[int]string{
	400: "bad_request", 401: "unauthorized", 402: "payment_required", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
	406: "not_acceptable", 407: "proxy_authentication_required", 408: "request_timeout", 409: "conflict", 410: "gone",
	411: "length_required", 412: "precondition_failed", 413: "content_too_large", 414: "uri_too_long", 415: "unsupported_media_type",
	416: "range_not_satisfiable", 417: "expectation_failed", 418: "im_a_teapot", 421: "misdirected_request", 422: "unprocessable_content",
	423: "locked", 424: "failed_dependency", 425: "too_early", 426: "upgrade_required", 428: "precondition_required",
	429: "too_many_requests", 431: "request_header_fields_too_large", 451: "unavailable_for_legal_reasons", 499: "client_closed_request",
	500: "internal_error", 501: "not_implemented", 502: "bad_gateway", 503: "service_unavailable", 504: "gateway_timeout",
	505: "http_version_not_supported", 506: "variant_also_negotiates", 507: "insufficient_storage", 508: "loop_detected",
	510: "not_extended", 511: "network_authentication_required",
}

// A status that a handler writes itself has the code of RFC 9110, and the same
// code as from Respond.
func TestStatusHasOneCode_FE6(t *testing.T) {
	s, _ := serve(t, errors.Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var code int
		_, _ = fmt.Sscan(strings.TrimPrefix(r.URL.Path, "/"), &code)
		http.Error(w, "x", code)
	}))
	for code := 400; code <= 599; code++ {
		want := statusCodes[code]
		switch {
		case want == "" && code < 500:
			want = "client_error"
		case want == "":
			want = "server_error"
		}
		res, body := do(t, s, "GET", fmt.Sprint("/", code), nil)
		require.Equal(t, code, res.StatusCode)
		require.Regexp(t, `^\{"code":"`+want+`","message":"[^"]+\.","correlation_id":"ID"\}\n$`, body)
	}

	t.Run("FE6 an error and a status of the same failure", func(t *testing.T) {
		bodies := make([]string, 2)
		for i, h := range []http.Handler{
			errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return &http.MaxBytesError{Limit: 1} }),
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			}),
		} {
			s, _ := serve(t, errors.Options{}, h)
			_, bodies[i] = do(t, s, "GET", "/", nil)
		}
		require.Equal(t, bodies[0], bodies[1])
	})
}

// RFC 9457, section 4.2.1; RFC 9110, section 15.
func TestProblemTitleIsThePhraseOfTheStatus_FE6(t *testing.T) {
	for code, want := range map[int]string{413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content", 499: "Client Closed Request", 404: "Not Found"} {
		s, _ := serve(t, errors.Options{Problem: true}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", code) }))
		res, body := do(t, s, "GET", "/", nil)
		require.Equal(t, code, res.StatusCode)
		require.Contains(t, body, `{"title":"`+want+`","status":`)
	}
	s, _ := serve(t, errors.Options{Problem: true}, errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return io.EOF }))
	_, body := do(t, s, "GET", "/", nil)
	require.Contains(t, body, `{"title":"Internal Server Error","status":500`)
}
