package redisauth_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

func recorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

// handlers are all ways in.
func (d *desk) handlers() []http.Handler {
	return []http.Handler{errors.HandlerFunc(d.Login), d.Refresh(), d.LogoutAll(), d.Logout()}
}

// ahead returns the token that a client got some rotations after this one, from
// a store that has lost them since: made here with the key.
func (d *desk) ahead(token string, rotations uint64) string {
	b, err := base64.RawURLEncoding.DecodeString(token[3:])
	require.NoError(d.t, err)
	body := b[:40]
	generation := binary.BigEndian.Uint64(append(make([]byte, 2), body[34:]...)) + rotations
	copy(body[34:], binary.BigEndian.AppendUint64(nil, generation)[2:])
	mac := hmac.New(sha256.New, keys[0].Secret)
	mac.Write([]byte("ringwall refresh token 1\x00"))
	mac.Write(body)
	return "rt_" + base64.RawURLEncoding.EncodeToString(append(body, mac.Sum(nil)[:16]...))
}

// secrets returns all forms of tokens, and of the material that they are made
// from.
func secrets(tokens ...string) []string {
	var all []string
	for _, token := range tokens {
		all = append(all, token, hex.EncodeToString([]byte(token)))
		if len(token) == 78 {
			b, _ := base64.RawURLEncoding.DecodeString(token[3:])
			secret := b[18:34]
			all = append(all, token[3:], string(secret), hex.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret), string(b[40:]), hex.EncodeToString(b[40:]))
		}
	}
	return all
}

// presenters presents one token at once, and returns how often there was each
// status and each successor.
func (d *desk) presenters(token string, n int) (statuses map[int]int, successors map[string]int) {
	statuses, successors = map[int]int{}, map[string]int{}
	start := make(chan struct{})
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			<-start
			w := d.post(d.Refresh(), token)
			mu.Lock()
			defer mu.Unlock()
			statuses[w.Code]++
			if successor := cookieOf(w); successor != "" {
				successors[successor]++
			}
		})
	}
	close(start)
	all.Wait()
	return statuses, successors
}

// tabs plays honest tabs: they share a jar, and their requests are under way
// for less than Grace, 10 s, and arrive in order. It returns the number of
// requests.
func (d *desk) tabs(schedules int) (requests int) {
	d.t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(schedules)))
	for range schedules {
		jar, flying := d.login(), []string(nil)
		for range 12 { // at most 800 ms each: no request flies for longer than 9.6 s
			d.pass(time.Duration(random.IntN(800)) * time.Millisecond)
			flying = append(flying, jar)
			for len(flying) > 0 && random.IntN(2) == 0 {
				status, next := d.refresh(flying[0])
				require.Equal(d.t, 200, status, "a false logout")
				jar, flying = next, flying[1:]
				requests++
			}
		}
	}
	require.NotContains(d.t, d.events, session.TokenReused)
	return requests
}

// schedules runs SR12 300 times: with Grace no honest client is logged out;
// without it, a reused token ends its session.
func schedules(t *testing.T, store session.Store, pass func(time.Duration)) {
	d := newDesk(t, store, pass, grace(10*second))
	t.Logf("300 schedules with Grace: %d requests, false logouts 0", d.tabs(300))

	d = newDesk(t, store, pass)
	random := rand.New(rand.NewPCG(3, 4))
	twice := 0
	for range 300 {
		tokens, used := []string{d.login()}, map[int]bool{}
		for range 12 {
			i := max(0, len(tokens)-1-random.IntN(3)) // one of the newest
			if random.IntN(3) > 0 {
				i = len(tokens) - 1
			}
			status, next := d.refresh(tokens[i])
			if used[i] {
				require.Equal(t, 401, status)
				d.refused(tokens[len(tokens)-1])
				twice++
				break
			}
			require.Equal(t, 200, status)
			tokens, used[i] = append(tokens, next), true
		}
	}
	ends := 0
	for _, e := range d.events {
		if e == session.TokenReused {
			ends++
		}
	}
	require.Equal(t, twice, ends)
	require.Greater(t, twice, 100)
	t.Logf("300 schedules without Grace: used twice %d, sessions ended by it %d", twice, ends)
}

// down is a store that does not reply.
type down struct{}

var errDown = errors.New("dial tcp: connection refused")

func (down) Create(context.Context, session.Creation) (session.Created, error) {
	return session.Created{}, errDown
}
func (down) Rotate(context.Context, session.Rotation) (session.Rotated, error) {
	return session.Rotated{}, errDown
}
func (down) List(context.Context, string) ([]session.Record, error) { return nil, errDown }
func (down) Delete(context.Context, string, ...string) ([]session.Ended, error) {
	return nil, errDown
}
func (down) DeleteAll(context.Context, string, ...string) ([]session.Ended, error) {
	return nil, errDown
}

// spy records the calls of a store.
type spy struct {
	session.Store
	told string
}

func (s *spy) Create(ctx context.Context, c session.Creation) (session.Created, error) {
	s.told += fmt.Sprintf("%+v %x %s", c, c, c.Value)
	return s.Store.Create(ctx, c)
}

func (s *spy) Rotate(ctx context.Context, r session.Rotation) (session.Rotated, error) {
	s.told += fmt.Sprintf("%+v %x", r, r)
	return s.Store.Rotate(ctx, r)
}

// checksum is a naive twin of the one in API keys: CRC-32 in base 62.
func checksum(text string) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum, digits := crc32.ChecksumIEEE([]byte(text)), ""
	for range 6 {
		digits = string(alphabet[sum%62]) + digits
		sum /= 62
	}
	return digits
}

// keep returns a delivery that records the texts.
func keep(texts *[]string) func(context.Context, apikey.Key, string) error {
	return func(_ context.Context, _ apikey.Key, text string) error {
		*texts = append(*texts, text)
		return nil
	}
}
