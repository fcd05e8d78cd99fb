package validate_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// After each middleware that reads the body, a handler that decodes r.Body itself gets
// io.EOF instead of an unchecked value.
func TestBodyIsConsumed_FV14(t *testing.T) {
	type input struct {
		Name string `json:"name" form:"name" validate:"max=9"`
	}
	for _, row := range []struct {
		name  string
		build func(...validate.Options) (func(http.Handler) http.Handler, error)
		form  bool
	}{
		{"JSON", validate.JSON[input], false}, {"Form", validate.Form[input], true},
		{"Input", validate.Input[struct {
			Body input `body:"json"`
		}], false},
	} {
		t.Run("FV14 "+row.name, func(t *testing.T) {
			middleware := errors.Must(row.build(validate.Options{Logger: quiet}))
			srv := httptest.NewServer(middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var in input
				rest, err := io.ReadAll(r.Body)
				if err == nil && len(rest) == 0 && json.NewDecoder(r.Body).Decode(&in) == io.EOF {
					w.WriteHeader(http.StatusNoContent)
				}
			})))
			t.Cleanup(srv.Close)
			body, header := `{"name":"ada"}`, jsonType()
			if row.form {
				body, header = "name=ada", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
			}
			for _, chunked := range []bool{false, true} {
				var reader io.Reader = strings.NewReader(body)
				if chunked {
					reader = io.MultiReader(reader)
				}
				r, err := http.NewRequest("POST", srv.URL, reader)
				require.NoError(t, err)
				r.Header = header
				res, err := http.DefaultClient.Do(r)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, http.StatusNoContent, res.StatusCode)
			}
		})
	}
}

// An outer middleware that keeps the bytes, as the package comment describes, sees the
// decoded bytes.
func TestOuterMiddlewareCanKeepTheBytes_FV14(t *testing.T) {
	type input struct {
		Name string `json:"name" validate:"max=9"`
	}
	checked := errors.Must(validate.JSON[input](validate.Options{Logger: quiet}))
	var kept, decoded string
	handler := checked(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { decoded = validate.From[input](r.Context()).Name }))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			errors.Respond(w, r, err)
			return
		}
		kept, r.Body = string(raw), io.NopCloser(bytes.NewReader(raw))
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	status, _, _ := send(t, "POST", srv.URL, jsonType(), strings.NewReader(` { "name" : "ada" } `))
	require.Equal(t, 200, status)
	require.Equal(t, ` { "name" : "ada" } `, kept)
	require.Equal(t, "ada", decoded)
}
