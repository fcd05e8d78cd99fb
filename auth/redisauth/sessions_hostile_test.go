package redisauth_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// purse has the tokens that a crowd has collected, of every age and of both
// subjects.
type purse struct {
	mu     sync.Mutex
	tokens []string
}

func (p *purse) put(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if token != "" {
		p.tokens = append(p.tokens, token)
	}
}

// pick prefers the newest, which may be live.
func (p *purse) pick(r *rand.Rand) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.IntN(3) > 0 {
		return p.tokens[len(p.tokens)-1-r.IntN(min(6, len(p.tokens)))]
	}
	return p.tokens[r.IntN(len(p.tokens))]
}

// TestCrowdFindsNoContradiction lets a crowd use all tokens at random, in two processes and as two
// subjects, with logins that replace each other. At any time, a session either
// exists and its access tokens are valid, or it has ended and they are revoked.
func TestCrowdFindsNoContradiction(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	onEach(t, func(t *testing.T, store session.Store, pass func(time.Duration)) {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				play(t, store, pass, func(t *testing.T, store session.Store, pass func(time.Duration)) {
					crowd(t, store, pass, seed)
				})
			})
		}
	})
}

func crowd(t *testing.T, store session.Store, pass func(time.Duration), seed uint64) {
	limits := func(o *session.Options) { o.MaxSessions, o.Grace = 3, time.Duration(seed)*second }
	ann := newDesk(t, store, pass, limits)
	bob := newDesk(t, store, pass, limits, func(o *session.Options) { o.Revocations = ann.revoked })
	desks := []*desk{ann, bob, ann.again(limits), bob.again(limits)}
	var all purse
	all.put(ann.login())
	all.put(bob.login())
	var running sync.WaitGroup
	for worker := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, worker))
		running.Go(func() {
			for range 60 {
				d, token := desks[random.IntN(len(desks))], all.pick(random)
				want := []int{200, 401}
				var status int
				switch n := random.IntN(20); {
				case n < 5:
					w := d.post(errors.HandlerFunc(d.Login), "", "Cookie", "__Host-refresh="+token)
					status = w.Code
					all.put(cookieOf(w))
				case n < 15:
					w := d.post(d.Refresh(), token)
					status = w.Code
					all.put(cookieOf(w))
				case n < 18:
					status, want = d.post(d.Logout(), token).Code, []int{204}
				case n < 19:
					status, want = d.post(d.LogoutAll(), token).Code, []int{204, 401}
				default:
					status = 200
					if err := d.RevokeAll(t.Context(), d.subject); err != nil {
						t.Error(err)
					}
				}
				if !slices.Contains(want, status) {
					t.Error(status)
				}
			}
		})
	}
	running.Wait()
	live := map[string]bool{}
	for _, d := range []*desk{ann, bob} {
		list, err := d.List(t.Context(), d.subject)
		require.NoError(t, err)
		require.LessOrEqual(t, len(list), 3)
		for _, s := range list {
			require.Equal(t, d.subject, s.Subject)
			live[s.ID] = true
		}
	}
	for _, id := range slices.Concat(ann.issued, bob.issued) {
		revoked := errors.Is(ann.revoked.Check(t.Context(), "", id, "", time.Now()), auth.ErrRevoked)
		require.NotEqual(t, live[id], revoked, "%s: live %v", id, live[id])
	}
}

// TestHoardedTokensDoNotFillRedis checks that a client with many tokens of ended sessions
// cannot fill Redis with logouts, nor make each slower than the one before.
func TestHoardedTokensDoNotFillRedis(t *testing.T) {
	t.Parallel()
	client := single(t)
	store := sessions(t, client, redisauth.Options{})
	d := newDesk(t, store, store.Advance)
	var hoard []string
	for range 300 {
		hoard = append(hoard, d.login())
		require.NoError(t, d.RevokeAll(t.Context(), d.subject))
		store.Advance(time.Minute)
	}
	store.Advance(2 * time.Hour)
	require.NoError(t, client.FlushAll(t.Context()).Err()) // all that was kept of them has expired
	for _, token := range hoard {
		require.Equal(t, 204, d.post(d.Logout(), token).Code)
	}
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.Len(t, keys, 1)
	fields, err := client.HLen(t.Context(), keys[0]).Result()
	require.NoError(t, err)
	require.Less(t, fields, int64(10))
}
