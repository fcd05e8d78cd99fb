package ratelimit

import (
	"math"
	"reflect"
	"runtime"
	"strconv"
	"time"
)

// SetClock replaces the clock.
func (m *Memory) SetClock(now func() time.Time) { m.start, m.clock = now(), now }

// Len returns the number of keys, without the overflow entries.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		n += len(m.shards[i].entries)
	}
	return n
}

// Digest returns the digest of a key.
func (m *Memory) Digest(k Key) [2]uint64 {
	d := m.digest(&k)
	return [2]uint64{d.a, d.b}
}

// SpendCharge is the name of leases.spendCharge in stack traces.
var SpendCharge = runtime.FuncForPC(reflect.ValueOf((*leases).spendCharge).Pointer()).Name()

// EvictLease locks the lease of a key, and calls waits, which returns when another
// goroutine waits for the lock. It then evicts the lease and fills the table.
func (l *Limiter) EvictLease(policy, key string, waits func()) {
	leases, k := l.remote.leases, Key{Policy: policy, Text: key}
	e := leases.leaseFor(k)
	e.mu.Lock()
	defer e.mu.Unlock()
	waits()
	leases.mu.Lock()
	defer leases.mu.Unlock()
	e.evicted = true
	delete(leases.byKey, k)
	for i := range maxLeases {
		leases.byKey[Key{Policy: policy, Text: strconv.Itoa(i)}] = &lease{expires: math.MaxInt64}
	}
}

// Runs returns the number of runs in which a key is counted.
func (m *Memory) Runs(k Key) int {
	d := m.digest(&k)
	if e := m.shards[m.shardOf(d)].entries[d]; e != nil {
		return int(e.runs.size) + 1
	}
	return 0
}
