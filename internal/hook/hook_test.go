package hook_test

import (
	"bytes"
	"log/slog"
	"testing"

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
