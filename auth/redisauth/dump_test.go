package redisauth_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
)

// TestDumpHasNoSecrets checks that a copy of Redis' disk has no token and no key: it searches
// the snapshot, and the log of every write, for all issued secrets.
func TestDumpHasNoSecrets(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "appendonly yes", "appendfsync always", "aof-use-rdb-preamble no", "rdbcompression no")
	client := connect(t, redis.NewClient(server.Options()))
	store, keyStore, feed := sessions(t, client, redisauth.Options{}), apiKeys(t, client, redisauth.Options{}), revocations(t, client, redisauth.Options{})
	d := newDesk(t, store, store.Advance, func(o *session.Options) { o.NativeClients = true })
	issued := []string{once, other}
	for range 20 {
		t0 := d.login()
		t1 := d.mustRefresh(t0, session.AttemptHeader, once)
		d.mustRefresh(t0, session.AttemptHeader, once)
		t2 := d.mustRefresh(t1)
		stolen := d.login()
		issued = append(issued, t0, t1, t2, stolen, d.mustRefresh(stolen))
		d.refused(stolen)
	}
	r := newRing(t, keyStore)
	for range 5 {
		r.create()
		issued = append(issued, r.text, errors.Must(r.Rotate(t.Context(), r.key.ID)))
		require.NoError(t, r.call(r.text, home))
	}
	r.age(91 * day)
	require.NoError(t, r.RotateDue(t.Context(), keep(&issued)))
	require.NoError(t, feed.Add(t.Context(), auth.Revocation{Session: d.issued[0], Until: time.Now().Add(time.Hour)}))
	require.NoError(t, d.RevokeAll(t.Context(), d.subject))
	issued = append(issued, d.login())

	server.Do(t, "SAVE")
	dir := errors.Must(client.ConfigGet(t.Context(), "dir").Result())["dir"]
	var disk strings.Builder
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			var b []byte
			b, err = os.ReadFile(path)
			_, _ = disk.Write(b)
		}
		return err
	}))
	copied := disk.String()
	require.Contains(t, copied, d.issued[0], "it is the right disk")
	require.Contains(t, copied, r.key.ID)
	searched := 0
	for _, text := range issued {
		for _, secret := range secrets(text) {
			require.NotContains(t, copied, secret)
			searched++
		}
		if strings.HasPrefix(text, "acme_") {
			secret := text[len(text)-49 : len(text)-6]
			require.NotContains(t, copied, secret)
			require.NotContains(t, copied, secret[:20])
		}
	}
	require.Greater(t, len(issued), 100)
	t.Logf("%d tokens and keys in %d forms, searched for in %d bytes: none found", len(issued), searched, len(copied))

	// With the MAC key too, the copy makes no token: the secret is not there.
	require.NotContains(t, copied, string(keys[0].Secret))
}
