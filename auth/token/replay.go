package token

import (
	"context"
	"sync"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// maxReplays bounds the used proofs that a process stores. An entry takes about 150
// bytes.
const maxReplays = 1 << 17

// A ReplayMemory is a [ReplayStore] in the memory of one process. It stores at most
// 131 072 used proofs; above that it refuses new ones until old ones expire.
type ReplayMemory struct {
	mu    sync.Mutex
	until map[string]time.Time
	swept time.Time
	now   func() time.Time
}

// NewReplayMemory returns an empty ReplayMemory.
func NewReplayMemory() *ReplayMemory {
	return &ReplayMemory{until: make(map[string]time.Time), now: time.Now}
}

// Use stores an ID until a time, and reports whether it was not stored before.
func (m *ReplayMemory) Use(_ context.Context, id string, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if end, used := m.until[id]; used && !now.After(end) {
		return false, nil
	}
	if len(m.until) >= maxReplays || now.Sub(m.swept) > proofWindow {
		for old, end := range m.until {
			if now.After(end) {
				delete(m.until, old)
			}
		}
		m.swept = now
	}
	if len(m.until) >= maxReplays {
		return false, errors.New("too many proofs within a minute")
	}
	m.until[id] = until
	return true, nil
}
