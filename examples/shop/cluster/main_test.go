package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// The whole program, as the README describes it, with the expected numbers.
func TestClusterKeepsItsPromises(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: starts three shops")
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("RINGWALL_REQUIRE_SERVERS") != "" {
			require.NoError(t, err)
		}
		t.Skip("needs redis-server, which is not installed")
	}
	out := new(bytes.Buffer)
	require.NoError(t, run(t.Context(), []string{"-once", "-addr", "127.0.0.1:0"}, out))
	t.Log(out.String())
	require.NotContains(t, out.String(), "Ctrl-C", "it has ended")
	rows := regexp.MustCompile(`(?m)^(.+?)  +(\S.*?)  +(\S.*)$`).FindAllStringSubmatch(out.String(), -1)
	require.Len(t, rows, 9)
	for _, row := range rows[1:] { // below the headings
		want, _, _ := strings.Cut(row[2], " (")
		want = strings.TrimSuffix(want, " in a minute")
		if want == "less than 1s" {
			require.Regexp(t, `^\d+ms$`, row[3], row[1])
			continue
		}
		require.Equal(t, want, row[3], row[1])
	}
}

// The program runs until it is interrupted, and prints that.
func TestClusterServesUntilItIsInterrupted_FD3(t *testing.T) {
	out, in := io.Pipe()
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-to", mirror(t, "one").String()}, in)
		_ = in.Close()
	}()
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	front, found := strings.CutPrefix(lines.Text(), "The load balancer listens on ")
	require.True(t, found, lines.Text())
	front, _, _ = strings.Cut(front, ",")
	require.True(t, lines.Scan())
	require.Equal(t, "Ctrl-C ends it", lines.Text())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}} // the certificate is made at start
	response, err := client.Get(front)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	interrupt()
	require.NoError(t, <-ended)
	require.False(t, lines.Scan())
}

// mirror responds with the request that it got.
func mirror(t *testing.T, name string) *url.URL {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, key := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip"} {
			w.Header()["Saw-"+key] = r.Header[key]
		}
		w.Header().Set("Saw-Host", r.Host)
		_, _ = w.Write(append([]byte(name+" "), body...))
	}))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	require.NoError(t, err)
	return u
}

// nobody returns an address without a listener.
func nobody(t *testing.T) *url.URL {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return &url.URL{Scheme: "http", Host: l.Addr().String()}
}

func ask(h http.Handler, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "https://localhost:8443/orders", strings.NewReader("body"))
	r.RemoteAddr, r.TLS = "203.0.113.7:1234", new(tls.ConnectionState)
	for key, values := range header {
		r.Header[key] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A client cannot choose its address and scheme.
func TestForwardingHeadersAreOurs(t *testing.T) {
	w := ask(balance([]*url.URL{mirror(t, "one")}), http.Header{
		"X-Forwarded-For": {"127.0.0.1", "10.0.0.1"}, "X-Forwarded-Proto": {"http"}, "Forwarded": {"for=127.0.0.1"},
	})
	require.Equal(t, []string{"203.0.113.7"}, w.Header()["Saw-X-Forwarded-For"])
	require.Equal(t, []string{"https"}, w.Header()["Saw-X-Forwarded-Proto"])
	require.Empty(t, w.Header()["Saw-Forwarded"])
	require.Equal(t, "localhost:8443", w.Header().Get("Saw-Host"))
}

func TestBalancerTakesTurns(t *testing.T) {
	h := balance([]*url.URL{mirror(t, "one"), nobody(t), mirror(t, "two")})
	tally := map[string]int{}
	for range 30 {
		tally[ask(h, nil).Body.String()]++
	}
	require.Equal(t, 30, tally["one body"]+tally["two body"], "the whole body, although a shop was away: %v", tally)
	require.GreaterOrEqual(t, tally["one body"], 10)
	require.GreaterOrEqual(t, tally["two body"], 10)

	w := ask(balance([]*url.URL{nobody(t)}), nil)
	require.Equal(t, 502, w.Code)
	require.Contains(t, w.Body.String(), `"code":"no_shop"`)
	require.NotContains(t, w.Body.String(), "refused")
}

// The headers of a shop's rings pass the balancer whole, whatever comes before
// them.
func TestInformationalResponsesLeaveTheHeaders_FE2(t *testing.T) {
	failures := errors.Must(errors.NewResponder(errors.Options{}))
	secure := errors.Must(headers.New(headers.Options{HTTPS: headers.InsecureAllowHTTP}))
	shop := httptest.NewServer(failures.Handler(secure.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Informational") != "" {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
		}
		_, _ = io.Copy(w, r.Body)
	}))))
	t.Cleanup(shop.Close)
	u, err := url.Parse(shop.URL)
	require.NoError(t, err)
	for version := 1; version <= 2; version++ {
		front := httptest.NewUnstartedServer(balance([]*url.URL{u}))
		front.EnableHTTP2 = version == 2
		front.StartTLS()
		t.Cleanup(front.Close)
		send := func(header http.Header) http.Header {
			r, err := http.NewRequestWithContext(t.Context(), "POST", front.URL, strings.NewReader("body"))
			require.NoError(t, err)
			r.Header = header
			res, err := front.Client().Do(r)
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, "body", string(body))
			require.Equal(t, version, res.ProtoMajor)
			for _, name := range []string{"Date", "X-Correlation-Id"} {
				require.Len(t, res.Header[name], 1)
				res.Header.Del(name)
			}
			return res.Header
		}
		plain := send(http.Header{})
		require.Equal(t, []string{"DENY"}, plain["X-Frame-Options"])
		require.Equal(t, plain, send(http.Header{"Informational": {"1"}}))
		require.Equal(t, plain, send(http.Header{"Expect": {"100-continue"}}))
	}
}

// A shop without an API key, because its Redis is missing, is reported and ended:
// the line with the key never comes.
func TestShopWithoutKeyIsReported(t *testing.T) {
	shop := filepath.Join(t.TempDir(), "shop")
	script := "#!/bin/sh\necho broken >&2\nprintf '%s\\n' 'The shop listens on http://127.0.0.1:1' 'API key, from 127.0.0.1 and ::1 alone:' '  none: see the log' '' 'Try:'\nexec sleep 600\n"
	require.NoError(t, os.WriteFile(shop, []byte(script), 0o700))
	b := &backstage{dir: t.TempDir()}
	t.Cleanup(b.stop)
	require.EqualError(t, b.startShop(0, shop), "shop 1 has no API key: broken\n")
}
