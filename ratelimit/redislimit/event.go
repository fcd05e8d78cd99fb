package redislimit

// A Reason is the type of an [Event].
type Reason string

// SecretMismatch reports that another process uses the same Prefix with a
// different Secret: the two do not see each other's counts.
const SecretMismatch Reason = "secret_mismatch"

// An Event reports a fact about a [Store] that an operator needs.
type Event struct {
	Reason Reason
}
