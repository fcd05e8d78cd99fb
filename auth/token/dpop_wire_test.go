package token_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// proofNow returns a proof of now for a URL.
func proofNow(t testing.TB, text, url, id string) string {
	t.Helper()
	return proofOf(t, token.ES256, text, nil, object{"htu": url, "jti": id, "iat": time.Now().Unix()})
}

// boundNow returns a token of now that is bound to the ES256 key.
func boundNow(t *testing.T) string {
	t.Helper()
	return signNow(t, object{"cnf": object{"jkt": errors.Must(token.Thumbprint(signer(token.ES256).Public()))}})
}

// dpopService returns a service that requires proofs.
func dpopService(t *testing.T, o token.DPoPOptions) http.Handler {
	t.Helper()
	o.Required = true
	v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}, DPoP: errors.Must(token.NewDPoP(o))}))
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{v}}))
	return callers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := auth.From(r.Context())
		_, _ = io.WriteString(w, r.Proto+" "+p.Subject())
	}))
}

func TestProofsWorkOverBothVersionsOfHTTP(t *testing.T) {
	server := httptest.NewUnstartedServer(dpopService(t, token.DPoPOptions{}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	text := boundNow(t)
	for _, row := range []struct {
		name, proto string
		http2       bool
	}{{name: "HTTP/1.1", proto: "HTTP/1.1"}, {name: "HTTP/2", proto: "HTTP/2.0", http2: true}} {
		t.Run(row.name, func(t *testing.T) {
			transport := server.Client().Transport.(*http.Transport).Clone()
			transport.ForceAttemptHTTP2 = row.http2
			if !row.http2 {
				transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
				transport.Protocols = new(http.Protocols)
				transport.Protocols.SetHTTP1(true)
			}
			defer transport.CloseIdleConnections()
			call := func(proof string) (int, string) {
				req := errors.Must(http.NewRequest(http.MethodGet, server.URL+"/orders?page=2", nil))
				req.Header.Set("Authorization", "DPoP "+text)
				req.Header.Set("DPoP", proof)
				res := errors.Must((&http.Client{Transport: transport}).Do(req))
				defer func() { _ = res.Body.Close() }()
				return res.StatusCode, string(errors.Must(io.ReadAll(res.Body)))
			}
			proof := proofNow(t, text, server.URL+"/orders", row.name)
			status, body := call(proof)
			require.Equal(t, 200, status)
			require.Equal(t, row.proto+" ada", body)
			status, _ = call(proof)
			require.Equal(t, 401, status, "a proof works once")
			status, _ = call(proofNow(t, text, server.URL+"/other", row.name+"2"))
			require.Equal(t, 401, status)
		})
	}
}

// TestProofsAreVerifiedBehindAProxy sends requests as a proxy does that terminates TLS: the URL of
// the client is in its headers, and only the listed proxy is trusted.
func TestProofsAreVerifiedBehindAProxy(t *testing.T) {
	forwarded := errors.Must(headers.NewForwarded(headers.ForwardedOptions{
		Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Proto: "X-Forwarded-Proto", Host: "X-Forwarded-Host",
	}))
	server := httptest.NewServer(dpopService(t, token.DPoPOptions{Scheme: forwarded.Scheme, Host: forwarded.Host}))
	defer server.Close()
	text := boundNow(t)
	for _, row := range []struct {
		name, url string
		status    int
	}{
		{name: "URL of the client", url: "https://api.example.com/orders", status: 200},
		{name: "URL of the service behind the proxy", url: server.URL + "/orders", status: 401},
		{name: "plain HTTP", url: "http://api.example.com/orders", status: 401},
		{name: "another host", url: "https://evil.example/orders", status: 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			req := errors.Must(http.NewRequest(http.MethodGet, server.URL+"/orders", nil))
			req.Header.Set("X-Forwarded-For", "192.0.2.1")
			req.Header.Set("X-Forwarded-Proto", "https")
			req.Header.Set("X-Forwarded-Host", "api.example.com")
			req.Header.Set("Authorization", "DPoP "+text)
			req.Header.Set("DPoP", proofNow(t, text, row.url, row.name))
			res := errors.Must(server.Client().Do(req))
			_ = res.Body.Close()
			require.Equal(t, row.status, res.StatusCode)
		})
	}
}

// TestProvidersOutageIsNeverA401 rotates keys, stops and slows a provider while requests
// run, and counts its fetches.
func TestProvidersOutageIsNeverA401(t *testing.T) {
	t.Parallel()
	p := newOP(t)
	r := p.remote(t, nil)
	token.SetPace(r, 20*time.Millisecond, 100*time.Millisecond, 0)
	v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: r, Audience: []string{audience}, CacheEntries: -1}))
	text := signNow(t, object{"iss": p.URL})
	count := map[string]int{}
	longest := time.Duration(0)
	call := func() {
		began := time.Now()
		_, err := v.Verify(t.Context(), text)
		longest = max(longest, time.Since(began))
		switch {
		case err == nil:
			count["accepted"]++
		case errors.Is(err, auth.ErrUnavailable):
			count["unavailable"]++
		default:
			count["refused"]++
			t.Errorf("a good token was refused: %v", err)
		}
	}
	for _, phase := range []func(){
		func() { p.hangs = true },
		func() { p.hangs, p.metadata = false, func() (int, string) { return 503, "" } },
		func() {
			p.metadata = func() (int, string) { return 200, metadataJSON(p.URL, p.URL+"/keys") }
			p.keys = func() (int, string) { return 404, "" }
		},
		func() { p.keys = func() (int, string) { return 200, keySetJSON(t) } },
		func() { p.hangs = true },
	} {
		p.change(phase)
		for range 5 {
			call()
			token.FetchNow(t.Context(), r)
		}
	}
	require.Zero(t, count["refused"])
	require.Positive(t, count["accepted"])
	require.Positive(t, count["unavailable"])
	require.Less(t, longest, 5*time.Second)
	p.mu.Lock()
	defer p.mu.Unlock()
	t.Logf("%v; %d fetches, the longest request took %s", count, len(p.requests), longest.Round(time.Millisecond))
}
