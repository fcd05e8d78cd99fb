package ratelimit_test

import (
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
	burst := func(name string, at time.Duration, n int) {
		for i := range n {
			all[name] = append(all[name], at+time.Duration(i))
		}
	}
	for i := range 6 {
		n := time.Duration(i) * w
		burst("around the end of a window", n+w-e, 2*limit)
		burst("around the end of a window", n+w, 2*limit)
		burst("a burst every 1.02 windows", n*102/100, limit)
		burst("a burst every 9/8 windows", n*9/8+e, limit)
		burst("at the end of a slot", n+w/8-e, 2*limit)
		burst("at the end of a slot", n+w-e, 2*limit)
		burst("at the end of a slot", n+w+e, 2*limit)
	}
	for at := time.Duration(0); at < 6*w; at += w / time.Duration(4*limit) {
		all["a flood"] = append(all["a flood"], at)
	}
	for at := time.Duration(0); at < 6*w; at += w/time.Duration(limit) + 1 {
		all["a drip that keeps the limit"] = append(all["a drip that keeps the limit"], at)
	}
	for i := range 5 { // a drip, then a burst
		n := time.Duration(i) * w * 5 / 4
		for j := range limit / 2 {
			all["a drip, then a burst"] = append(all["a drip, then a burst"], n+time.Duration(j)*w/time.Duration(limit))
		}
		burst("a drip, then a burst", n+w*3/4, limit)
		burst("a drip, then a burst", n+w*9/8, limit)
	}
	for i := range 3 {
		n := time.Duration(3*i) * w
		burst("a burst at the end of a window, then a flood", n+w-e, limit)
		for at := n + w; at < n+2*w+w/4; at += w / time.Duration(8*limit) {
			all["a burst at the end of a window, then a flood"] = append(all["a burst at the end of a window, then a flood"], at)
		}
	}
	random := rand.New(rand.NewPCG(7, 7))
	for at := time.Duration(0); at < 12*w; at += time.Duration(random.Int64N(int64(w) / 2)) {
		burst("random bursts", at, random.IntN(limit))
		at += time.Duration(limit)
	}
	return all
}

// attack plays an adversary. It returns the maximum number of requests that were
// admitted in any window, and in any 7/8 of a window. The false denials are those of
// requests that would have kept the limit in the window, and in 9/8 of a window.
func attack(decide algorithm, times []time.Duration, limit int) (most, mostOf7, falseDenials, falseOf9 int) {
	var log []admitted
	origin := time.Unix(0, 0)
	inWindow, inNinth := 0, 0 // index of the first admission that counts
	for _, at := range times {
		now := origin.Add(at)
		for inWindow < len(log) && now.Sub(log[inWindow].at) >= accuracyWindow {
			inWindow++
		}
		for inNinth < len(log) && now.Sub(log[inNinth].at) >= accuracyWindow*9/8 {
			inNinth++
		}
		if decide(at) {
			log = append(log, admitted{now, 1})
			continue
		}
		if len(log)-inWindow < limit {
			falseDenials++
		}
		if len(log)-inNinth < limit {
			falseOf9++
		}
	}
	return maxAdmitted(log, accuracyWindow), maxAdmitted(log, accuracyWindow*7/8), falseDenials, falseOf9
}

// Each adversary attacks each algorithm. The exact log keeps the limit in every window,
// and denies no client that keeps it. The ring keeps it in 7/8 of a window, and denies
// no client that keeps it in 9/8. The algorithms of peers admit up to twice the limit,
// which shows that the attacks work.
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
		{name: "exact log of 5", limit: 5, make: memoryAlgorithm(t), worst: [2]float64{1, 1}},
		{name: "exact log of 96", limit: 96, make: memoryAlgorithm(t), worst: [2]float64{1, 1}},
		{name: "exact log of 128", limit: 128, make: memoryAlgorithm(t), worst: [2]float64{1, 1}},
		{name: "ring of 129", limit: 129, make: memoryAlgorithm(t), worst: [2]float64{1, 2}},
		{name: "ring of 1000", limit: 1000, make: memoryAlgorithm(t), worst: [2]float64{1, 2}},
	} {
		t.Run(row.name, func(t *testing.T) {
			highest := 0.0
			for name, times := range adversaries(row.limit) {
				most, mostOf7, denials, denials9 := attack(row.make(row.limit, accuracyWindow), times, row.limit)
				ratio := float64(most) / float64(row.limit)
				highest = max(highest, ratio)
				t.Logf("%-44s at most %.2f of the limit in a window, %.2f in 7/8; %d of %d denied falsely, %d by 9/8",
					name, ratio, float64(mostOf7)/float64(row.limit), denials, len(times), denials9)
				switch {
				case row.name[:4] == "exac":
					require.LessOrEqual(t, most, row.limit)
					require.Zero(t, denials)
				case row.name[:4] == "ring":
					require.LessOrEqual(t, mostOf7, row.limit)
					require.Zero(t, denials9)
				}
			}
			require.GreaterOrEqual(t, highest, row.worst[0])
			require.LessOrEqual(t, highest, row.worst[1])
		})
	}
}
