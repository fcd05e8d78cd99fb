package nethttp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// upstream is a service that sends the requested informational responses, and
// then headers that the rings set too.
func upstream(t *testing.T) *url.URL {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, status := range strings.Fields(r.Header.Get("Informational")) {
			h.Set("Link", "</a.css>; rel=preload")
			h.Set("Vary", "Accept")
			h.Set("Content-Security-Policy", "sandbox")
			h.Set("X-Hint", "1")
			w.WriteHeader(map[string]int{"102": 102, "103": 103}[status])
			clear(h)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		h.Set("Link", "</a.css>; rel=preload")
		h.Set("Vary", "Accept")
		h.Set("X-Upstream", "1")
		switch r.URL.Path {
		case "/error":
			w.WriteHeader(http.StatusTeapot)
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/replaced":
			http.Error(w, "a secret", http.StatusInternalServerError)
		case "/silent":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = io.WriteString(w, "body")
		}
	}))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	require.NoError(t, err)
	return u
}

// proxyTo is the standard library's proxy, with its own response for an upstream
// that fails.
func proxyTo(u *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite:      func(p *httputil.ProxyRequest) { p.SetURL(u) },
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) { errors.Respond(w, r, err) },
	}
}

// stableHeaders returns the headers of a response without those that differ between
// responses.
func stableHeaders(res *http.Response) http.Header {
	h := res.Header.Clone()
	for _, name := range []string{"Date", "X-Correlation-Id", "Ratelimit"} {
		for i := range h[name] {
			h[name][i] = "any"
		}
	}
	return h
}

func TestRingHeadersSurviveInformationalResponses_FE2(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: every ring over two versions of HTTP")
	}
	u := upstream(t)
	for version := 1; version <= 2; version++ {
		for _, origin := range []string{page, ""} {
			for _, path := range []string{"/", "/error", "/abort", "/replaced", "/silent"} {
				for _, informational := range []string{"103", "102", "103 103", "102 103 102", "expect"} {
					t.Run(fmt.Sprintf("HTTP/%d origin %q %s behind %s", version, origin, path, informational), func(t *testing.T) {
						x := newWorld(t)
						srv := serve(t, version, x.wrap("/", proxyTo(u)))
						send := func(header http.Header) (*http.Response, string, int) {
							header.Set("Origin", origin)
							if origin == "" {
								header["Origin"] = nil
							}
							seen := 0
							ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
								seen++
								return nil
							}})
							r, err := http.NewRequestWithContext(ctx, "POST", srv.URL+path, strings.NewReader("upload"))
							require.NoError(t, err)
							r.Host = "api.example.com" // an address has no HSTS
							for _, h := range []http.Header{x.header, header} {
								for key, lines := range h {
									r.Header[key] = lines
								}
							}
							res, err := srv.Client().Do(r)
							require.NoError(t, err)
							return res, readAll(t, res), seen
						}
						plain, plainBody, _ := send(http.Header{})
						with := http.Header{"Informational": {informational}}
						if informational == "expect" {
							with = http.Header{"Expect": {"100-continue"}}
						}
						res, body, seen := send(with)
						require.NotZero(t, seen, "the client must see an informational response")
						require.Equal(t, plain.StatusCode, res.StatusCode)
						require.Equal(t, stableHeaders(plain), stableHeaders(res))
						require.Equal(t, len(plainBody), len(body))
						require.Len(t, res.Header["Content-Security-Policy"], 1)
						require.Len(t, res.Header["Strict-Transport-Security"], 1)
						require.Len(t, res.Header["X-Correlation-Id"], 1)
						require.Equal(t, origin != "", len(res.Header["Access-Control-Allow-Origin"]) == 1)
					})
				}
			}
		}
	}
}

// With a handler outside the Responder, more rings than a HeaderRecord holds,
// and a proxy that hijacks the connection.
func TestOuterHeadersSurviveInformationalResponses_FE2(t *testing.T) {
	u := upstream(t)
	x := newWorld(t)
	h := x.wrap("/", func() http.Handler {
		h := proxyTo(u)
		for i := range 6 {
			secure := errors.Must(headers.New(headers.Options{HTTPS: headers.InsecureAllowHTTP, Extra: http.Header{fmt.Sprintf("X-Ring-%d", i): {"a", "b"}}}))
			h = secure.Handler(h)
		}
		return h
	}())
	srv := serve(t, 1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Outer", "1")
		w.Header().Add("Vary", "Accept-Encoding")
		w.Header().Add("Vary", "Cookie")
		h.ServeHTTP(w, r)
	}))
	plain := x.send(t, srv, "GET", "/", nil, nil)
	readAll(t, plain)
	require.Equal(t, []string{"Accept-Encoding", "Cookie", "Origin", "Accept"}, plain.Header["Vary"])
	require.Equal(t, []string{"a", "b"}, plain.Header["X-Ring-5"])
	res := x.send(t, srv, "GET", "/", nil, http.Header{"Informational": {"103 102"}})
	readAll(t, res)
	require.Equal(t, stableHeaders(plain), stableHeaders(res))
}

// The lines of a 103 are not sent again with the final response.
func TestDeletedOuterHeaderStaysDeletedAfterInformationalResponses_FE2(t *testing.T) {
	proxied := func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Del("Set-Cookie") // of a handler further out
		h.Add("Set-Cookie", "upstream=1")
		w.WriteHeader(http.StatusEarlyHints)
		clear(h) // as httputil.ReverseProxy does
		w.Header().Add("Set-Cookie", "upstream=1")
		w.WriteHeader(http.StatusNoContent)
	}
	inner := errors.Must(errors.NewResponder(errors.Options{})).Handler(http.HandlerFunc(proxied))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "outer=1")
		inner.ServeHTTP(w, r)
	}))
	defer srv.Close()
	res, err := srv.Client().Get(srv.URL)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, []string{"upstream=1"}, res.Header["Set-Cookie"], "a line of the upstream is not taken for one of the handler further out")
}

func TestUpgradeAfterAnInformationalResponseHasTheRingHeaders_FE2(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() { // a service that sends 103 before it switches protocols
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nping")
	}()
	x := newWorld(t)
	srv := serve(t, 1, x.wrap("/", proxyTo(&url.URL{Scheme: "http", Host: listener.Addr().String()})))
	conn := dial(t, srv)
	_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", x.header.Get("Authorization"))
	require.NoError(t, err)
	b := bufio.NewReader(conn)
	for _, status := range []int{103, 101} {
		res, err := http.ReadResponse(b, nil)
		require.NoError(t, err)
		require.Equal(t, status, res.StatusCode)
		require.Len(t, res.Header["Content-Security-Policy"], 1)
		require.Equal(t, status == 103, len(res.Header["Link"]) == 1)
	}
	ping := make([]byte, 4)
	_, err = io.ReadFull(b, ping)
	require.NoError(t, err)
	require.Equal(t, "ping", string(ping))
}
