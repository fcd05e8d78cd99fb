package token

import (
	"context"
	"time"
)

// FetchNow fetches the keys, however recent the last fetch is, and waits.
func FetchNow(ctx context.Context, r *Remote) {
	r.mu.Lock()
	r.latest = nil
	r.mu.Unlock()
	<-r.fetch(ctx, r.now(), false).done
}

// SetProofClock replaces the clock of a DPoP and of a ReplayMemory.
func SetProofClock(now func() time.Time, all ...any) {
	for _, v := range all {
		switch v := v.(type) {
		case *DPoP:
			v.now = now
			if m, ok := v.replays.(*ReplayMemory); ok {
				m.now = now
			}
		case *ReplayMemory:
			v.now = now
		}
	}
}

// SameURI compares an htu with a request.
func SameURI(htu, origin, escapedPath string) bool { return sameURI(htu, origin, escapedPath) }
