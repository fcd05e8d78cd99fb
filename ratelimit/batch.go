package ratelimit

import (
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/ringwall/ringwall/internal/headerlines"
)

// batch is the working memory of a decision.
type batch struct {
	charges  [maxLimits]Charge
	verdicts [maxLimits]Verdict
	known    [maxLimits]bool // which verdicts mean something
	leased   [maxLimits]bool // which charges were taken from a lease
	how      Reason          // Cached, Leased, or "": the store was asked
	pressure bool
	counted  bool             // this process has counted the charges already
	warm     [maxLimits]int64 // with these marks
	lines    headerlines.Slab
	flags    []atomic.Bool // each is used once, and never comes back
}

// flag returns a flag that nobody else has, without an allocation for each.
func (b *batch) flag() *atomic.Bool {
	const room = 256
	if len(b.flags) == 0 {
		b.flags = make([]atomic.Bool, room)
	}
	flag := &b.flags[0]
	b.flags = b.flags[1:]
	return flag
}

// buildCharges writes the charges of a request.
func (l *Limiter) buildCharges(t *tier, b *batch, r *http.Request) {
	var client netip.Addr
	for i := range t.limits {
		limit := &t.limits[i]
		cost, key := 1, Key{}
		if limit.Cost != nil {
			cost = max(0, limit.Cost(r))
		}
		if limit.Key != nil {
			key.Text = boundKey(limit.Key(r))
		}
		if key.Text == "" {
			if !client.IsValid() {
				client = l.clientAddr(r)
			}
			key.Net = network(client, limit.V6Prefix)
		}
		b.setCharge(t, i, &key, cost)
		if limit.Scale != nil {
			if n := int64(limit.Scale(r)); n > 0 {
				b.charges[i].Requests = int(min(n, maxRequests(limit.Window)))
			}
		}
	}
}

// setCharge writes the charge of limit i, with its own Requests.
func (b *batch) setCharge(t *tier, i int, k *Key, cost int) {
	limit, c := &t.limits[i], &b.charges[i]
	c.Key = *k
	c.Key.Policy = t.policies[i]
	c.Requests, c.Window, c.Penalty = limit.Requests, limit.Window, limit.Penalty
	c.Cost, c.Shadow, c.Mark = cost, limit.InsecureShadow, 0
}
