package ratelimit_test

import (
	"testing"
	"time"

	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/storetest"
)

func TestMemoryPassesTheKit(t *testing.T) {
	var c *clock
	storetest.Run(t, func(*testing.T) ratelimit.Store {
		var m *ratelimit.Memory
		m, c = memory(ratelimit.MemoryOptions{})
		return m
	}, storetest.Options{Advance: func(d time.Duration) { c.advance(d) }})
}

func TestMemoryPassesTheKitInRealTime(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for real windows")
	}
	storetest.Run(t, func(*testing.T) ratelimit.Store {
		return ratelimit.NewMemory(ratelimit.MemoryOptions{})
	}, storetest.Options{Window: 400 * time.Millisecond})
}
