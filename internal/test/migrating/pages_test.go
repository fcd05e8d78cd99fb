package migrating_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each page has the program before and the program after, and both compile
// without a complaint of go vet.
func TestProgramsBuild(t *testing.T) {
	for folder, peer := range map[string]string{
		"cors": "github.com/rs/cors", "headers": "github.com/unrolled/secure", "ratelimit": "github.com/go-chi/httprate", "auth/token": "github.com/go-chi/jwtauth/v5",
	} {
		t.Run(folder, func(t *testing.T) {
			page, err := os.ReadFile(filepath.Join("../../..", folder, "MIGRATING.md"))
			require.NoError(t, err)
			require.Less(t, strings.Count(string(page), "\n"), 150, "a page is a page")
			programs := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(page, -1)
			require.Len(t, programs, 2)
			require.Contains(t, string(programs[0][1]), `"`+peer+`"`)
			require.NotContains(t, string(programs[1][1]), peer)
			require.Contains(t, string(programs[1][1]), `"github.com/ringwall/ringwall/`+folder+`"`)
			for _, program := range programs {
				file := filepath.Join(t.TempDir(), "main.go")
				require.NoError(t, os.WriteFile(file, program[1], 0o600))
				out, err := exec.Command("go", "vet", file).CombinedOutput()
				require.NoError(t, err, "%s", out)
				out, err = exec.Command("gofmt", "-l", file).CombinedOutput()
				require.NoError(t, err)
				require.Empty(t, string(out))
			}
		})
	}
}
