package redistest

import (
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A Sentinel has three Sentinels, a master and two replicas. The master is Servers[0]
// until a failover. The Sentinels replace a master that does not respond for half a
// second.
type Sentinel struct {
	Sentinels, Servers []*Server
}

// MasterName is the name of the master in the Sentinels' configuration.
const MasterName = "limits"

// StartSentinel starts Sentinels and their servers. It returns when each Sentinel
// knows the others and both replicas.
func StartSentinel(t testing.TB, config ...string) *Sentinel {
	t.Helper()
	s := &Sentinel{Servers: startAll(t, 3, func(int) settings { return settings{config: config} })}
	for _, r := range s.Servers[1:] {
		r.ReplicaOf(t, s.Servers[0])
	}
	host, port, _ := net.SplitHostPort(s.Servers[0].Addr)
	s.Sentinels = startAll(t, 3, func(int) settings {
		return settings{sentinel: true, config: []string{
			"sentinel monitor " + MasterName + " " + host + " " + port + " 2",
			"sentinel down-after-milliseconds " + MasterName + " 500",
			"sentinel failover-timeout " + MasterName + " 3000",
		}}
	})
	for _, n := range s.Sentinels {
		// The default periods are up to ten seconds.
		n.Do(t, "SENTINEL", "DEBUG", "INFO-PERIOD", 200, "PUBLISH-PERIOD", 100, "PING-PERIOD", 100, "ASK-PERIOD", 100)
	}
	Await(t, startWithin, "the Sentinels know all", func() bool {
		for _, n := range s.Sentinels {
			reply, err := n.Try("SENTINEL", "MASTER", MasterName)
			if err != nil || replyField(reply, "num-slaves") != "2" || replyField(reply, "num-other-sentinels") != "2" {
				return false
			}
		}
		return true
	})
	return s
}

// replyField returns a field of a RESP3 or RESP2 reply.
func replyField(reply any, name string) string {
	switch r := reply.(type) {
	case map[any]any:
		return fmt.Sprint(r[name])
	case []any:
		if i := slices.Index(r, any(name)); i >= 0 && i+1 < len(r) {
			return fmt.Sprint(r[i+1])
		}
	}
	return ""
}

// Options returns the options of a client, with go-redis's defaults.
func (s *Sentinel) Options() *redis.FailoverOptions {
	o := &redis.FailoverOptions{MasterName: MasterName}
	for _, n := range s.Sentinels {
		o.SentinelAddrs = append(o.SentinelAddrs, n.Addr)
	}
	return o
}

// Master returns the server that the first Sentinel reports as the master.
func (s *Sentinel) Master(t testing.TB) *Server {
	t.Helper()
	reply, _ := s.Sentinels[0].Do(t, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName).([]any)
	for _, server := range s.Servers {
		if len(reply) == 2 && net.JoinHostPort(fmt.Sprint(reply[0]), fmt.Sprint(reply[1])) == server.Addr {
			return server
		}
	}
	t.Fatalf("the Sentinels know an unknown master: %v", reply)
	return nil
}
