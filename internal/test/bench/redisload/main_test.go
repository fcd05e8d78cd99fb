package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
)

// All rows are measured, for a moment.
func TestEveryRowIsMeasured(t *testing.T) {
	redistest.Start(t) // skips, or fails, without a server
	require.NoError(t, run(1, 5*time.Millisecond))
}
