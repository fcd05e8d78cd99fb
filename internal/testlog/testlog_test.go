package testlog_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/testlog"
)

func TestLogIsReadWhileItIsWritten(t *testing.T) {
	var log testlog.Log
	require.Empty(t, log.String())
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 100 {
				_, err := fmt.Fprintln(&log, i)
				require.NoError(t, err)
				require.Contains(t, log.String(), fmt.Sprintln(i))
			}
		})
	}
	all.Wait()
	require.Equal(t, 800, strings.Count(log.String(), "\n"))
}
