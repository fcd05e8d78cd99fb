package redisauth_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
)

// TestLeastPermissionsSuffice holds that the user of doc.go is enough, over TLS, and may do
// nothing else.
func TestLeastPermissionsSuffice(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?s)(user auth on >secret .*?)\n//\n`).FindSubmatch(doc)
	require.NotNil(t, found)
	user := strings.Join(strings.Fields(strings.ReplaceAll(string(found[1]), "//", " ")), " ")
	server := redistest.StartTLS(t, user)
	o := server.Options()
	o.Username, o.Password = "auth", "secret"
	client := connect(t, redis.NewClient(o))
	store, keyStore, feed := sessions(t, client, redisauth.Options{}), apiKeys(t, client, redisauth.Options{}), revocations(t, client, redisauth.Options{})
	require.NoError(t, store.Ready(t.Context()))

	d := newDesk(t, store, store.Advance)
	d.mustRefresh(d.mustRefresh(d.login()))
	twice := d.login()
	d.mustRefresh(twice)
	d.refused(twice)
	list, err := d.List(t.Context(), d.subject)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, 204, d.post(d.Logout(), d.login()).Code)
	require.NoError(t, d.RevokeAll(t.Context(), d.subject))

	r := newRing(t, keyStore)
	r.create()
	require.NoError(t, r.call(r.text, home))
	keys, err := r.List(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.NoError(t, r.Revoke(t.Context(), r.key.ID))

	require.NoError(t, feed.Add(t.Context(), auth.Revocation{Token: "dead", Until: time.Now().Add(-time.Hour)}))
	require.NoError(t, feed.Add(t.Context(), auth.Revocation{Token: "t", Until: time.Now().Add(time.Hour)}))
	_, position, err := feed.Load(t.Context())
	require.NoError(t, err)
	_, _, err = feed.Next(t.Context(), position)
	require.NoError(t, err)
	require.NoError(t, client.Do(t.Context(), "wait", 0, 1).Err(), "with Replicas")

	fresh, err := errors.Must(redisauth.NewReplayStore(client, redisauth.Options{})).Use(t.Context(), "a", time.Now().Add(time.Minute))
	require.NoError(t, err)
	require.True(t, fresh)
	replies := errors.Must(redisauth.NewIntrospectionCache(client, redisauth.Options{}))
	require.NoError(t, replies.Store(t.Context(), "a", []byte("{}"), time.Minute))
	reply, err := replies.Load(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "{}", string(reply))

	elsewhere := sessions(t, client, redisauth.Options{Prefix: "other:"})
	_, err = elsewhere.List(t.Context(), strings.Repeat("0", 32))
	require.ErrorContains(t, err, "NOPERM")
	require.Error(t, client.FlushAll(t.Context()).Err())
}
