package redisauth

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/rediscall"
)

// A store has the parts that all stores of this package share.
type store struct {
	client    redis.UniversalClient
	prefix    string
	replicas  int
	rotations bool
	timeout   time.Duration
	calls     rediscall.Calls
	skew      time.Duration // added to the clock of Redis, in tests
}

// newStore checks the client and the options. It reports all problems, joined.
func newStore(client redis.UniversalClient, o Options) (*store, error) {
	var problems []error
	reportIf := func(bad bool, text string) {
		if bad {
			problems = append(problems, errors.New("redisauth: "+text))
		}
	}
	if o.Prefix == "" {
		o.Prefix = "ringwall:"
	}
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	bad := func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '{' || c == '}' }
	reportIf(len(o.Prefix) > 64 || strings.ContainsFunc(o.Prefix, bad), "Prefix "+strconv.Quote(o.Prefix)+": must have 1 to 64 visible ASCII characters without braces")
	reportIf(o.Replicas < 0, "Replicas "+strconv.Itoa(o.Replicas)+": is negative; did you mean 0, for none?")
	reportIf(o.WaitRotations && o.Replicas == 0, "WaitRotations: has no effect without Replicas; did you mean Replicas: 1?")
	reportIf(o.Timeout < 10*time.Millisecond || o.Timeout > 5*time.Second, "Timeout "+o.Timeout.String()+": must be between 10ms and 5s")
	switch client := client.(type) {
	case nil:
		reportIf(true, "client: must not be nil; did you mean redis.NewClient?")
	case *redis.Client:
		reportIf(client == nil, "client: must not be nil; did you mean redis.NewClient?")
	case *redis.ClusterClient:
		reportIf(client == nil, "client: must not be nil; did you mean redis.NewClusterClient?")
	default:
		reportIf(o.Replicas > 0, "Replicas: needs a *redis.Client or a *redis.ClusterClient, because WAIT applies to one connection")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &store{
		client: client, prefix: o.Prefix, replicas: o.Replicas, rotations: o.WaitRotations, timeout: o.Timeout,
	}, nil
}

// Ready returns an error, an [auth.ErrUnavailable], unless Redis replies, is a master,
// has maxmemory-policy noeviction, and has at least Options.Replicas replicas. On a
// Cluster, it checks every master. An evicted session ends a login, and an evicted
// revocation makes a token valid again. Keys of rate limits may be evicted, so they
// belong in another Redis.
func (s *store) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.calls.Do(ctx, func(ctx context.Context) error {
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return s.readyNode(ctx, node) })
		}
		return s.readyNode(ctx, s.client)
	})
	if err != nil {
		return unavailableError(err)
	}
	return nil
}

func (s *store) readyNode(ctx context.Context, node redis.Cmdable) error {
	memory, err := node.Info(ctx, "memory").Result()
	if err != nil {
		return err
	}
	if policy := infoField(memory, "maxmemory_policy"); policy != "noeviction" {
		return errors.New("redisauth: maxmemory-policy is " + policy + ", so Redis may evict sessions and revocations; it must be noeviction")
	}
	replication, err := node.Info(ctx, "replication").Result()
	if err != nil {
		return err
	}
	if role := infoField(replication, "role"); role != "master" {
		return errors.New("redisauth: Redis is a " + role + ", which accepts no writes")
	}
	if n, _ := strconv.Atoi(infoField(replication, "connected_slaves")); n < s.replicas {
		return errors.New("redisauth: " + strconv.Itoa(n) + " replicas are connected; " + strconv.Itoa(s.replicas) + " must confirm")
	}
	return nil
}

// infoField returns the value of a field of INFO, or "".
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
