// Package table checks that the services of examples/stdlib, examples/chi and
// examples/gorilla give the same responses: the router must make no difference.
//
// It does not check the decisions of the routers: HEAD, paths with "//", and the
// members of Allow.
package table

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Run serves srv on a free port of the loopback address, and plays the table.
func Run(t *testing.T, srv *http.Server) {
	t.Helper()
	for name, bound := range map[string]time.Duration{"ReadHeaderTimeout": srv.ReadHeaderTimeout, "ReadTimeout": srv.ReadTimeout, "IdleTimeout": srv.IdleTimeout} {
		require.NotZero(t, bound, name)
	}
	require.Greater(t, srv.WriteTimeout, srv.ReadTimeout, "it begins with the request's headers")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, srv.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	p := &player{url: "http://" + listener.Addr().String(), known: make(map[string]string)}
	for _, row := range rows() {
		t.Run(row.name, func(t *testing.T) { p.play(t, row) })
	}
	t.Run("headers of 64 KiB are refused before any ring", func(t *testing.T) { tooManyHeaders(t, listener.Addr().String()) })
}

// A row is a request, and the expected response.
type row struct {
	name         string
	method, path string // {order}, and its parts {hex} and {rest}, stand for values of earlier responses
	body         string
	as           string            // whose access token is sent
	from         string            // the client's address; empty means a new one
	header       map[string]string // an empty value removes a default header
	status       int
	want         string   // the code of an error, or the JSON of a response with placeholders
	extra        []string // headers in addition to those of all responses; "-" before a missing one, "?" before an optional one
	keep         string   // the name under which the response is stored: a token and a cookie, or order
}

// player stores the responses of earlier rows.
type player struct {
	url    string
	known  map[string]string
	played int
}

// always lists the headers of every response.
var always = http.Header{
	"Cache-Control":                {"no-store"},
	"Content-Security-Policy":      {"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Referrer-Policy":              {"no-referrer"},
	"Strict-Transport-Security":    {"max-age=63072000; includeSubDomains"},
	"X-Content-Type-Options":       {"nosniff"},
	"X-Frame-Options":              {"DENY"},
}

func (p *player) play(t *testing.T, row row) {
	res, raw := p.send(t, row)
	require.Equal(t, row.status, res.StatusCode, "%s", raw)
	p.checkHeaders(t, row, res)
	switch {
	case row.want == "":
		require.Empty(t, string(raw))
	case row.status >= 400:
		id := res.Header.Get("X-Correlation-Id")
		require.Len(t, id, 32)
		var got map[string]string
		require.NoError(t, json.Unmarshal(raw, &got), "%s", raw)
		require.Equal(t, map[string]string{"code": row.want, "message": got["message"], "correlation_id": id}, got)
		require.NotEmpty(t, got["message"])
	default:
		var got map[string]any
		require.NoError(t, json.Unmarshal(raw, &got), "%s", raw)
		p.remember(t, row, got, res)
		want, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, p.fill(row.want), string(want))
	}
}

// send sends the request of a row like a proxy that terminates TLS.
func (p *player) send(t *testing.T, row row) (*http.Response, []byte) {
	t.Helper()
	p.played++
	r, err := http.NewRequest(row.method, p.url+p.fill(row.path), strings.NewReader(p.fill(row.body)))
	require.NoError(t, err)
	r.Host = "api.example.com"
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", p.played))
	if row.from != "" {
		r.Header.Set("X-Forwarded-For", row.from)
	}
	if row.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if row.as != "" {
		require.NotEmpty(t, p.known["token of "+row.as], "an earlier row failed")
		r.Header.Set("Authorization", "Bearer "+p.known["token of "+row.as])
	}
	for name, value := range row.header {
		r.Header.Set(name, p.fill(value))
		if value == "" {
			r.Header.Del(name)
		}
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host // net/http sends no other
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	require.NoError(t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res, raw
}

// checkHeaders compares the whole header map: the values of the common headers,
// and the names of the rest.
func (p *player) checkHeaders(t *testing.T, row row, res *http.Response) {
	t.Helper()
	got := res.Header.Clone()
	for _, name := range []string{"Date", "Content-Length", "X-Correlation-Id"} {
		got.Del(name)
	}
	want := always.Clone()
	for _, name := range row.extra {
		name, absent := strings.CutPrefix(name, "-")
		if absent {
			want.Del(name)
			continue
		}
		name, free := strings.CutPrefix(name, "?")
		require.True(t, free || len(got[name]) > 0, name)
		if len(got[name]) > 0 {
			want[name] = got[name]
		}
	}
	if len(res.Header["Content-Type"]) > 0 {
		require.Equal(t, []string{"application/json"}, res.Header["Content-Type"])
		want.Set("Content-Type", "application/json")
	}
	require.Equal(t, want, got, "headers: %v", slices.Sorted(maps.Keys(got)))
}

// remember stores the values of a response that later rows need, and replaces them by
// placeholders.
func (p *player) remember(t *testing.T, row row, got map[string]any, res *http.Response) {
	t.Helper()
	switch row.keep {
	case "":
	case "order":
		id, _ := got["id"].(string)
		require.Len(t, id, 26)
		require.Equal(t, "/orders/"+id, res.Header.Get("Location"))
		p.known["order"], p.known["hex"], p.known["rest"] = id, fmt.Sprintf("%X", id[0]), id[1:]
	default:
		token, _ := got["access_token"].(string)
		require.Len(t, strings.Split(token, "."), 3)
		require.Len(t, res.Cookies(), 1)
		cookie := res.Cookies()[0]
		require.True(t, cookie.HttpOnly && cookie.Secure && cookie.SameSite == http.SameSiteStrictMode && cookie.Path == "/" && cookie.Domain == "")
		p.known["token of "+row.keep], p.known["cookie of "+row.keep] = token, cookie.Name+"="+cookie.Value
		require.InDelta(t, 299, got["expires_in"], 5, "5 minutes, of which some seconds are gone")
		got["access_token"], got["expires_in"] = "a token", "5 minutes"
	}
}

// fill replaces names in braces by their values.
func (p *player) fill(text string) string {
	for name, value := range p.known {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// tooManyHeaders uses its own connection: net/http responds with 431 itself,
// without the headers of the rings, while the client still writes.
func tooManyHeaders(t *testing.T, addr string) {
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, _ = io.WriteString(conn, "GET /orders/1 HTTP/1.1\r\nHost: api.example.com\r\nX-Padding: "+strings.Repeat("a", 64<<10)+"\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, res.StatusCode)
}
