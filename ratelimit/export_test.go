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

// Len returns the number of keys, those of the overflow aside.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		n += len(m.shards[i].entries)
	}
	return n
}

// Digest returns what stands for a key.
func (m *Memory) Digest(k Key) [2]uint64 {
	d := m.digest(&k)
	return [2]uint64{d.a, d.b}
}

// SpendCharge is the name that stacks have for the method that spends a lease.
var SpendCharge = runtime.FuncForPC(reflect.ValueOf((*leases).spendCharge).Pointer()).Name()

// LoseLease waits for the lease of a key, and while somebody else does, evicts
// it and fills the table with others that live.
func (l *Limiter) LoseLease(policy, key string, waits func()) {
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
