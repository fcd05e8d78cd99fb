package redisauth_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
)

// connect returns a client that closes with the test.
func connect[C redis.UniversalClient](t *testing.T, client C) C {
	t.Helper()
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// single starts a Redis.
func single(t *testing.T) redis.UniversalClient {
	t.Helper()
	return connect(t, redis.NewClient(redistest.Start(t).Options()))
}

// cluster starts a Cluster.
func cluster(t *testing.T) redis.UniversalClient {
	t.Helper()
	return connect(t, redis.NewClusterClient(redistest.StartCluster(t).Options()))
}

// kinds are those of Redis that everything has to work on.
var kinds = []struct {
	name  string
	start func(*testing.T) redis.UniversalClient
}{{name: "single", start: single},
	{name: "cluster", start: cluster}}

// kindsOf returns the kinds of Redis that a test runs on: with -short only one server.
func kindsOf() []struct {
	name  string
	start func(*testing.T) redis.UniversalClient
} {
	if testing.Short() {
		return kinds[:1]
	}
	return kinds
}

// patient sets timeouts for a busy machine.
func patient(o redisauth.Options) redisauth.Options {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	return o
}

func sessions(t *testing.T, client redis.UniversalClient, o redisauth.Options) *redisauth.SessionStore {
	t.Helper()
	return errors.Must(redisauth.NewSessionStore(client, patient(o)))
}

func apiKeys(t *testing.T, client redis.UniversalClient, o redisauth.Options) *redisauth.KeyStore {
	t.Helper()
	return errors.Must(redisauth.NewKeyStore(client, patient(o)))
}

func revocations(t *testing.T, client redis.UniversalClient, o redisauth.Options) *redisauth.RevocationFeed {
	t.Helper()
	return errors.Must(redisauth.NewRevocationFeed(client, patient(o)))
}

// TestNewReportsAllProblems checks that all problems are reported at once.
func TestNewReportsAllProblems(t *testing.T) {
	client := connect(t, redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}))
	for _, tt := range []struct {
		name   string
		client redis.UniversalClient
		o      redisauth.Options
		want   string
	}{
		{name: "nothing", o: redisauth.Options{}, want: "redisauth: client: must not be nil; did you mean redis.NewClient?"},
		{name: "a nil client", client: (*redis.Client)(nil), o: redisauth.Options{}, want: "redisauth: client: must not be nil; did you mean redis.NewClient?"},
		{
			name:   "a nil Cluster",
			client: (*redis.ClusterClient)(nil),
			o:      redisauth.Options{},
			want:   "redisauth: client: must not be nil; did you mean redis.NewClusterClient?",
		},
		{name: "all", client: client, o: redisauth.Options{Prefix: "a{b}", Replicas: -1, Timeout: 1}, want: "redisauth: Prefix \"a{b}\": must have 1 to 64 visible ASCII characters without braces\n" +
			"redisauth: Replicas -1: is negative; did you mean 0, for none?\nredisauth: Timeout 1ns: must be between 10ms and 5s"},
		{
			name:   "rotations alone",
			client: client,
			o:      redisauth.Options{WaitRotations: true},
			want:   "redisauth: WaitRotations: has no effect without Replicas; did you mean Replicas: 1?",
		},
		{
			name:   "a ring",
			client: connect(t, redis.NewRing(&redis.RingOptions{})),
			o:      redisauth.Options{Replicas: 1},
			want:   "redisauth: Replicas: needs a *redis.Client or a *redis.ClusterClient, because WAIT applies to one connection",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := redisauth.NewSessionStore(tt.client, tt.o)
			require.EqualError(t, err, tt.want)
			_, err = redisauth.NewKeyStore(tt.client, tt.o)
			require.EqualError(t, err, tt.want)
			_, err = redisauth.NewRevocationFeed(tt.client, tt.o)
			require.EqualError(t, err, tt.want)
		})
	}
}
