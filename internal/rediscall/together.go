package rediscall

import (
	"context"
	"net"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// maxMoves is the maximum number of redirections to another node.
const maxMoves = 3

// Together sends commands in order on one connection to the node of the key, so that
// a final WAIT covers the first command's write. It follows a MOVED or an ASK reply
// to the first command, because a client of a single node does not. It sends all
// commands again then; until then, the others must have had no effect, as WAIT has
// none. Each command has its own error.
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
			// ASKING applies only to the next command.
			send = append([]redis.Cmder{redis.NewCmd(ctx, "asking")}, commands...)
		}
		for _, c := range commands {
			c.SetErr(nil) // go-redis sets a connection error only on commands without an error
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
	_, _ = p.Exec(ctx) // each command has its own error
}

// nodeAt returns a client for a node and a function that closes it if it is
// temporary. A node without slots is unknown to the Cluster's client, so nodeAt
// creates a client with the options of like.
func nodeAt(ctx context.Context, cluster *redis.ClusterClient, like *redis.Client, addr string) (*redis.Client, func()) {
	addr = bracketed(addr)
	var mu sync.Mutex
	var found *redis.Client
	// ForEachMaster reloads the slots first, if it can.
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

// bracketed adds the brackets to an IPv6 address: a Cluster sends ::1:6379.
func bracketed(addr string) string {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 || strings.HasPrefix(addr, "[") {
		return addr
	}
	return net.JoinHostPort(addr[:i], addr[i+1:])
}
