package ratelimit

import (
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/ringwall/ringwall/internal/headerlines"
)

// A batch is the working memory of one decision.
type batch struct {
	charges    [maxLimits]Charge
	verdicts   [maxLimits]Verdict
	known      [maxLimits]bool // verdicts that were evaluated
	leased     [maxLimits]bool // charges that were spent from a lease
	how        Reason          // Cached or Leased; empty means that the store was called
	pressure   bool
	shadow     string           // the limit with InsecureShadow that would have denied what the others allow
	counted    bool             // the charges are already in the local counts
	localMarks [maxLimits]int64 // their marks there, if counted
	lines      headerlines.Slab
	flags      []atomic.Bool // each is used by one Decision only
}

// flag returns an unused flag. It allocates once for 256 flags.
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
				b.charges[i].Requests = int(min(n, maxRequests))
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
