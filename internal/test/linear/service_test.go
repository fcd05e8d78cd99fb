package linear_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// redisVariable names the Redis of a process that serves sessions.
const redisVariable = "RINGWALL_LINEAR_REDIS"

// TestMain runs this binary as a service if a test started it as one.
func TestMain(m *testing.M) {
	if addr := os.Getenv(redisVariable); addr != "" {
		serve(addr)
		return
	}
	os.Exit(m.Run())
}

// serve is one process of a service. It ends with its standard input.
func serve(redisAddr string) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	client := redis.NewClient(&redis.Options{Addr: redisAddr})
	sessions := errors.Must(session.New(session.Options{
		Issue: func(context.Context, session.Session) (string, time.Time, error) {
			return "access", time.Now().Add(time.Minute), nil
		},
		InsecureStaticGrants: true, InsecureNoRevocations: true, MaxSessions: 1000,
		Store: errors.Must(redisauth.NewSessionStore(client, redisauth.Options{})), Keys: []session.Key{{ID: 1, Secret: []byte("0123456789abcdef0123456789abcdef")}},
	}))
	mux := http.NewServeMux()
	mux.Handle("/login", errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		_, err := sessions.Login(w, r, session.Session{Subject: r.URL.Query().Get("subject")})
		return err
	}))
	mux.Handle("/revoke-all", errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if err := sessions.RevokeAll(r.Context(), r.URL.Query().Get("subject")); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}))
	mux.Handle("/refresh", sessions.Refresh())
	mux.Handle("/logout", sessions.Logout())
	listener := errors.Must(net.Listen("tcp", "127.0.0.1:0"))
	go func() { _ = http.Serve(listener, mux) }()
	fmt.Println(listener.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// start starts processes on a Redis, and returns their addresses.
func start(t *testing.T, redisAddr string, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), redisVariable+"="+redisAddr)
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
		addr, err := bufio.NewReader(stdout).ReadString('\n')
		require.NoError(t, err)
		addrs = append(addrs, "http://"+strings.TrimSpace(addr))
	}
	return addrs
}

// A presented token is its text and its content.
type presented struct {
	text string
	credential
}

func read(text string) (presented, error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, "rt_"))
	if err != nil || len(b) != 56 {
		return presented{}, errors.New("no token: " + text)
	}
	p := presented{text: text}
	id := sha256.Sum256(b[18:34])
	p.session = hex.EncodeToString(id[:8])
	for _, octet := range b[34:40] {
		p.generation = p.generation<<8 | uint64(octet)
	}
	return p, nil
}

// The cookies of a token, and of the attempt that a 503 names.
const tokenCookie, attemptCookie = "__Host-refresh", "__Host-refresh-attempt"

// ask sends one request to a process. named is the attempt cookie of a 503.
func ask(client *http.Client, base string, in input, text string) (out output, got presented, named string, err error) {
	path := map[int]string{login: "/login", refresh: "/refresh", logout: "/logout", revokeAll: "/revoke-all"}[in.what]
	r, err := http.NewRequest("POST", base+path+"?subject="+in.subject, nil)
	if err != nil {
		return output{}, presented{}, "", err
	}
	if text != "" {
		r.AddCookie(&http.Cookie{Name: tokenCookie, Value: text})
	}
	switch {
	case in.cookie != "":
		r.AddCookie(&http.Cookie{Name: attemptCookie, Value: in.cookie})
	case in.attempt != "" && !in.bare:
		r.Header.Set(session.AttemptHeader, in.attempt)
	}
	res, err := client.Do(r)
	if err != nil {
		return output{}, presented{}, "", err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	out = output{status: res.StatusCode}
	for _, c := range res.Cookies() {
		switch {
		case c.Value == "":
		case c.Name == attemptCookie:
			named = c.Value
		default:
			if got, err = read(c.Value); err != nil {
				return output{}, presented{}, "", err
			}
			out.token = got.credential
		}
	}
	return out, got, named, nil
}
