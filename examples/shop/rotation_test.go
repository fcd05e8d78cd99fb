package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/testlog"
)

func newTestService(t *testing.T, c config) *service {
	t.Helper()
	c.rounds, c.origins = 1, []string{"https://app.example.com"}
	if c.self == "" {
		c.self = "https://shop.example.com"
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	s, err := newService(c)
	require.NoError(t, err)
	return s
}

// call sends a request to a service in the process, as a client over TLS would.
func call(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://shop.example.com"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// loggedIn is a user with a session.
type loggedIn struct{ bearer, cookie string }

func read(t *testing.T, w *httptest.ResponseRecorder) loggedIn {
	t.Helper()
	require.Equal(t, 200, w.Code, w.Body)
	var body struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	c := w.Result().Cookies()[0]
	return loggedIn{"Bearer " + body.AccessToken, c.Name + "=" + c.Value}
}

func kid(bearer string) string {
	head, _, _ := strings.Cut(strings.TrimPrefix(bearer, "Bearer "), ".")
	var header struct {
		Kid string `json:"kid"`
	}
	_ = json.Unmarshal(errors.Must(base64.RawURLEncoding.DecodeString(head)), &header)
	return header.Kid
}

// secondService accepts the shop's tokens, with the keys of its JWKS.
func secondService(t *testing.T, shop http.Handler) (http.Handler, *token.Remote) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	remote, err := token.NewRemote(token.RemoteOptions{URL: "https://shop.example.com/.well-known/jwks.json", Client: &http.Client{Transport: inProcess{shop}}, Logger: quiet})
	require.NoError(t, err)
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: remote, Issuer: "https://shop.example.com", Audience: []string{"shop"}}))
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens}, Logger: quiet}))
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: quiet}))
	return failures.Handler(callers.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))), remote
}

// inProcess is a network without wires, so that a clock that jumps is the same
// on both ends.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	over := httptest.NewRequest(r.Method, r.URL.String(), r.Body) // with TLS
	over.Header = r.Header
	p.ServeHTTP(w, over)
	return w.Result(), nil
}

// The signing key changes on its day, while users and a second service send
// requests: none is refused.
func TestSigningKeyChangesUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestService(t, config{})
		second, remote := secondService(t, s.handler)
		ctx, stop := context.WithCancel(t.Context())
		var load sync.WaitGroup
		load.Go(func() { s.upkeep(ctx) })
		load.Go(func() { _ = remote.Run(ctx) })
		change := time.Unix(0, (time.Now().UnixNano()/int64(signingLife)+1)*int64(signingLife))
		time.Sleep(time.Until(change) - 5*time.Minute)

		var requests, refused atomic.Int64
		check := func(w *httptest.ResponseRecorder) {
			if requests.Add(1); w.Code != 200 {
				refused.Add(1)
			}
		}
		var kids [3]map[string]int
		for i := range kids {
			kids[i] = map[string]int{}
			load.Go(func() {
				person := read(t, call(s.handler, "POST", "/auth/login", credentials(i)))
				for n := range 900 { // 15 minutes
					kids[i][kid(person.bearer)]++
					check(call(s.handler, "GET", "/me", "", "Authorization", person.bearer))
					check(call(second, "GET", "/", "", "Authorization", person.bearer))
					if n%240 == 100+i { // a minute before its end
						person = read(t, call(s.handler, "POST", "/auth/refresh", "", "Cookie", person.cookie))
					}
					time.Sleep(time.Second)
				}
			})
		}
		time.Sleep(16 * time.Minute)
		stop()
		load.Wait()
		t.Logf("requests %d, refused %d", requests.Load(), refused.Load())
		require.EqualValues(t, 2*3*900, requests.Load())
		require.Zero(t, refused.Load())
		for _, of := range kids {
			require.Len(t, of, 2, "everybody had tokens of the old key, and then of the new one")
		}
	})
}

// A lost key is replaced at once. Its tokens are refused, and a refresh returns
// new ones: no user has to log in.
func TestSigningKeyIsReplacedAtOnce(t *testing.T) {
	s := newTestService(t, config{})
	person := read(t, call(s.handler, "POST", "/auth/login", credentials(0)))
	require.NoError(t, s.keys.Replace(errors.Must(token.GenerateKey())))
	require.Equal(t, 401, call(s.handler, "GET", "/me", "", "Authorization", person.bearer).Code)
	again := read(t, call(s.handler, "POST", "/auth/refresh", "", "Cookie", person.cookie))
	require.Equal(t, 200, call(s.handler, "GET", "/me", "", "Authorization", again.bearer).Code)
}

// By the clock alone: for a hundred days, a token that one shop signed is good
// at another, up to its end, although both read the keys once an hour at
// different minutes. A verifier that remembers the JWKS for its whole age knows
// every key that signs.
func TestSigningKeysFollowTheClock(t *testing.T) {
	days, changes := 100, 3
	if testing.Short() {
		days, changes = 35, 1
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	synctest.Test(t, func(t *testing.T) {
		one, two := newTestService(t, config{keys: dir}), newTestService(t, config{keys: dir})
		ctx, stop := context.WithCancel(t.Context())
		var upkeep sync.WaitGroup
		upkeep.Go(func() { one.upkeep(ctx) })
		time.Sleep(37 * time.Minute)
		upkeep.Go(func() { two.upkeep(ctx) })
		person := read(t, call(one.handler, "POST", "/auth/login", credentials(0)))
		seen, started := map[string]bool{}, time.Now()
		for range days * 8 {
			published := call(two.handler, "GET", "/.well-known/jwks.json", "").Body.String()
			time.Sleep(5 * time.Minute)
			person = read(t, call(one.handler, "POST", "/auth/refresh", "", "Cookie", person.cookie))
			require.Contains(t, published, kid(person.bearer))
			time.Sleep(4*time.Minute + 58*time.Second)
			require.Equal(t, 200, call(two.handler, "GET", "/me", "", "Authorization", person.bearer).Code)
			seen[kid(person.bearer)] = true
			time.Sleep(170 * time.Minute)
			if time.Since(started) > 29*24*time.Hour { // a session lives for 30 days
				person, started = read(t, call(one.handler, "POST", "/auth/login", credentials(0))), time.Now()
			}
		}
		require.Greater(t, len(seen), changes, "the key must change once in 30 days")
		stop()
		upkeep.Wait()
	})
}

func TestSecretsAreKeptInProtectedFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	first := newTestService(t, config{keys: dir})
	person := read(t, call(first.handler, "POST", "/auth/login", credentials(0)))
	second := newTestService(t, config{keys: dir})
	require.Equal(t, 200, call(second.handler, "GET", "/me", "", "Authorization", person.bearer).Code, "the same key")
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
	}
	for _, row := range []struct {
		name, want string
		spoil      func(file string) error
	}{
		{name: "a file that others can read", want: "others can open it", spoil: func(file string) error { return os.Chmod(file, 0o640) }},
		{name: "a file that was cut", want: "is not 32 bytes in base64", spoil: func(file string) error { return os.Truncate(file, 10) }},
		{name: "a folder that others can list", want: "others can open it", spoil: func(string) error { return os.Chmod(dir, 0o755) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := filepath.Join(dir, files[len(files)-1].Name())
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, row.spoil(file))
			_, err = newService(config{keys: dir, self: "https://shop.example.com", rounds: 1, logger: slog.New(slog.DiscardHandler)})
			require.ErrorContains(t, err, row.want)
			require.NoError(t, os.Chmod(dir, 0o700))
			require.NoError(t, os.Chmod(file, 0o600))
			require.NoError(t, os.WriteFile(file, content, 0o600))
		})
	}
}

// Many shops start at once in an empty folder: all have the same keys.
func TestManyShopsShareTheirSecrets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	var all sync.WaitGroup
	made := make([]string, 16)
	for i := range made {
		all.Go(func() {
			s, err := newSecrets(dir)
			if err != nil {
				return
			}
			secret, err := s.get("limits.key", true)
			if err == nil {
				made[i] = string(secret)
			}
		})
	}
	all.Wait()
	for _, one := range made {
		require.NotEmpty(t, one)
		require.Equal(t, made[0], one)
	}
}

// An API key whose secret is 90 days old gets a new one, without anybody's
// doing; the old one works on until a day after the new one's first use. The
// log has the event and no secret.
func TestAPIKeysRotateWhenTheyAreDue(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	synctest.Test(t, func(t *testing.T) {
		log := new(testlog.Log)
		s := newTestService(t, config{keys: dir, logger: slog.New(slog.NewJSONHandler(log, nil))})
		ctx, stop := context.WithCancel(t.Context())
		var upkeep sync.WaitGroup
		upkeep.Go(func() { s.upkeep(ctx) })
		old := errors.Must(s.demoKey(ctx))
		stock := func(key string) int {
			r := httptest.NewRequest("GET", "https://shop.example.com/partner/stock", nil)
			r.RemoteAddr = "127.0.0.1:1234"
			r.Header.Set("X-API-Key", key)
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			synctest.Wait() // its use is written after the request
			return w.Code
		}
		time.Sleep(89 * 24 * time.Hour)
		require.Equal(t, 200, stock(old))
		require.NoFileExists(t, filepath.Join(dir, "partner-demo.txt"))
		time.Sleep(2 * 24 * time.Hour)
		synctest.Wait()
		text, err := os.ReadFile(filepath.Join(dir, "partner-demo.txt"))
		require.NoError(t, err)
		young := strings.TrimSpace(string(text))
		require.NotEqual(t, old, young)
		time.Sleep(24 * time.Hour)
		require.Equal(t, 200, stock(old), "the partner did not change yet")
		require.Equal(t, 200, stock(young))
		time.Sleep(23 * time.Hour)
		require.Equal(t, 200, stock(old))
		time.Sleep(2 * time.Hour)
		require.Equal(t, 401, stock(old))
		require.Equal(t, 200, stock(young))
		require.Contains(t, log.String(), `"reason":"key_rotated"`)
		require.Contains(t, log.String(), `signing key made`)
		require.NotContains(t, log.String(), strings.Split(young, "_")[2])
		stop()
		upkeep.Wait()
	})
}
