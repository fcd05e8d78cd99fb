package redisauth_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/internal/redistest"
)

// durable is a Redis that a kill does not empty.
var durable = []string{"appendonly yes", "appendfsync always"}

// A fault is a Redis behind a proxy, and a desk on it whose client has the
// options that go-redis gives it.
type fault struct {
	*desk
	server                 *redistest.Server
	proxy                  *redistest.Proxy
	client                 *redis.Client
	redis                  *redisauth.SessionStore
	mu                     sync.Mutex
	longest                time.Duration
	requests, refused      int // refused: 503
	falselyEnded, replayed int
}

const timeout = 2 * time.Second

func newFault(t *testing.T, change ...func(*session.Options)) *fault {
	t.Helper()
	f := &fault{server: redistest.Start(t, durable...)}
	f.proxy = redistest.StartProxy(t, f.server.Addr)
	f.client = connect(t, redis.NewClient(&redis.Options{Addr: f.proxy.Addr}))
	f.redis = sessions(t, f.client, redisauth.Options{Timeout: timeout})
	f.desk = newDesk(t, f.redis, f.redis.Advance, change...)
	return f
}

// A tab is a client that numbers its attempts, and tries again after a 503.
type tab struct {
	spent, token string
	attempts     int
}

// try refreshes once. It checks that a 503 has Retry-After, and does not change
// the cookie.
func (f *fault) try(c *tab) int {
	start := time.Now()
	w := f.post(f.Refresh(), c.token, session.AttemptHeader, fmt.Sprintf("%s-%08d", c.token[60:], c.attempts))
	took := time.Since(start)
	next := cookieOf(w)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	f.longest = max(f.longest, took)
	switch w.Code {
	case 200:
		c.spent, c.token, c.attempts = c.token, next, c.attempts+1
	case 503:
		f.refused++
		if w.Header().Get("Retry-After") == "" || next != "" || w.Header().Get("Set-Cookie") != "" {
			f.t.Errorf("a 503 with %v", w.Header())
		}
		if body := w.Body.String(); strings.Contains(body, "redis") || strings.Contains(body, "dial") || strings.Contains(body, "refused") {
			f.t.Errorf("a driver's text: %s", body)
		}
	default:
		f.falselyEnded++
		f.t.Errorf("status %d: %s", w.Code, w.Body)
	}
	return w.Code
}

// must refreshes until it works.
func (f *fault) must(c *tab) {
	for range 200 {
		if f.try(c) == 200 {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	f.t.Error("it never works again")
}

// replay presents spent tokens, which must get nothing.
func (f *fault) replay(tabs []*tab) {
	for _, c := range tabs {
		if c.spent == "" {
			continue
		}
		if status, next := f.refresh(c.spent, session.AttemptHeader, once); status == 200 || next != "" {
			f.replayed++
			f.t.Errorf("a spent token got %d %s", status, next)
		}
	}
}

// report prints the figures.
func (f *fault) report() {
	f.t.Helper()
	require.Zero(f.t, f.falselyEnded)
	require.Zero(f.t, f.replayed)
	f.t.Logf("requests %d, of them 503: %d, sessions falsely ended %d, replays accepted %d, longest wait %s",
		f.requests, f.refused, f.falselyEnded, f.replayed, f.longest.Round(time.Millisecond))
}

func (f *fault) tabs(n int) []*tab {
	tabs := make([]*tab, n)
	for i := range tabs {
		tabs[i] = &tab{token: f.login()}
	}
	return tabs
}

// withGrace runs a test strictly, and with Grace.
func withGrace(t *testing.T, test func(*testing.T, func(*session.Options))) {
	t.Run("strictly once", func(t *testing.T) { test(t, grace(0)) })
	t.Run("grace", func(t *testing.T) { test(t, grace(10*time.Second)) })
}

// TestRotationIsOneRoundTrip counts them.
func TestRotationIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	f := newFault(t)
	c := f.tabs(1)[0]
	f.must(c)
	before, calls := f.proxy.Requests(), f.server.Calls(t, "evalsha")
	for range 50 {
		f.must(c)
	}
	require.Equal(t, 50, f.proxy.Requests()-before)
	require.Equal(t, 50, f.server.Calls(t, "evalsha")-calls)
	t.Logf("50 rotations: %d round trips", f.proxy.Requests()-before)
}

// underLoad refreshes from every tab, while something happens.
func (f *fault) underLoad(tabs []*tab, happens func()) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	for _, c := range tabs {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f.try(c)
				}
			}
		})
	}
	happens()
	close(stop)
	all.Wait()
}

// TestKilledRedisRecovers: kill -9 under load, and back.
func TestKilledRedisRecovers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	withGrace(t, func(t *testing.T, g func(*session.Options)) {
		f := newFault(t, g)
		tabs := f.tabs(8)
		f.underLoad(tabs, func() {
			<-time.After(100 * time.Millisecond)
			f.server.Kill()
			<-time.After(200 * time.Millisecond)
		})
		require.Positive(t, f.refused)
		f.server.Restart(t)
		for _, c := range tabs {
			f.must(c)
		}
		f.pass(10 * time.Second)
		f.replay(tabs)
		f.report()
	})
}

// TestHangingRedisIsUnavailable stops Redis with SIGSTOP. The client ignores deadlines.
func TestHangingRedisIsUnavailable(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	f := newFault(t)
	f.redis = sessions(t, f.client, redisauth.Options{Timeout: time.Second}) // which is the default
	f.desk = newDesk(t, f.redis, f.redis.Advance)
	tabs := f.tabs(4)
	for _, c := range tabs {
		f.must(c)
	}
	f.server.Pause(t)
	var all sync.WaitGroup
	for _, c := range tabs {
		all.Go(func() {
			if f.try(c) != 503 {
				t.Error("nobody has answered")
			}
		})
	}
	all.Wait()
	require.Less(t, f.longest, 2*time.Second, "the client itself would wait for 5 s and more")
	f.server.Resume(t)
	for _, c := range tabs {
		f.must(c) // an abandoned call may have run since, with the same attempt
	}
	require.Eventually(t, func() bool { return f.redis.Abandoned() == 0 }, 20*time.Second, 20*time.Millisecond, "no call stays behind")
	f.replay(tabs)
	f.report()
}

// TestReadOnlyMasterIsUnavailable checks a master that has become a replica.
func TestReadOnlyMasterIsUnavailable(t *testing.T) {
	t.Parallel()
	f := newFault(t)
	tabs := f.tabs(4)
	for _, c := range tabs {
		f.must(c)
	}
	f.server.Do(t, "REPLICAOF", "127.0.0.1", "1")
	for _, c := range tabs {
		require.Equal(t, 503, f.try(c))
	}
	require.ErrorIs(t, f.redis.Ready(t.Context()), auth.ErrUnavailable)
	require.ErrorIs(t, f.RevokeAll(t.Context(), f.subject), auth.ErrUnavailable)
	f.server.Do(t, "REPLICAOF", "NO", "ONE")
	for _, c := range tabs {
		f.must(c)
	}
	f.replay(tabs)
	f.report()
}

// TestScriptFlushIsNotNoticed removes the scripts from Redis under load, which no client
// notices.
func TestScriptFlushIsNotNoticed(t *testing.T) {
	t.Parallel()
	f := newFault(t)
	tabs := f.tabs(4)
	f.underLoad(tabs, func() {
		for range 50 {
			f.server.Do(t, "SCRIPT", "FLUSH")
			<-time.After(2 * time.Millisecond)
		}
	})
	require.Zero(t, f.refused)
	f.replay(tabs)
	f.report()
}

// TestMisconfigurationIsUnavailableAtOnce checks that a failure that an administrator must correct is a 503
// at once.
func TestMisconfigurationIsUnavailableAtOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		break_, ok func(t *testing.T, s *redistest.Server)
	}{
		{
			name:   "OOM",
			break_: func(t *testing.T, s *redistest.Server) { s.Do(t, "CONFIG", "SET", "maxmemory", "1") },
			ok:     func(t *testing.T, s *redistest.Server) { s.Do(t, "CONFIG", "SET", "maxmemory", "0") },
		},
		{
			name:   "NOPERM",
			break_: func(t *testing.T, s *redistest.Server) { s.Do(t, "ACL", "SETUSER", "default", "-hset") },
			ok:     func(t *testing.T, s *redistest.Server) { s.Do(t, "ACL", "SETUSER", "default", "+hset") },
		},
		{name: "NOREPLICAS", break_: func(t *testing.T, s *redistest.Server) { s.Do(t, "CONFIG", "SET", "min-replicas-to-write", "1") }, ok: func(t *testing.T, s *redistest.Server) {
			s.Do(t, "CONFIG", "SET", "min-replicas-to-write", "0")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFault(t)
			tabs := f.tabs(2)
			tt.break_(t, f.server)
			for _, c := range tabs {
				require.Equal(t, 503, f.try(c))
			}
			tt.ok(t, f.server)
			for _, c := range tabs {
				f.must(c)
			}
			f.replay(tabs)
			f.report()
		})
	}
}

// TestResetStormEndsNoSession loses every reply with its connection.
func TestResetStormEndsNoSession(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	f := newFault(t)
	tabs := f.tabs(4)
	f.proxy.Storm(true)
	for _, c := range tabs {
		require.Equal(t, 503, f.try(c))
	}
	f.proxy.Storm(false)
	for _, c := range tabs {
		f.must(c)
	}
	f.replay(tabs)
	f.report()
}
