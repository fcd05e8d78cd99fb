package token_test

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

func TestFailingKeyServersKeepTheLastKeys_TK4(t *testing.T) {
	t.Parallel()
	elsewhere := newPublisher(t, publishes(token.EdDSA, token.ES256))
	plain := httptest.NewServer(publishes(token.EdDSA, token.ES256))
	t.Cleanup(plain.Close)
	var written atomic.Int64
	for name, answer := range map[string]http.HandlerFunc{
		"500":                  says(500, `{"keys":[]}`),
		"404 with keys":        func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404); publishes(token.ES256)(w, r) },
		"hangs":                hangs,
		"hangs after a header": func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); hangs(w, r) },
		"breaks off": func(w http.ResponseWriter, r *http.Request) {
			says(200, `{"keys":[`)(w, r)
			panic(http.ErrAbortHandler)
		},
		"resets":                  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"HTML":                    says(200, "<!DOCTYPE html><title>Log in</title>"),
		"nothing":                 says(200, ""),
		"no keys":                 says(200, `{"keys":[]}`),
		"null":                    says(200, `{"keys":null}`),
		"another object":          says(200, `{"error":"busy"}`),
		"keys that we cannot use": says(200, `{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`),
		"101 keys":                says(200, `{"keys":[`+strings.Repeat(`{},`, 100)+`{}]}`),
		"deep":                    says(200, `{"keys":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}`),
		"5 MiB": func(w http.ResponseWriter, r *http.Request) {
			chunk := []byte(strings.Repeat(" ", 16<<10))
			for range 320 {
				n, err := w.Write(chunk)
				written.Add(int64(n))
				if err != nil {
					return
				}
			}
			publishes(token.ES256)(w, r)
		},
		"a redirect to http":           http.RedirectHandler(plain.URL, http.StatusFound).ServeHTTP,
		"a redirect to another server": http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect).ServeHTTP,
	} {
		t.Run("TK4 "+name, func(t *testing.T) {
			t.Parallel()
			p := newPublisher(t, publishes(token.EdDSA))
			s := newRemoteService(t, p)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
			p.set(answer)
			token.SetPace(s.keys, 0, 300*time.Millisecond, 0)
			s.pass(5 * time.Minute)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode, "the fetch runs beside the request")
			require.Eventually(t, func() bool { return s.told(token.FetchFailed) == 1 }, 20*time.Second, time.Millisecond)
			require.EqualValues(t, 2, p.fetches.Load())
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode, "the last good keys count")
			res := s.ask(token.ES256)
			require.Equal(t, 503, res.StatusCode, "the key may be a new one")
			require.Equal(t, "10", res.Header.Get("Retry-After"))
			require.EqualValues(t, 2, p.fetches.Load())

			// TK5: down for longer than MaxStale; TH9: and so no key counts.
			s.pass(time.Hour - 5*time.Minute - time.Nanosecond)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
			require.Eventually(t, func() bool { return s.told(token.FetchFailed) == 2 }, 20*time.Second, time.Millisecond)
			s.pass(time.Nanosecond)
			res = s.ask(token.EdDSA)
			require.Equal(t, 503, res.StatusCode)
			require.Equal(t, "10", res.Header.Get("Retry-After"))
			require.Empty(t, res.Header.Values("Www-Authenticate"))

			p.set(publishes(token.EdDSA))
			token.SetPace(s.keys, 0, time.Minute, 0)
			s.pass(10 * time.Second)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode, "and it heals by itself")
			require.EqualValues(t, 4, p.fetches.Load())
			s.report(p)
		})
	}
	t.Cleanup(func() {
		require.Zero(t, elsewhere.fetches.Load(), "redirects are not followed")
		require.Less(t, written.Load(), int64(2*5<<20), "the rest of 5 MiB is not read, both times")
	})
}

func TestKeysThatWereNeverFetchedAreUnavailable_TK5(t *testing.T) {
	p := newPublisher(t, says(500, ""))
	s := newRemoteService(t, p)
	require.ErrorIs(t, s.keys.Ready(t.Context()), auth.ErrUnavailable)
	for range 100 {
		res := s.ask(token.EdDSA)
		require.Equal(t, 503, res.StatusCode, "TH9")
		require.Empty(t, res.Header.Values("Www-Authenticate"))
	}
	require.EqualValues(t, 1, p.fetches.Load())
	s.pass(7 * time.Second)
	require.Equal(t, "3", s.ask(token.EdDSA).Header.Get("Retry-After"))
	p.set(publishes(token.EdDSA))
	s.pass(3 * time.Second)
	require.NoError(t, s.keys.Ready(t.Context()))
	require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
	require.EqualValues(t, 2, p.fetches.Load())
	s.report(p)
}

// broken is a transport with a bug.
type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) { panic("nil map") }

func TestAClientThatPanics(t *testing.T) {
	var log strings.Builder
	r := errors.Must(token.NewRemote(token.RemoteOptions{URL: "https://issuer.example/jwks.json", Client: &http.Client{Transport: broken{}}, Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	require.ErrorIs(t, r.Ready(t.Context()), auth.ErrUnavailable)
	require.Contains(t, log.String(), `level=WARN msg="issuer keys unreadable" reason=keys_fetch_failed url=https://issuer.example/jwks.json error="fetch keys: panic: nil map"`)
}

// A server that shows another name's certificate, or none that we trust.
func TestRemoteWantsACertificate(t *testing.T) {
	p := newPublisher(t, publishes(token.EdDSA))
	r := errors.Must(token.NewRemote(token.RemoteOptions{URL: p.URL, Logger: slog.New(slog.DiscardHandler)}))
	require.ErrorIs(t, r.Ready(t.Context()), auth.ErrUnavailable)
	var refusal *tls.CertificateVerificationError
	require.ErrorAs(t, r.Ready(t.Context()), &refusal)
	require.Zero(t, p.fetches.Load())
}

func TestNewRemoteReportsAllProblems(t *testing.T) {
	_, err := token.NewRemote(token.RemoteOptions{URL: "http://issuer.example/", RSA: token.ES256, MaxStale: 48 * time.Hour, Refresh: time.Second})
	require.EqualError(t, err, `token: URL "http://issuer.example/": must be an https URL without user and fragment; did you mean "https://issuer.example/.well-known/jwks.json", or Issuer?`+
		"\ntoken: RSA \"ES256\": is not an RSA algorithm\ntoken: MaxStale 48h0m0s: must be between 1m and 24h\ntoken: Refresh 1s: must be between 1m and MaxStale")
	for _, url := range []string{"", "/jwks", "https://", "https://a:b@issuer.example/", "https://issuer.example/#x", "file:///etc/passwd", ":"} {
		_, err := token.NewRemote(token.RemoteOptions{URL: url})
		require.ErrorContains(t, err, "must be an https URL", url)
	}
}
