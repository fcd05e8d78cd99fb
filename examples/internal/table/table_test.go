package table

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The three folders have their accounts and orders in common, as files that
// can be copied: the router alone makes a difference.
func TestFoldersDifferInTheirRouterOnly(t *testing.T) {
	for _, name := range []string{"users.go", "orders.go", "main_test.go"} {
		want, err := os.ReadFile("../../stdlib/" + name)
		require.NoError(t, err)
		for _, folder := range []string{"chi", "gorilla"} {
			got, err := os.ReadFile("../../" + folder + "/" + name)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got), "%s/%s", folder, name)
		}
	}
}
