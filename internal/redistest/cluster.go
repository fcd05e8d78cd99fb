package redistest

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A Cluster has three masters with equal ranges of slots, and a replica of each:
// Replicas[i] follows Masters[i]. A failed master is replaced after about two
// seconds. Other slots are served while a slot has no master.
type Cluster struct {
	Masters, Replicas []*Server
}

const (
	masters   = 3
	slotCount = 16384
)

// StartCluster starts a Cluster. It returns when all nodes agree on its state and
// the replicas follow their masters.
func StartCluster(t testing.TB, config ...string) *Cluster {
	t.Helper()
	nodes := startAll(t, 2*masters, func(int) settings { return settings{config: config, cluster: true} })
	c := &Cluster{Masters: nodes[:masters], Replicas: nodes[masters:]}
	for i, m := range c.Masters {
		m.Do(t, "CLUSTER", "ADDSLOTSRANGE", i*slotCount/masters, (i+1)*slotCount/masters-1)
	}
	host, port, _ := net.SplitHostPort(nodes[0].Addr)
	for i, n := range nodes {
		n.Do(t, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i > 0 {
			n.Do(t, "CLUSTER", "MEET", host, port, nodes[0].bus)
		}
	}
	all := "cluster_known_nodes:" + strconv.Itoa(len(nodes))
	Await(t, startWithin, "all nodes know each other", func() bool { return c.each(nodes, all) })
	for i, r := range c.Replicas {
		r.replicate(t, c.Masters[i])
	}
	Await(t, startWithin, "the replicas follow", func() bool {
		for _, r := range c.Replicas {
			if !r.follows() {
				return false
			}
		}
		return true
	})
	Await(t, startWithin, "all nodes agree", func() bool {
		return c.each(nodes, "cluster_state:ok") && c.each(nodes, "cluster_slots_ok:"+strconv.Itoa(slotCount)) && c.listsReplicas(nodes)
	})
	return c
}

// replicate makes a node a replica of master, as soon as the node knows the master.
func (s *Server) replicate(t testing.TB, master *Server) {
	t.Helper()
	id := master.Do(t, "CLUSTER", "MYID")
	Await(t, startWithin, "a replica knows its master", func() bool { _, err := s.Try("CLUSTER", "REPLICATE", id); return err == nil })
}

// each reports whether CLUSTER INFO has the line on every node.
func (c *Cluster) each(nodes []*Server, line string) bool {
	for _, n := range nodes {
		info, err := n.Try("CLUSTER", "INFO")
		if err != nil || !strings.Contains(fmt.Sprint(info), line+"\r\n") {
			return false
		}
	}
	return true
}

// listsReplicas reports whether every node lists a replica for every range in CLUSTER
// SLOTS, which clients read.
func (c *Cluster) listsReplicas(nodes []*Server) bool {
	for _, n := range nodes {
		reply, err := n.Try("CLUSTER", "SLOTS")
		ranges, _ := reply.([]any)
		if err != nil || len(ranges) != masters {
			return false
		}
		for _, r := range ranges {
			if r, _ := r.([]any); len(r) != 4 { // from, to, master, replica
				return false
			}
		}
	}
	return true
}

// Grow adds a master without slots and its replica. It does not add them to Masters
// and Replicas. Clients find them when the master has a slot.
func (c *Cluster) Grow(t testing.TB, config ...string) (master, replica *Server) {
	t.Helper()
	nodes := startAll(t, 2, func(int) settings { return settings{config: config, cluster: true} })
	master, replica = nodes[0], nodes[1]
	host, port, _ := net.SplitHostPort(c.Masters[0].Addr)
	for _, n := range nodes {
		n.Do(t, "CLUSTER", "MEET", host, port, c.Masters[0].bus)
	}
	known := append(append(nodes, c.Masters...), c.Replicas...)
	all := "cluster_known_nodes:" + strconv.Itoa(len(known))
	Await(t, startWithin, "all nodes know each other", func() bool { return c.each(known, all) && c.each(known, "cluster_state:ok") })
	replica.replicate(t, master)
	Await(t, startWithin, "the replica follows", replica.follows)
	return master, replica
}

// Options returns the options of a client, with go-redis's defaults.
func (c *Cluster) Options() *redis.ClusterOptions {
	o := &redis.ClusterOptions{}
	for _, n := range append(c.Masters[:masters:masters], c.Replicas...) {
		o.Addrs = append(o.Addrs, n.Addr)
	}
	return o
}

// Slot returns the slot of a key.
func (c *Cluster) Slot(t testing.TB, key string) int {
	t.Helper()
	slot, _ := c.Masters[0].Do(t, "CLUSTER", "KEYSLOT", key).(int64)
	return int(slot)
}

// Owner returns the index of the master that has a slot after StartCluster.
func (c *Cluster) Owner(slot int) int {
	for i := range masters {
		if slot < (i+1)*slotCount/masters {
			return i
		}
	}
	return masters - 1
}

// Migrate begins to move a slot from one master to another: from replies ASK for keys
// that it does not have, and TRYAGAIN if it has only some of several keys. Existing
// keys stay until a test moves them.
func (c *Cluster) Migrate(t testing.TB, slot int, from, to *Server) {
	t.Helper()
	to.Do(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.Do(t, "CLUSTER", "MYID"))
	from.Do(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.Do(t, "CLUSTER", "MYID"))
}

// MoveKeys moves at most 1000 keys of a slot, as a migration does.
func (c *Cluster) MoveKeys(t testing.TB, slot int, from, to *Server) {
	t.Helper()
	keys, _ := from.Do(t, "CLUSTER", "GETKEYSINSLOT", slot, 1000).([]any)
	for _, key := range keys {
		c.MoveKey(t, fmt.Sprint(key), from, to)
	}
}

// MoveKey moves one key, as a migration does.
func (c *Cluster) MoveKey(t testing.TB, key string, from, to *Server) {
	t.Helper()
	host, port, _ := net.SplitHostPort(to.Addr)
	from.Do(t, "MIGRATE", host, port, key, 0, 5000)
}

// Assign ends a migration: the slot belongs to the master to, and the others reply
// MOVED.
func (c *Cluster) Assign(t testing.TB, slot int, to *Server) {
	t.Helper()
	id := to.Do(t, "CLUSTER", "MYID")
	to.Do(t, "CLUSTER", "SETSLOT", slot, "NODE", id)
	for _, m := range c.Masters {
		if m != to {
			m.Do(t, "CLUSTER", "SETSLOT", slot, "NODE", id)
		}
	}
}

// startAll starts n servers concurrently.
func startAll(t testing.TB, n int, of func(int) settings) []*Server {
	t.Helper()
	path := binary(t)
	servers, errs := make([]*Server, n), make(chan error, n)
	for i := range n {
		go func() {
			var err error
			servers[i], err = launch(t, path, of(i))
			errs <- err
		}()
	}
	var failed error
	for range n {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	if failed != nil {
		t.Fatal(failed)
	}
	return servers
}
