package hook_test

import (
	"bytes"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/hook"
)

func TestPanicInAHookIsLogged(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	called := false
	hook.Call(t.Context(), logger, "auth: OnEvent", func() { called = true })
	require.True(t, called)
	require.Empty(t, log.String())

	hook.Call(t.Context(), logger, "auth: OnEvent", func() { panic("a mistake") })
	require.Contains(t, log.String(), `level=ERROR msg="hook panicked" hook="auth: OnEvent" panic="a mistake"`)
}

func TestOncePerMinuteAllowsTheFirstCallOfAMinute(t *testing.T) {
	var once hook.OncePerMinute
	minute := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	require.True(t, once.Allow(minute))
	require.False(t, once.Allow(minute.Add(59*time.Second)))
	require.True(t, once.Allow(minute.Add(time.Minute)))
	require.False(t, once.Allow(minute.Add(time.Minute)))

	var allowed atomic.Int32
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if once.Allow(minute.Add(time.Hour)) {
				allowed.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, allowed.Load())
}

func TestNilLoggerMeansTheDefault(t *testing.T) {
	require.Same(t, slog.Default(), hook.LoggerOrDefault(nil))
	logger := slog.New(slog.DiscardHandler)
	require.Same(t, logger, hook.LoggerOrDefault(logger))
}
