// Package testlog has a log that a test reads while other goroutines write it. Only
// tests import it.
package testlog

import (
	"bytes"
	"sync"
)

// A Log keeps what is written to it. The zero Log is empty and ready for use. It is
// safe for concurrent use.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
