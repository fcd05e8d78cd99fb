package redisauth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
)

func inAnHour() time.Time { return time.Now().Add(time.Hour).Truncate(time.Millisecond) }

// TestFeedDeliversRevocations holds what auth.RevocationFeed promises.
func TestFeedDeliversRevocations(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			ctx, f := t.Context(), revocations(t, kind.start(t), redisauth.Options{})
			all, start, err := f.Load(ctx)
			require.NoError(t, err)
			require.Empty(t, all)
			none, position, err := f.Next(ctx, start)
			require.NoError(t, err)
			require.Empty(t, none)
			require.Equal(t, start, position)

			until, issued := inAnHour(), time.Now().Truncate(time.Millisecond)
			want := []auth.Revocation{
				{Token: "jti \x00\xff 1", Until: until}, {Session: "s1", Until: until.Add(time.Second)}, {Subject: "ann", IssuedBefore: issued, Until: until},
			}
			for _, v := range want {
				require.NoError(t, f.Add(ctx, v))
			}
			got, position, err := f.Next(ctx, start)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(want), fmt.Sprint(got))
			all, loaded, err := f.Load(ctx)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(want), fmt.Sprint(all))
			require.Equal(t, position, loaded)
			require.NoError(t, f.Add(ctx, auth.Revocation{Token: "exact", Until: until.Add(1)}))
			got, _, err = f.Next(ctx, loaded)
			require.NoError(t, err)
			require.Len(t, got, 1)
			require.False(t, got[0].Until.Before(until.Add(1)), "never earlier")
		})
	}
}

// TestLongFeedIsReadInPages holds that a long feed is read whole, and a reader that is far
// behind catches up.
func TestLongFeedIsReadInPages(t *testing.T) {
	t.Parallel()
	client := single(t)
	ctx, f := t.Context(), revocations(t, client, redisauth.Options{})
	_, start, err := f.Load(ctx)
	require.NoError(t, err)
	for i := range 1100 {
		require.NoError(t, f.Add(ctx, auth.Revocation{Token: fmt.Sprint(i), Until: inAnHour()}))
	}
	all, position, err := f.Load(ctx)
	require.NoError(t, err)
	var added []auth.Revocation
	for at := start; at != position; {
		var some []auth.Revocation
		some, at, err = f.Next(ctx, at)
		require.NoError(t, err)
		added = append(added, some...)
	}
	for _, list := range [][]auth.Revocation{all, added} {
		require.Len(t, list, 1100)
		for i, v := range list {
			require.Equal(t, fmt.Sprint(i), v.Token)
		}
	}
}

// TestExpiredEntriesAreDeleted checks that expired entries are deleted, a few at a time, and
// that live ones stay, wherever they are.
func TestExpiredEntriesAreDeleted(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			ctx, f := t.Context(), revocations(t, kind.start(t), redisauth.Options{})
			add := func(name string, life time.Duration) {
				t.Helper()
				require.NoError(t, f.Add(ctx, auth.Revocation{Token: name, Until: time.Now().Add(life)}))
			}
			entries := func() int { return int(errors.Must(f.Stream(ctx))) }
			for i := range 100 {
				add(fmt.Sprint("dead", i), -time.Second)
			}
			require.LessOrEqual(t, entries(), 2, "and the one that was just added")
			const alive = 40
			var want []string
			for i := range 400 {
				if i%10 == 0 {
					want = append(want, fmt.Sprint("alive", i))
					add(want[len(want)-1], 24*time.Hour)
				}
				add(fmt.Sprint("brief", i), time.Minute)
			}
			before := entries()
			require.GreaterOrEqual(t, before, 400+alive)
			f.Advance(2 * time.Minute)
			add("dead", time.Minute)
			require.GreaterOrEqual(t, entries(), before+1-8, "a call looks at a few")
			for i := range 1000 {
				add(fmt.Sprint("dead", i), time.Minute)
				if i > 100 {
					require.LessOrEqual(t, entries(), alive*4/3+2)
				}
			}
			all, _, err := f.Load(ctx)
			require.NoError(t, err)
			var kept []string
			for _, v := range all {
				if time.Until(v.Until) > time.Hour {
					kept = append(kept, v.Token)
				}
			}
			require.Equal(t, want, kept)
		})
	}
}

// TestReadersOfATrimmedFeedMissNoLiveEntry checks that a reader that follows never starts again,
// and that one that is behind misses no live entry.
func TestReadersOfATrimmedFeedMissNoLiveEntry(t *testing.T) {
	t.Parallel()
	ctx, f := t.Context(), revocations(t, single(t), redisauth.Options{})
	_, start, err := f.Load(ctx)
	require.NoError(t, err)
	close, far, known, alive := start, start, map[string]bool{}, map[string]bool{}
	for i := range 500 {
		v := auth.Revocation{Token: fmt.Sprint(i), Until: inAnHour()}
		if i%7 != 0 {
			v.Until = time.Now().Add(-time.Second)
		} else {
			alive[v.Token] = true
		}
		require.NoError(t, f.Add(ctx, v))
		_, close, err = f.Next(ctx, close)
		require.NoError(t, err)
		if i%23 != 0 {
			continue
		}
		added, next, err := f.Next(ctx, far)
		if errors.Is(err, auth.ErrPositionLost) {
			added, next, err = f.Load(ctx)
		}
		require.NoError(t, err)
		for _, v := range added {
			known[v.Token] = true
		}
		far = next
		for token := range alive {
			require.True(t, known[token], token)
		}
	}
}

// A process has the parts of one replica of a service.
type process struct {
	sessions *session.Manager
	verifier *token.Verifier
	revoked  *auth.Revocations
}

// newProcess starts one on a Redis.
func newProcess(t *testing.T, client redis.UniversalClient, signing *token.Keys) *process {
	t.Helper()
	p := &process{}
	p.revoked = errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: revocations(t, client, redisauth.Options{}), Logger: slog.New(slog.DiscardHandler)}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.revoked.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	const self = "https://api.example.com"
	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: signing, Issuer: self, Audience: []string{"api"}}))
	p.verifier = errors.Must(token.NewVerifier(token.VerifierOptions{Keys: signing, Issuer: self, Audience: []string{"api"}, Revocations: p.revoked}))
	p.sessions = errors.Must(session.New(session.Options{
		Issue: issuer.ForSession, Account: func(_ context.Context, s session.Session) (session.Session, error) {
			if s.Subject == "locked" {
				return s, auth.ErrRevoked
			}
			return s, nil
		},
		Revocations: p.revoked, Store: sessions(t, client, redisauth.Options{}), Keys: keys, MaxSessions: 2, Logger: slog.New(slog.DiscardHandler),
	}))
	require.Eventually(t, func() bool { return p.revoked.Ready(context.Background()) == nil }, 10*time.Second, 5*time.Millisecond)
	return p
}

// login returns both tokens.
func (p *process) login(t *testing.T, subject string) (access, refresh string) {
	t.Helper()
	w := recorder()
	tokens, err := p.sessions.Login(w, request("POST", ""), session.Session{Subject: subject})
	require.NoError(t, err)
	return tokens.AccessToken, cookieOf(w)
}

func (p *process) check(access string) error {
	r := httptest.NewRequest("GET", "https://api.example.com/orders", nil)
	r.Header.Set("Authorization", "Bearer "+access)
	_, err := p.verifier.Authenticate(r)
	return err
}

// TestTwoProcessesShareRevocations holds that the access tokens of a session that ended in one
// are refused in the other within a second.
func TestTwoProcessesShareRevocations(t *testing.T) {
	t.Parallel()
	client := single(t)
	signing := errors.Must(token.NewKeys(errors.Must(token.GenerateKey())))
	a, b := newProcess(t, client, signing), newProcess(t, client, signing)
	for _, tt := range []struct {
		name, subject string
		end           func(t *testing.T, subject, refresh string)
	}{
		{name: "logout", subject: "ann", end: func(t *testing.T, _, refresh string) {
			w := recorder()
			a.sessions.Logout().ServeHTTP(w, request("POST", refresh))
			require.Equal(t, 204, w.Code)
		}},
		{name: "theft, seen by either", subject: "bob", end: func(t *testing.T, _, refresh string) {
			for _, p := range []*process{b, a} {
				p.sessions.Refresh().ServeHTTP(recorder(), request("POST", refresh))
			}
		}},
		{name: "revoked", subject: "eve", end: func(t *testing.T, subject, _ string) {
			list, err := b.sessions.List(t.Context(), subject)
			require.NoError(t, err)
			require.NoError(t, a.sessions.Revoke(t.Context(), subject, list[0].ID))
		}},
		{name: "all revoked", subject: "joe", end: func(t *testing.T, subject, _ string) {
			require.NoError(t, a.sessions.RevokeAll(t.Context(), subject))
		}},
		{name: "evicted", subject: "max", end: func(t *testing.T, subject, _ string) {
			a.login(t, subject)
			a.login(t, subject)
		}},
		{name: "a locked account", subject: "locked", end: func(t *testing.T, _, refresh string) {
			w := recorder()
			a.sessions.Refresh().ServeHTTP(w, request("POST", refresh))
			require.Equal(t, 401, w.Code)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			access, refresh := a.login(t, tt.subject)
			require.NoError(t, b.check(access))
			tt.end(t, tt.subject, refresh)
			require.ErrorIs(t, a.check(access), auth.ErrRevoked, "here at once")
			at := time.Now()
			require.Eventually(t, func() bool { return errors.Is(b.check(access), auth.ErrRevoked) }, 5*time.Second, 5*time.Millisecond)
			t.Logf("refused on another process after %s", time.Since(at).Round(time.Millisecond))
			require.Less(t, time.Since(at), 2*time.Second, "a second, and another for a machine that is busy")
			w := recorder()
			b.sessions.Refresh().ServeHTTP(w, request("POST", refresh))
			require.Equal(t, 401, w.Code)
		})
	}
	late := newProcess(t, client, signing)
	access, _ := a.login(t, "zoe")
	require.NoError(t, late.check(access))
	require.NoError(t, a.sessions.RevokeAll(t.Context(), "zoe"))
	again, _ := b.login(t, "zoe")
	require.NoError(t, newProcess(t, client, signing).check(again), "a login after it is good everywhere")
	require.ErrorIs(t, newProcess(t, client, signing).check(access), auth.ErrRevoked, "a process that starts later knows")
}

// TestRevocationsWithoutRedisAreUnavailable checks that a process that cannot read responds
// with 503, and recovers.
func TestRevocationsWithoutRedisAreUnavailable(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, durable...)
	proxy := redistest.StartProxy(t, server.Addr)
	client := connect(t, redis.NewClient(&redis.Options{Addr: proxy.Addr}))
	proxy.Refuse(true)
	feed := revocations(t, client, redisauth.Options{Timeout: 200 * time.Millisecond})
	revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: feed, Logger: slog.New(slog.DiscardHandler)}))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = revoked.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	require.ErrorIs(t, revoked.Check(ctx, "", "s", "", time.Now()), auth.ErrUnavailable)
	require.ErrorIs(t, revoked.RevokeSession(ctx, "s1", inAnHour()), auth.ErrUnavailable)
	proxy.Refuse(false)
	require.Eventually(t, func() bool { return revoked.Check(ctx, "", "s", "", time.Now()) == nil }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, revoked.RevokeSession(ctx, "s2", inAnHour()))
}
