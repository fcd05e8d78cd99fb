package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestService(t *testing.T) {
	srv := httptest.NewServer(handler(func(name, password string) bool { return password == "right" }))
	t.Cleanup(srv.Close)
	bearer := ""
	for _, row := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"anonymous", "GET", "/notes/1", "", 401, "auth_required"},
		{"a wrong password", "POST", "/login", `{"name":"ada","password":"wrong"}`, 401, "bad_credentials"},
		{"an unknown member", "POST", "/login", `{"name":"ada","password":"right","admin":true}`, 422, "invalid_input"},
		{"a login", "POST", "/login", `{"name":"ada","password":"right"}`, 200, "access_token"},
		{"one's own note", "GET", "/notes/1", "", 200, "drawbridge"},
		{"another's note", "GET", "/notes/2", "", 404, "note_not_found"},
		{"no note", "GET", "/notes/3", "", 404, "note_not_found"},
		{"no number", "GET", "/notes/x", "", 400, "malformed_input"},
		{"no route", "GET", "/nowhere", "", 404, "not_found"},
		{"no method", "DELETE", "/notes/1", "", 405, "method_not_allowed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := http.NewRequest(row.method, srv.URL+row.path, strings.NewReader(row.body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			if bearer != "" {
				r.Header.Set("Authorization", "Bearer "+bearer)
			}
			res, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			raw, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, row.status, res.StatusCode, "%s", raw)
			require.Contains(t, string(raw), row.want)
			require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
			var body map[string]string
			if json.Unmarshal(raw, &body) == nil && body["access_token"] != "" {
				bearer = body["access_token"]
			}
		})
	}
}
