package redisauth

import "time"

// Options configures a store. The zero value is for a Redis whose loss may
// take the last second of changes with it.
type Options struct {
	// Prefix begins the name of every key. "": "ringwall:". It has 1 to 64
	// visible ASCII characters without braces.
	Prefix string
	// Replicas is the number of replicas that must confirm a change that a
	// failover must not lose: an ended session, a revocation, and every change of
	// an API key. If they do not confirm within a quarter of Timeout, the result
	// is [auth.ErrUnavailable], although the change was made. 0 means none.
	Replicas int
	// WaitRotations has replicas confirm rotations and logins too. A rotation
	// that is lost heals itself, with an event; a login that is lost is not
	// one.
	WaitRotations bool
	// Timeout bounds each call, with all its tries, whatever the client's own
	// bounds are. 0: 1 s. At least 10 ms, at most 5 s.
	Timeout time.Duration
}
