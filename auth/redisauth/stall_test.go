package redisauth_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
)

// A service is several processes on one Redis: each has a manager, a client of
// Redis and a socket of its own.
type service struct {
	t     *testing.T
	desks []*desk
	urls  []string
	// The counts of the clients.
	requests, unavailable, falselyEnded, replayed atomic.Int64
}

// newService starts processes. dial returns a client of Redis.
func newService(t *testing.T, processes int, dial func() redis.UniversalClient, o redisauth.Options) *service {
	t.Helper()
	s := &service{t: t}
	for range processes {
		store := sessions(t, connect(t, dial()), o)
		d := newDesk(t, store, store.Advance)
		mux := http.NewServeMux()
		mux.Handle("/login", errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			_, err := d.Manager.Login(w, r, session.Session{Subject: r.FormValue("subject")})
			return err
		}))
		mux.Handle("/refresh", d.Refresh())
		server := httptest.NewTLSServer(quiet.Handler(mux))
		t.Cleanup(server.Close)
		s.desks, s.urls = append(s.desks, d), append(s.urls, server.URL)
	}
	return s
}

// A browser is a client with a cookie jar. It retries after a 503 when
// Retry-After allows it. Some browsers number their attempts.
type browser struct {
	*service
	hc       *http.Client
	numbered bool
	number   int
	spent    []string // the tokens that got a successor, the newest last
	token    string
	good     atomic.Int64
}

func (s *service) browser(number int) *browser {
	s.t.Helper()
	hc := &http.Client{Jar: errors.Must(cookiejar.New(nil)), Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	s.t.Cleanup(hc.CloseIdleConnections)
	b := &browser{service: s, hc: hc, number: number, numbered: number%2 == 0}
	res := b.send("/login?subject=" + rand.Text())
	require.Equal(s.t, 200, res.StatusCode)
	b.token = cookieNamed(res, "__Host-refresh")
	return b
}

// browsers returns clients that have refreshed twice.
func (s *service) browsers(n int) []*browser {
	all := make([]*browser, n)
	for i := range all {
		all[i] = s.browser(i)
		for all[i].good.Load() < 2 {
			all[i].refresh()
		}
	}
	return all
}

// send sends a request to the next process.
func (b *browser) send(path string) *http.Response {
	r := errors.Must(http.NewRequest("POST", b.urls[int(b.requests.Add(1))%len(b.urls)]+path, nil))
	if b.numbered {
		r.Header.Set(session.AttemptHeader, fmt.Sprintf("client-%08d-%08d", b.number, len(b.spent)))
	}
	res, err := b.hc.Do(r)
	if err != nil {
		b.t.Error(err)
		return &http.Response{}
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode == 503 {
		b.unavailable.Add(1)
	}
	return res
}

// refresh refreshes once, and returns how long to wait.
func (b *browser) refresh() time.Duration {
	res := b.send("/refresh")
	switch res.StatusCode {
	case 200:
		b.spent, b.token = append(b.spent, b.token), cookieNamed(res, "__Host-refresh")
		b.good.Add(1)
	case 503:
		after, err := strconv.Atoi(res.Header.Get("Retry-After"))
		if err != nil || cookieNamed(res, "__Host-refresh") != "" {
			b.t.Errorf("a 503 with %v", res.Header)
		}
		return time.Duration(after) * time.Second
	default:
		b.falselyEnded.Add(1)
		b.t.Errorf("client %d, numbered %t: status %d", b.number, b.numbered, res.StatusCode)
	}
	return 0
}

// run refreshes until ctx ends, and then until a request is answered.
func (b *browser) run(ctx context.Context) {
	for b.falselyEnded.Load() == 0 {
		before := b.good.Load()
		wait := b.refresh()
		if ctx.Err() != nil && b.good.Load() > before {
			return
		}
		<-time.After(max(wait, 10*time.Millisecond))
	}
}

// awaitSuccess waits until every client has refreshed again.
func (s *service) awaitSuccess(all []*browser) {
	s.t.Helper()
	before := make([]int64, len(all))
	for i, b := range all {
		before[i] = b.good.Load()
	}
	require.Eventually(s.t, func() bool {
		for i, b := range all {
			if s.falselyEnded.Load() > 0 {
				return true
			}
			if b.good.Load() < before[i]+2 { // the first may have been answered before
				return false
			}
		}
		return true
	}, time.Minute, 10*time.Millisecond)
}

// thief returns a client with a copied token alone.
func (b *browser) thief(token string, numbered bool) *browser {
	hc := &http.Client{Jar: errors.Must(cookiejar.New(nil)), Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	b.t.Cleanup(hc.CloseIdleConnections)
	hc.Jar.SetCookies(errors.Must(url.Parse(b.urls[0])), []*http.Cookie{{Name: "__Host-refresh", Value: token, Path: "/", Secure: true}})
	return &browser{service: b.service, hc: hc, number: 1000 + int(b.requests.Load()), numbered: numbered}
}

// replay presents the token until there is a response other than 503, with all
// cookies that the 503s set.
func (b *browser) replay() {
	for range 100 {
		res := b.send("/refresh")
		if res.StatusCode != 503 {
			if res.StatusCode != 401 || cookieNamed(res, "__Host-refresh") != "" {
				b.replayed.Add(1)
				b.t.Errorf("a spent token got %d", res.StatusCode)
			}
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	b.t.Error("it never works again")
}

// replayAll presents the spent tokens of every client, which ends its session.
func (s *service) replayAll(all []*browser) (replays int) {
	for _, b := range all {
		spent := b.spent[max(0, len(b.spent)-3):]
		for i := range spent {
			b.thief(spent[len(spent)-1-i], b.number%4 < 2).replay()
			replays++
		}
	}
	return replays
}

// thefts returns how many the managers raised.
func (s *service) thefts() (n int) {
	for _, d := range s.desks {
		d.mu.Lock()
		for _, reason := range d.events {
			if reason == session.TokenReused {
				n++
			}
		}
		d.mu.Unlock()
	}
	return n
}

// TestOutagesEndNoSession_FS2 checks that neither a Redis that stalls, nor one
// that is killed and restarted, ends the session of a client that obeys
// Retry-After, with or without numbered attempts. Thieves who present used tokens
// meanwhile, and return with the cookies of the 503s, get nothing.
func TestOutagesEndNoSession_FS2(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	server := redistest.Start(t, durable...)
	s := newService(t, 3, func() redis.UniversalClient { return redis.NewClient(server.Options()) }, redisauth.Options{Timeout: time.Second})
	all, robbed := s.browsers(40), s.browsers(20)
	ctx, stop := context.WithCancel(t.Context())
	var clients, thieves sync.WaitGroup
	for _, b := range all {
		clients.Go(func() { b.run(ctx) })
	}
	rob := func(victims []*browser) {
		for _, b := range victims {
			thief := b.thief(b.spent[len(b.spent)-1-b.number%2], b.number%4 < 2)
			thieves.Go(thief.replay)
		}
	}
	s.awaitSuccess(all)

	server.Pause(t)
	rob(robbed[:10])
	<-time.After(2 * time.Second) // the stall
	server.Resume(t)
	s.awaitSuccess(all)
	stalled := s.unavailable.Load()
	require.Positive(t, stalled)

	server.Kill()
	rob(robbed[10:])
	killed := s.unavailable.Load()
	require.Eventually(t, func() bool { return s.unavailable.Load() >= killed+40 }, time.Minute, 10*time.Millisecond)
	server.Restart(t)
	s.awaitSuccess(all)
	stop()
	clients.Wait()
	thieves.Wait()
	require.Equal(t, len(robbed), s.thefts(), "each robbery is told once, and nothing else")
	replays := s.replayAll(all)
	require.Equal(t, len(robbed)+len(all), s.thefts())
	require.Zero(t, s.falselyEnded.Load())
	require.Zero(t, s.replayed.Load())
	t.Logf("3 processes, 40 clients (20 without %s), 20 thieves: requests %d, of them 503: %d (stall %d, kill %d), replays %d, sessions falsely ended %d, replays accepted %d",
		session.AttemptHeader, s.requests.Load(), s.unavailable.Load(), stalled, s.unavailable.Load()-stalled, len(robbed)+replays, s.falselyEnded.Load(), s.replayed.Load())
}

// TestLostRepliesEndNoSession_FS2 holds the same where Redis rotates, and no reply
// arrives: on one Redis, and on a Cluster.
func TestLostRepliesEndNoSession_FS2(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	for _, row := range []struct {
		name  string
		start func(t *testing.T) (dial func() redis.UniversalClient, proxies []*redistest.Proxy)
	}{
		{name: "single", start: func(t *testing.T) (func() redis.UniversalClient, []*redistest.Proxy) {
			proxy := redistest.StartProxy(t, redistest.Start(t).Addr)
			return func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: proxy.Addr}) }, []*redistest.Proxy{proxy}
		}},
		{name: "cluster", start: func(t *testing.T) (func() redis.UniversalClient, []*redistest.Proxy) {
			c := redistest.StartCluster(t)
			proxies, at := []*redistest.Proxy(nil), map[string]string{}
			for _, node := range append(c.Masters, c.Replicas...) {
				proxies = append(proxies, redistest.StartProxy(t, node.Addr))
				at[node.Addr] = proxies[len(proxies)-1].Addr
			}
			return func() redis.UniversalClient {
				o := recommended(c.Options())
				o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, at[addr])
				}
				return redis.NewClusterClient(o)
			}, proxies
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			dial, proxies := row.start(t)
			s := newService(t, 2, dial, redisauth.Options{Timeout: time.Second})
			all, robbed := s.browsers(12), s.browsers(4)
			for _, p := range proxies {
				p.Storm(true)
			}
			var clients, thieves sync.WaitGroup
			for _, b := range all {
				clients.Go(func() { b.refresh() })
			}
			for _, b := range robbed {
				thieves.Go(b.thief(b.spent[len(b.spent)-1], b.numbered).replay)
			}
			clients.Wait()
			require.GreaterOrEqual(t, s.unavailable.Load(), int64(len(all)), "no reply arrived")
			for _, p := range proxies {
				p.Storm(false)
			}
			ctx, stop := context.WithCancel(t.Context())
			for _, b := range all {
				clients.Go(func() { b.run(ctx) })
			}
			s.awaitSuccess(all)
			stop()
			clients.Wait()
			thieves.Wait()
			require.Equal(t, len(robbed), s.thefts())
			replays := s.replayAll(all)
			require.Equal(t, len(robbed)+len(all), s.thefts())
			t.Logf("12 clients (6 without %s), 4 thieves: requests %d, of them 503: %d, replays %d, sessions falsely ended %d, replays accepted %d",
				session.AttemptHeader, s.requests.Load(), s.unavailable.Load(), len(robbed)+replays, s.falselyEnded.Load(), s.replayed.Load())
		})
	}
}
