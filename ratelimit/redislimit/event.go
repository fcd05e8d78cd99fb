package redislimit

// A Reason says what an [Event] reports.
type Reason string

// SecretMismatch reports that another process uses the same Prefix with a
// different Secret: the two do not see each other's counts.
const SecretMismatch Reason = "secret_mismatch"

// An Event reports something that an operator should know about a [Store].
type Event struct {
	Reason Reason
}
