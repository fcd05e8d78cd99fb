package headers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/hints"
)

func TestEveryHintIsAsserted_FH7(t *testing.T) {
	missing, total, err := hints.Unasserted(".")
	require.NoError(t, err)
	require.Greater(t, total, 50)
	require.Empty(t, missing)
}
