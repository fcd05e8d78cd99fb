package ratelimit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// An algorithm decides one request at a time since the start of the test.
type algorithm func(at time.Duration) bool

const accuracyWindow = 8 * time.Second

// The algorithms of peers.

// fixedWindow is that of ulule/limiter, sethvargo/go-limiter and Envoy.
func fixedWindow(limit int, window time.Duration) algorithm {
	current, n := time.Duration(-1), 0
	return func(at time.Duration) bool {
		if w := at / window; w != current {
			current, n = w, 0
		}
		n++
		return n <= limit
	}
}

// twoBuckets is that of Cloudflare, go-chi/httprate and Kong.
func twoBuckets(limit int, window time.Duration) algorithm {
	counts := make(map[time.Duration]int)
	return func(at time.Duration) bool {
		w, part := at/window, float64(at%window)/float64(window)
		if float64(counts[w-1])*(1-part)+float64(counts[w]) >= float64(limit) {
			return false
		}
		counts[w]++
		return true
	}
}

// gcra is that of go-redis/redis_rate and throttled, with a burst of the limit.
func gcra(limit int, window time.Duration) algorithm {
	next, each := time.Duration(0), window/time.Duration(limit)
	return func(at time.Duration) bool {
		then := max(next, at) + each
		if then-window > at {
			return false
		}
		next = then
		return true
	}
}

// weightedSlots counts in eighths of a window, of which the oldest counts by the part that
// is still in the window: two buckets, with more of them.
func weightedSlots(limit int, window time.Duration) algorithm {
	const slots = 8
	counts, width := make(map[time.Duration]int), window/slots
	return func(at time.Duration) bool {
		slot, sum := at/width, 0.0
		for i := range time.Duration(slots) {
			sum += float64(counts[slot-i])
		}
		if sum+float64(counts[slot-slots])*(1-float64(at%width)/float64(width)) > float64(limit-1) {
			return false
		}
		counts[slot]++
		return true
	}
}

// memoryAlgorithm returns the decisions of a Memory.
func memoryAlgorithm(t *testing.T) func(limit int, window time.Duration) algorithm {
	return func(limit int, window time.Duration) algorithm {
		m, c := memory(ratelimit.MemoryOptions{})
		start := c.t
		return func(at time.Duration) bool {
			c.t = start.Add(at)
			return take(t, m, charge("k", limit, window, 1)).Wait == 0
		}
	}
}

// adversaries returns the times of requests, in order, by the name of an attack. The
// attacks use the starts of windows and slots, and the times at which denied requests
// are allowed again.
func adversaries(limit int) map[string][]time.Duration {
	const w, e = accuracyWindow, time.Millisecond
	all := make(map[string][]time.Duration)
	add := func(name string, at time.Duration) { all[name] = append(all[name], at.Truncate(time.Microsecond)) }
	burst := func(name string, at time.Duration, n int) {
		for i := range n {
			add(name, at+time.Duration(i)*10*time.Nanosecond)
		}
	}
	windows, rate := 6, 8*limit // rate is that of floods, in a window
	if limit > 1000 {
		windows, rate = 2, 2*limit
	}
	for i := range windows {
		n := time.Duration(i) * w
		burst("around the end of a window", n+w-e, 2*limit)
		burst("around the end of a window", n+w, 2*limit)
		burst("a burst every 1.02 windows", n*102/100, limit)
		burst("a burst every 9/8 windows", n*9/8+e, limit)
		burst("at the end of a slot", n+w/8-e, 2*limit)
		burst("at the end of a slot", n+w-e, 2*limit)
		burst("at the end of a slot", n+w+e, 2*limit)
	}
	for at := time.Duration(0); at < time.Duration(windows)*w; at += w / time.Duration(rate) {
		add("a flood", at)
	}
	for at := time.Duration(0); at < time.Duration(windows)*w; at += w/time.Duration(limit) + 1 {
		add("a drip that keeps the limit", at)
	}
	for i := range windows { // a drip, then a burst
		n := time.Duration(i) * w * 5 / 4
		for j := range limit / 2 {
			add("a drip, then a burst", n+time.Duration(j)*w/time.Duration(limit))
		}
		burst("a drip, then a burst", n+w*3/4, limit)
		burst("a drip, then a burst", n+w*9/8, limit)
	}
	for i := range windows / 2 {
		n := time.Duration(3*i) * w
		burst("a burst at the end of a window, then a flood", n+w-e, limit)
		for at := n + w; at < n+2*w+w/4; at += w / time.Duration(rate) {
			add("a burst at the end of a window, then a flood", at)
		}
	}
	// The whole limit at once, and a flood from 3/4 of a window on: what is counted in
	// slots or by weight is admitted again too early.
	for i := range windows * windows / 2 {
		n := time.Duration(3*i)*w + time.Duration(i)*w/16
		name := "a burst at every phase, then a flood"
		burst(name, n, limit)
		for at := n + w*3/4; at < n+w*5/4; at += w / time.Duration(rate) {
			add(name, at)
		}
	}
	random := rand.New(rand.NewPCG(7, 7))
	for at := time.Duration(0); at < time.Duration(2*windows)*w; at += time.Duration(random.Int64N(int64(w) / 2)) {
		burst("random bursts", at, random.IntN(limit))
		at += time.Duration(limit) * 10
	}
	return all
}

// attack plays an adversary. It returns the maximum number of requests that were
// admitted in any window, and how many were denied of those that would have kept the
// limit in the window, and in 33/32 of it.
func attack(decide algorithm, times []time.Duration, limit int) (most, denied, deniedOf33 int) {
	var log []admitted
	origin := time.Unix(0, 0)
	inWindow, in33 := 0, 0 // index of the first admission that counts
	for _, at := range times {
		now := origin.Add(at)
		for inWindow < len(log) && now.Sub(log[inWindow].at) >= accuracyWindow {
			inWindow++
		}
		for in33 < len(log) && now.Sub(log[in33].at) >= accuracyWindow*33/32 {
			in33++
		}
		if decide(at) {
			log = append(log, admitted{now, 1})
			continue
		}
		if len(log)-inWindow < limit {
			denied++
		}
		if len(log)-in33 < limit {
			deniedOf33++
		}
	}
	return maxAdmitted(log, accuracyWindow), denied, deniedOf33
}

// Each adversary attacks each algorithm. A Memory keeps every limit in every window. It
// never denies what keeps a limit up to 128, and above, what keeps the limit in 33/32 of a
// window. The algorithms of peers admit up to twice the limit, which shows that the attacks
// work.
func TestMemoryIsMoreAccurateThanPeers(t *testing.T) {
	for _, row := range []struct {
		name  string
		limit int
		make  func(limit int, window time.Duration) algorithm
		worst [2]float64 // minimum and maximum over all adversaries
	}{
		{name: "fixed window", limit: 96, make: fixedWindow, worst: [2]float64{1.99, 2}},
		{name: "two buckets", limit: 96, make: twoBuckets, worst: [2]float64{1.9, 2}},
		{name: "GCRA", limit: 96, make: gcra, worst: [2]float64{1.9, 2}},
		{name: "eight weighted slots", limit: 1000, make: weightedSlots, worst: [2]float64{1.7, 2}},
		{name: "Memory", limit: 5, make: memoryAlgorithm(t), worst: [2]float64{1, 1}},
		{name: "Memory", limit: 128, make: memoryAlgorithm(t), worst: [2]float64{1, 1}},
		{name: "Memory", limit: 129, make: memoryAlgorithm(t), worst: [2]float64{1, 1}},
		{name: "Memory", limit: 1000, make: memoryAlgorithm(t), worst: [2]float64{1, 1}},
		{name: "Memory", limit: largeLimit, make: memoryAlgorithm(t), worst: [2]float64{1, 1}},
	} {
		t.Run(fmt.Sprint(row.name, " of ", row.limit), func(t *testing.T) {
			if testing.Short() && row.limit > 1000 {
				t.Skip("slow: floods of a large limit")
			}
			highest := 0.0
			for name, times := range adversaries(row.limit) {
				most, denied, deniedOf33 := attack(row.make(row.limit, accuracyWindow), times, row.limit)
				ratio := float64(most) / float64(row.limit)
				highest = max(highest, ratio)
				t.Logf("%-44s at most %.2f of the limit in a window; %d of %d denied falsely, %d by 33/32", name, ratio, denied, len(times), deniedOf33)
				if row.name == "Memory" {
					require.LessOrEqual(t, most, row.limit)
					require.Zero(t, deniedOf33)
					if row.limit <= 128 {
						require.Zero(t, denied)
					}
				}
			}
			t.Logf("the worst window has %.2f of the limit", highest)
			require.GreaterOrEqual(t, highest, row.worst[0])
			require.LessOrEqual(t, highest, row.worst[1])
		})
	}
}

// A client that keeps a limit of 1000 loses at most what doc.go says.
func TestHonestClientsAreServed(t *testing.T) {
	const limit, window, windows = 1000, time.Minute, 40
	steady := func(share float64) func(int) time.Duration {
		gap := time.Duration(float64(window) / limit / share)
		return func(int) time.Duration { return gap }
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, row := range []struct {
		name string
		gap  func(i int) time.Duration
		most float64 // percent that may be denied
	}{
		{name: "steady, 99 % of the limit", gap: steady(0.99), most: 0},
		{name: "steady, exactly the limit", gap: steady(1), most: 0.8},
		{name: "20 bursts a window, exactly the limit", gap: func(i int) time.Duration {
			if i%(limit/20) == 0 {
				return window / 20
			}
			return 0
		}, most: 0.8},
		{name: "random, the limit on average", gap: func(int) time.Duration { // an exact log denies 2.4 %
			return time.Duration(random.ExpFloat64() * float64(window) / limit)
		}, most: 4},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, c := memory(ratelimit.MemoryOptions{})
			denied := 0
			for i := range windows * limit {
				c.advance(row.gap(i))
				if take(t, m, charge("k", limit, window, 1)).Wait != 0 {
					denied++
				}
			}
			share := 100 * float64(denied) / (windows * limit)
			t.Logf("%.2f %% denied", share)
			require.LessOrEqual(t, share, row.most)
		})
	}
}
