package rediscall

import (
	"context"
	"net"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// maxMoves bounds how often commands are sent on to another node.
const maxMoves = 3

// Together sends commands to the node that has a key, on one connection, one
// after the other: WAIT, the last one, is then about what the first one wrote.
// While a slot moves, it follows the first command's MOVED and ASK, which a
// client of one node does not; of the others, WAIT alone has run until then, for
// nothing. The commands have their errors.
func Together(ctx context.Context, client redis.UniversalClient, key string, commands ...redis.Cmder) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		pipe(ctx, client, commands)
		return
	}
	master, err := cluster.MasterForKey(ctx, key)
	if err != nil {
		commands[0].SetErr(err)
		return
	}
	pipe(ctx, master, commands)
	for range maxMoves {
		send := commands
		addr, ok := redis.IsMovedError(commands[0].Err())
		if !ok {
			if addr, ok = redis.IsAskError(commands[0].Err()); !ok {
				return
			}
			// It goes for the next command alone.
			send = append([]redis.Cmder{redis.NewCmd(ctx, "asking")}, commands...)
		}
		for _, c := range commands {
			c.SetErr(nil) // go-redis writes that of a connection only where there is none
		}
		node, end := nodeAt(ctx, cluster, master, addr)
		pipe(ctx, node, send)
		end()
	}
}

func pipe(ctx context.Context, client redis.UniversalClient, commands []redis.Cmder) {
	p := client.Pipeline()
	for _, c := range commands {
		_ = p.Process(ctx, c) // queues it
	}
	_, _ = p.Exec(ctx) // each command has its own
}

// nodeAt returns the client of a node, and what ends it. One that has no slot
// yet is unknown to the Cluster's client: it gets a client like another's.
func nodeAt(ctx context.Context, cluster *redis.ClusterClient, like *redis.Client, addr string) (*redis.Client, func()) {
	addr = bracketed(addr)
	var mu sync.Mutex
	var found *redis.Client
	// It asks for the slots anew. Where that fails, none is found.
	_ = cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		if node.Options().Addr == addr {
			found = node
		}
		return nil
	})
	if found != nil {
		return found, func() {}
	}
	o := *like.Options()
	o.Addr, o.PoolSize, o.MinIdleConns, o.MaxRetries = addr, 1, 0, -1
	found = redis.NewClient(&o)
	return found, func() { _ = found.Close() }
}

// bracketed returns an address as clients write it: a Cluster that is on IPv6
// sends ::1:6379.
func bracketed(addr string) string {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 || strings.HasPrefix(addr, "[") {
		return addr
	}
	return net.JoinHostPort(addr[:i], addr[i+1:])
}
