package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
)

// two starts two shops on one Redis, which clients reach by one address.
func two(t *testing.T, args ...string) (one, other *shop, server *redistest.Server) {
	t.Helper()
	server = redistest.Start(t)
	args = append([]string{"-redis", "redis://" + server.Addr, "-keys", filepath.Join(t.TempDir(), "keys"), "-self", "http://localhost:8080"}, args...)
	return start(t, args...), start(t, args...), server
}

// Two shops on one Redis behave as one.
func TestTwoShopsActAsOne(t *testing.T) {
	one, other, server := two(t)
	in := one.expect(200, "", "POST", "/auth/login", credentials(0))
	other.expect(200, "", "GET", "/me", "", "Authorization", in.bearer())
	next := other.expect(200, "", "POST", "/auth/refresh", "", "Cookie", in.cookie(t))
	one.expect(200, "", "GET", "/me", "", "Authorization", next.bearer())
	require.Len(t, one.expect(200, "", "GET", "/auth/sessions", "", "Authorization", next.bearer()).body["sessions"], 1)

	t.Run("an order placed at one, changed at the other", func(t *testing.T) {
		placed := one.expect(201, "", "POST", "/orders", orderBody, "Authorization", next.bearer()).body["id"].(string)
		other.expect(200, "", "PATCH", "/orders/"+placed, `{"note":"ring"}`, "Authorization", next.bearer())
		require.Equal(t, "ring", one.expect(200, "", "GET", "/orders/"+placed, "", "Authorization", next.bearer()).body["note"])
		require.Len(t, other.expect(200, "", "GET", "/orders", "", "Authorization", next.bearer()).body["orders"], 1)
	})
	t.Run("a spent token is spent at both", func(t *testing.T) {
		require.Equal(t, 401, one.do("POST", "/auth/refresh", "", "Cookie", in.cookie(t)).StatusCode)
		at := time.Now()
		require.Equal(t, 401, other.do("POST", "/auth/refresh", "", "Cookie", next.cookie(t)).StatusCode)
		refusedWithin(t, other, at, next.bearer())
	})
	t.Run("logged out everywhere at one, refused at the other", func(t *testing.T) {
		first := one.expect(200, "", "POST", "/auth/login", credentials(0))
		second := other.expect(200, "", "POST", "/auth/login", credentials(0))
		one.expect(204, "", "POST", "/auth/logout-all", "", "Authorization", first.bearer())
		at := time.Now()
		one.expect(401, "auth_revoked", "GET", "/me", "", "Authorization", second.bearer())
		refusedWithin(t, other, at, second.bearer())
		require.Equal(t, 401, other.do("POST", "/auth/refresh", "", "Cookie", second.cookie(t)).StatusCode)
	})
	t.Run("one API key, rotated at one, good at the other", func(t *testing.T) {
		key := printedKey(t, one)
		require.Equal(t, key, printedKey(t, other))
		young, _ := one.expect(200, "", "POST", "/partner/keys/rotate", "", "X-API-Key", key).body["api_key"].(string)
		other.expect(200, "", "GET", "/partner/stock", "", "X-API-Key", young)
	})
	t.Run("one limit", func(t *testing.T) {
		var tally [2]int
		for i := range 10 {
			a := []*shop{one, other}[i%2].do("POST", "/auth/login", `{"email":"nobody@example.com","password":"x"}`)
			if a.StatusCode == 401 {
				tally[i%2]++
			} else {
				require.Equal(t, 429, a.StatusCode)
			}
		}
		t.Logf("logins of this minute that were looked at: %d before, %v now", 3, tally)
		require.Equal(t, 2, tally[0]+tally[1], "five in a minute, of which three are above")
	})
	t.Run("Redis has nothing to log in with", func(t *testing.T) {
		dump := everything(t, server)
		require.NotEmpty(t, dump)
		for _, secret := range []string{in.cookie(t)[len("refresh="):], next.cookie(t)[len("refresh="):], strings.TrimPrefix(next.bearer(), "Bearer "), printedKey(t, one), demoUsers[0].email, "127.0.0.1:"} {
			require.NotContains(t, dump, secret)
		}
	})
}

// refusedWithin holds that an access token is refused within a second.
func refusedWithin(t *testing.T, s *shop, since time.Time, bearer string) {
	t.Helper()
	require.Eventually(t, func() bool { return s.do("GET", "/me", "", "Authorization", bearer).StatusCode == 401 }, 10*time.Second, 10*time.Millisecond)
	t.Logf("refused after %s", time.Since(since).Round(time.Millisecond))
	require.Less(t, time.Since(since), time.Second)
}

func printedKey(t *testing.T, s *shop) string {
	t.Helper()
	_, key, _ := strings.Cut(s.greet, "alone:\n  ")
	key, _, found := strings.Cut(key, "\n")
	require.True(t, found)
	return key
}

// everything returns the content of the Redis, as a thief would get it.
func everything(t *testing.T, server *redistest.Server) string {
	t.Helper()
	client := redis.NewClient(server.Options())
	defer func() { _ = client.Close() }()
	var all strings.Builder
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		all.WriteString(key + "\n")
		switch kind := client.Type(t.Context(), key).Val(); kind {
		case "string":
			all.WriteString(client.Get(t.Context(), key).Val())
		case "list":
			all.WriteString(fmt.Sprint(client.LRange(t.Context(), key, 0, -1).Val()))
		case "hash":
			all.WriteString(fmt.Sprint(client.HGetAll(t.Context(), key).Val()))
		case "stream":
			all.WriteString(fmt.Sprint(client.XRange(t.Context(), key, "-", "+").Val()))
		default:
			require.Fail(t, "a kind that is not looked into", kind)
		}
	}
	return all.String()
}

// While Redis is down, no response says that a password is wrong or that a
// session has ended, and requests succeed again when it is back.
func TestRedisGoesAway(t *testing.T) {
	server := redistest.Start(t, "appendonly yes", "appendfsync always")
	s := start(t, "-redis", "redis://"+server.Addr, "-keys", filepath.Join(t.TempDir(), "keys"))
	in := s.expect(200, "", "POST", "/auth/login", credentials(0))
	server.Kill()
	a := s.do("POST", "/auth/refresh", "", "Cookie", in.cookie(t))
	require.Equal(t, 503, a.StatusCode)
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	for _, c := range a.Cookies() { // for the retry: this attempt again
		require.Equal(t, "refresh-attempt", c.Name)
	}
	s.expect(503, "goods_unavailable", "GET", "/products", "")
	s.expect(200, "", "GET", "/me", "", "Authorization", in.bearer()) // for 30 seconds
	server.Restart(t)
	require.Eventually(t, func() bool { return s.do("POST", "/auth/refresh", "", "Cookie", in.cookie(t)).StatusCode == 200 }, 20*time.Second, 100*time.Millisecond)
}

// status sends the request of a load balancer's probe: by address, over plain
// HTTP, without a credential.
func (s *shop) status(path string) (status int, code string) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	require.NoError(s.t, err)
	r.Host = "10.1.2.3:8080"
	res, err := s.client.Do(r)
	require.NoError(s.t, err)
	var body struct {
		Code string `json:"code"`
	}
	require.NoError(s.t, json.NewDecoder(res.Body).Decode(&body))
	require.NoError(s.t, res.Body.Close())
	return res.StatusCode, body.Code
}

func TestShopIsReadyWhileRedisIs_FX2(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	server := redistest.Start(t)
	s := start(t, "-redis", "redis://"+server.Addr, "-keys", filepath.Join(t.TempDir(), "keys"))
	becomes := func(want int) {
		t.Helper()
		redistest.Await(t, 20*time.Second, fmt.Sprintf("/readyz is %d", want), func() bool {
			status, code := s.status("/readyz")
			require.Contains(t, []int{200, 503}, status)
			require.Equal(t, map[int]string{200: "", 503: "not_ready"}[status], code)
			healthy, _ := s.status("/healthz")
			require.Equal(t, 200, healthy, "a restart would not help")
			return status == want
		})
	}
	becomes(200)
	server.Kill()
	becomes(503)
	res, err := s.client.Get(s.url + "/readyz")
	require.NoError(t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "1", res.Header.Get("Retry-After"))
	require.NotContains(t, string(raw), server.Addr)
	require.NotContains(t, string(raw), "redis")
	server.Restart(t)
	becomes(200)
	server.Pause(t)
	becomes(503)
	server.Resume(t)
	becomes(200)
	client := redis.NewClient(server.Options())
	defer func() { _ = client.Close() }()
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	becomes(503) // this Redis may drop sessions
}

// Limits in a Redis of their own do not wait for the one of sessions, nor the other
// way round.
func TestLimitsMayHaveARedisOfTheirOwn_FD9(t *testing.T) {
	kept, counts := redistest.Start(t), redistest.Start(t)
	s := start(t, "-redis", "redis://"+kept.Addr, "-limits-redis", "redis://"+counts.Addr, "-keys", filepath.Join(t.TempDir(), "keys"))
	in := s.expect(200, "", "POST", "/auth/login", credentials(0))
	has := func(server *redistest.Server, prefix string) bool {
		for line := range strings.Lines(everything(t, server)) {
			if strings.HasPrefix(line, prefix) {
				return true
			}
		}
		return false
	}
	require.True(t, has(counts, "rl:"))
	require.False(t, has(kept, "rl:"))
	require.True(t, has(kept, "ringwall:"))
	require.False(t, has(counts, "ringwall:"))
	kept.Pause(t)
	before := counts.Calls(t, "evalsha")
	s.expect(200, "", "GET", "/me", "", "Authorization", in.bearer())
	require.Greater(t, counts.Calls(t, "evalsha"), before, "the limits are counted while the sessions' Redis stands still")
	kept.Resume(t)
	counts.Kill()
	in = s.expect(200, "", "POST", "/auth/refresh", "", "Cookie", in.cookie(t))
	status, _ := s.status("/readyz")
	require.Equal(t, 200, status, "each shop counts by itself")
	require.NotEmpty(t, in.bearer())
}

func TestShopInMemoryIsReady_FX2(t *testing.T) {
	s := start(t)
	status, _ := s.status("/readyz")
	require.Equal(t, 200, status)
	require.Equal(t, 421, s.do("GET", "/products", "", "Host", "10.1.2.3:8080").StatusCode, "for all else the name counts")
}

// A Redis that is absent at the start is no reason not to start.
func TestShopStartsWithoutRedis(t *testing.T) {
	s := start(t, "-redis", "redis://127.0.0.1:1", "-keys", filepath.Join(t.TempDir(), "keys"))
	s.expect(200, "", "GET", "/healthz", "")
	require.Equal(t, 503, s.do("POST", "/auth/login", credentials(0)).StatusCode)
	require.Contains(t, s.log.String(), "Redis is not ready")
}

// A shelf is a shelf, here and there.
func TestShelvesBehaveAlike(t *testing.T) {
	client := redis.NewClient(redistest.Start(t).Options())
	t.Cleanup(func() { _ = client.Close() })
	for name, kept := range map[string]shelf{"memory": newMemoryShelf(), "redis": redisShelf{client}} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			o := orders{kept}
			_, err := o.find(ctx, "nothing")
			require.ErrorIs(t, err, errNoOrder)
			placed, err := o.add(ctx, "ada", newOrder{})
			require.NoError(t, err)
			_, err = o.change(ctx, placed.ID, func(o *order) error { o.Note = "refused"; return errRefunded })
			require.ErrorIs(t, err, errRefunded)
			_, err = o.change(ctx, "nothing", func(*order) error { return nil })
			require.ErrorIs(t, err, errNoOrder)

			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { // none is lost
					_, err := o.change(ctx, placed.ID, func(o *order) error { o.Note += "x"; return nil })
					assert.NoError(t, err)
				})
			}
			all.Wait()
			found, err := o.find(ctx, placed.ID)
			require.NoError(t, err)
			require.Equal(t, "xxxx", found.Note)
			require.Equal(t, "ada", found.Owner)

			for i := range 5 {
				key := fmt.Sprintf("thing:%d", i)
				require.NoError(t, kept.update(ctx, key, func([]byte) ([]byte, error) { return []byte("x"), nil }))
				require.NoError(t, kept.list(ctx, "things", key, 3))
			}
			keys, err := kept.head(ctx, "things", 10)
			require.NoError(t, err)
			require.Equal(t, []string{"thing:4", "thing:3", "thing:2"}, keys)
			gone, err := kept.get(ctx, "thing:1")
			require.NoError(t, err)
			require.Nil(t, gone, "what falls off is thrown away")

			for i := range 200 { // at once, too
				all.Go(func() {
					key := fmt.Sprintf("crowd:%d", i)
					assert.NoError(t, kept.update(ctx, key, func([]byte) ([]byte, error) { return []byte("x"), nil }))
					assert.NoError(t, kept.list(ctx, "crowd", key, 3))
				})
			}
			all.Wait()
			keys, err = kept.head(ctx, "crowd", 10)
			require.NoError(t, err)
			require.Len(t, keys, 3)
			left := 0
			for i := range 200 {
				thing, err := kept.get(ctx, fmt.Sprintf("crowd:%d", i))
				require.NoError(t, err)
				if thing != nil {
					left++
				}
			}
			require.Equal(t, 3, left, "nothing is left behind")
		})
	}
}
