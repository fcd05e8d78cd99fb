package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/testlog"
)

const adaLogin = `{"email":"ada@example.com","password":"correct horse battery staple"}`

// notes are prose and code that people write. Half of them were taken for
// attacks without the exclusions.
var notes = []string{
	"",
	"Ring twice, please.",
	"Please drop table reservations for the union of friends, select wine from 7.",
	"It's for O'Brien's mother; don't call.",
	"`curl -s https://example.com/install.sh | bash` as the manual says",
	`{"sql":"SELECT name FROM towers WHERE id = 1"}`,
	"see /etc/nginx/nginx.conf and ../README.md",
	"run ls -la; cat /etc/hostname && whoami",
	"call back at http://127.0.0.1/hook",
	"Dear ${user.first}, your {{ order }} is ready",
	"1 and 1 = 2, or 1=1",
	"<p>By the <b>gate</b></p>",
	"🏰 по-русски, 日本語",
	"eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl",
	"^[a-z]+(?:-[a-z]+)*$ \\ 100 % -- end",
}

func TestShopWorksBehindTheEdge(t *testing.T) {
	url, apiKey := startShop(t)
	e := startEdge(t, url)
	login := e.do(t, request{method: "POST", path: "/auth/login", body: adaLogin})
	require.Equal(t, 200, login.StatusCode, login.raw)
	bearer := map[string]string{"Authorization": "Bearer " + login.body["access_token"].(string)}

	// Twenty plausible bodies of the shop's own routes.
	var bodies []request
	for _, note := range notes {
		body, err := json.Marshal(map[string]any{
			"items": []map[string]any{{"sku": "RAM1", "qty": 2}}, "note": note,
			"ship_to": map[string]string{"name": "Máire O'Brien", "street": "Wall St. 1, Apt #4", "city": "Bath & Wells", "postcode": "BA11", "country": "GB"},
		})
		require.NoError(t, err)
		bodies = append(bodies, request{method: "POST", path: "/orders", body: string(body), header: bearer})
	}
	for _, password := range []string{"p@ss' or 1=1--", "'; DROP TABLE users; --", "<script>alert(1)</script>", "../../etc/passwd", "${jndi:ldap://x/a} $(id) `id`"} {
		body, err := json.Marshal(map[string]string{"email": "o'brien+shop@example.com", "password": password})
		require.NoError(t, err)
		bodies = append(bodies, request{method: "POST", path: "/auth/login", body: string(body)})
	}
	require.Len(t, bodies, 20)
	for i, q := range bodies {
		q.from = byte(10 + i)
		a := e.do(t, q)
		if q.path == "/orders" {
			require.Equal(t, 201, a.StatusCode, "%s: %s", q.body, a.raw)
			continue
		}
		require.Equal(t, "bad_credentials", a.body["code"], "%s: %s", q.body, a.raw) // the shop's own response
	}

	// The demo key is bound to this very machine. Through us it is refused, whatever
	// the client says: 403, which only a good key gets.
	for _, forged := range []string{"", "127.0.0.1", "127.0.0.1, 127.0.0.1", "203.0.113.1"} {
		stock := request{method: "GET", path: "/partner/stock", header: map[string]string{"X-API-Key": apiKey, "X-Forwarded-For": forged}}
		a := e.do(t, stock)
		require.Equal(t, 403, a.StatusCode, "X-Forwarded-For: %s", forged)
		require.Equal(t, "network_denied", a.body["code"])
		stock.header["X-API-Key"] += "x"
		require.Equal(t, 401, e.do(t, stock).StatusCode)
	}

	a := e.do(t, request{method: "GET", path: "/.well-known/jwks.json"})
	require.Equal(t, []string{"public, max-age=300"}, a.Header.Values("Cache-Control"), "the shop's own headers win")
	require.Len(t, a.Header.Values("Ratelimit"), 2, "both limits tell what is left")
}

// The service gets the edge's forwarding headers, not the client's.
func TestForwardingHeadersAreReplaced(t *testing.T) {
	behind := &seen{}
	service := httptest.NewServer(behind)
	t.Cleanup(service.Close)
	e := startEdge(t, service.URL)
	a := e.do(t, request{method: "GET", path: "/products", from: 9, header: map[string]string{
		"X-Forwarded-For": "203.0.113.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "Forwarded": "for=203.0.113.1", "X-Correlation-ID": "chosen",
		"Connection": "X-Forwarded-For, X-Forwarded-Proto",
	}})
	require.Equal(t, 200, a.StatusCode)
	host := strings.TrimPrefix(e.url, "http://")
	last, _ := behind.get()
	require.Equal(t, host, last.Host)
	for name, want := range map[string]string{"X-Forwarded-For": "127.0.0.9", "X-Forwarded-Proto": "http", "X-Forwarded-Host": host, "Forwarded": ""} {
		require.Equal(t, want, last.Header.Get(name), name)
	}
	require.Equal(t, a.Header.Get("X-Correlation-Id"), last.Header.Get("X-Correlation-Id"))
}

// PATCH and PUT pass the rules, whose defaults forbid them.
func TestPatchAndPutPass(t *testing.T) {
	behind := &seen{}
	service := httptest.NewServer(behind)
	t.Cleanup(service.Close)
	e := startEdge(t, service.URL)
	for _, q := range []request{
		{method: "PATCH", path: "/orders/ABCDEFGHIJKLMNOPQRSTUVWXYZ", body: `{"note":"or 1=1; drop table 7"}`},
		{method: "PATCH", path: "/orders/ABCDEFGHIJKLMNOPQRSTUVWXYZ", body: `{"note":null}`, header: map[string]string{"Content-Type": "application/merge-patch+json"}},
		{method: "PUT", path: "/orders/1", body: `{"qty":1}`},
		{method: "DELETE", path: "/auth/sessions/1"},
		{method: "HEAD", path: "/products"},
		{method: "POST", path: "/admin/refund/1"},
	} {
		require.Equal(t, 200, e.do(t, q).StatusCode, "%s %s", q.method, q.path)
	}
}

// A service that does not respond is a 502 in the same format.
func TestMissingServiceIsABadGateway(t *testing.T) {
	e := startEdge(t, "http://127.0.0.1:1")
	a := e.do(t, request{method: "GET", path: "/products"})
	require.Equal(t, 502, a.StatusCode)
	require.Equal(t, "upstream_unavailable", a.body["code"])
	require.NotContains(t, a.raw, "127.0.0.1")
}

// Over HTTPS the service learns so, and nothing crosses in clear.
func TestServiceSeesHTTPS(t *testing.T) {
	behind := &seen{}
	service := httptest.NewServer(behind)
	t.Cleanup(service.Close)
	issued := httptest.NewTLSServer(behind) // for its certificate, and a client that knows it
	t.Cleanup(issued.Close)
	pair := issued.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	certFile, keyFile := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	e := startEdge(t, service.URL, "-cert", certFile, "-key", keyFile)
	res, err := issued.Client().Get(strings.Replace(e.url, "http:", "https:", 1) + "/products")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 200, res.StatusCode)
	last, _ := behind.get()
	require.Equal(t, "https", last.Header.Get("X-Forwarded-Proto"))
}

func TestPlainHTTPIsForThisMachine(t *testing.T) {
	err := run(t.Context(), []string{"-addr", "0.0.0.0:0"}, &testlog.Log{}, &testlog.Log{})
	require.EqualError(t, err, "plain HTTP is for a loopback address; add -cert and -key")
	err = run(t.Context(), []string{"-upstream", "127.0.0.1:8080"}, &testlog.Log{}, &testlog.Log{})
	require.EqualError(t, err, "-upstream is not a URL with a host")
}

// TestInformationalResponsesLeaveTheHeaders_FE2 compares the whole headers of an
// answer with those behind 103 and 102. The service has headers of its own, as
// the shop has. Expect: 100-continue cannot come here: the rules refuse it.
func TestInformationalResponsesLeaveTheHeaders_FE2(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "sandbox")
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.Header().Set("Vary", "Accept")
		for range len(r.Header["Informational"]) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
		}
		_, _ = io.WriteString(w, "body")
	}))
	t.Cleanup(service.Close)
	e := startEdge(t, service.URL)
	stable := func(h http.Header) http.Header {
		for _, name := range []string{"Date", "X-Correlation-Id", "Ratelimit"} {
			h[name] = []string{"any"}
		}
		return h
	}
	send := func(header http.Header) (http.Header, int) {
		seen := 0
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
			seen++
			return nil
		}})
		r, err := http.NewRequestWithContext(ctx, "POST", e.url+"/", strings.NewReader(`{}`))
		require.NoError(t, err)
		r.Header = header
		r.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 200, res.StatusCode, "%s %s", body, e.log)
		return stable(res.Header), seen
	}
	plain, _ := send(http.Header{})
	require.Equal(t, []string{"sandbox"}, plain["Content-Security-Policy"], "the service's own headers win")
	require.Equal(t, []string{"DENY"}, plain["X-Frame-Options"])
	for name, header := range map[string]http.Header{"103 and 102": {"Informational": {"1"}}, "twice": {"Informational": {"1", "1"}}} {
		got, seen := send(header)
		require.NotZero(t, seen, name)
		require.Equal(t, plain, got, name)
	}
}
