package redisauth

import "time"

// Options configures a store. With the zero value, a failover may lose the changes
// that Redis had not replicated yet.
type Options struct {
	// Prefix is the prefix of every key. Empty means "ringwall:". It must have at most
	// 64 visible ASCII characters, without braces.
	Prefix string
	// Replicas is the number of replicas that must confirm a change that a
	// failover must not lose: an ended session, a revocation, and every change of
	// an API key. If they do not confirm within a quarter of Timeout, the result
	// is [auth.ErrUnavailable], although the change was made. 0 means none.
	Replicas int
	// WaitRotations makes rotations and logins wait for the replicas too. Without it,
	// a failover may lose them. A lost rotation is repaired at the next refresh, with
	// the event session.StoreRolledBack. After a lost login, the user must log in again.
	WaitRotations bool
	// Timeout bounds each call with its retries, whatever timeouts the client has. It
	// must be between 10 ms and 5 s. 0 means 1 s.
	Timeout time.Duration
}
