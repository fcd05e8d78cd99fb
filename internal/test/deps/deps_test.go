// Package deps holds the import rules of the module as a test, so that
// importing one package never drags in another's dependencies.
package deps

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/ringwall/ringwall/"

// allowed lists for each package the imports outside the standard library. A
// package that is not listed fails the test.
var allowed = map[string][]string{
	"auth":        {module + "errors", module + "internal/nethttp", module + "internal/route", module + "internal/hook"},
	"auth/apikey": {module + "auth", module + "errors", module + "internal/route", module + "internal/hook"},
	"auth/authtest": {
		module + "auth", module + "auth/apikey", module + "auth/session", module + "auth/token", module + "errors", "github.com/stretchr/testify/require",
	},
	"auth/redisauth": {
		module + "auth", module + "auth/apikey", module + "auth/session", module + "errors", module + "internal/rediscall", "github.com/redis/go-redis/v9",
	},
	"auth/session": {module + "auth", module + "errors", module + "internal/hook", module + "internal/sameorigin"},
	"auth/token": {
		module + "auth", module + "auth/apikey", module + "auth/session", module + "errors", module + "internal/hook",
		"github.com/golang-jwt/jwt/v5", "github.com/go-json-experiment/json/jsontext",
	},
	"cors": {
		module + "errors", module + "internal/hook", module + "internal/nethttp", module + "internal/route", module + "internal/headerlines", module + "internal/sameorigin", module + "internal/suffix",
	},
	"errors":                  {module + "internal/hook", module + "internal/nethttp", module + "internal/public"},
	"examples/internal/table": {"github.com/stretchr/testify/require"}, // only tests import it
	"examples/shop":           append([]string{module + "ratelimit/redislimit", "github.com/redis/go-redis/v9", "golang.org/x/net/websocket"}, rings...),
	"examples/shop/cluster":   {module + "errors"},
	"examples/stdlib":         rings,
	"headers": {
		module + "errors", module + "internal/route", module + "internal/hook", module + "internal/nethttp", module + "internal/peeraddr", module + "internal/headerlines", module + "internal/suffix",
	},
	"internal/test/deps":              nil,
	"internal/hints":                  nil, // only tests import it
	"internal/hook":                   nil,
	"internal/nethttp":                nil,
	"internal/peeraddr":               nil,
	"internal/peeraddr/addrcases":     nil, // only tests import it
	"internal/public":                 nil,
	"internal/test/readme":            nil,
	"internal/leftbehind":             nil,
	"internal/rediscall":              {module + "errors", module + "internal/leftbehind", "github.com/redis/go-redis/v9"},
	"internal/redistest":              {module + "errors", "github.com/redis/go-redis/v9"},
	"internal/route":                  {module + "errors"},
	"internal/headerlines":            nil,
	"internal/sameorigin":             nil,
	"internal/sameorigin/origincases": nil, // only tests import it
	"internal/test/api":               nil,
	"internal/testlog":                nil, // only tests import it
	"internal/test/imports":           nil,
	"internal/wiring":                 nil,
	"internal/suffix":                 {"golang.org/x/net/publicsuffix"},
	"ratelimit":                       {module + "errors", module + "internal/nethttp", module + "internal/route", module + "internal/headerlines", module + "internal/hook", module + "internal/leftbehind", module + "internal/peeraddr"},
	"ratelimit/redislimit":            {module + "errors", module + "internal/hook", module + "internal/rediscall", module + "ratelimit", "github.com/redis/go-redis/v9"},
	"ratelimit/storetest": {
		module + "ratelimit", "github.com/stretchr/testify/require",
	},
	"validate": {
		module + "errors", module + "internal/hook", module + "internal/nethttp", module + "internal/public",
		"github.com/go-json-experiment/json", "github.com/go-json-experiment/json/jsontext", "github.com/go-playground/validator/v10",
	},
}

// rings are the packages for users, which examples may import.
var rings = []string{
	module + "auth", module + "auth/apikey", module + "auth/redisauth", module + "auth/session", module + "auth/token", module + "cors", module + "errors", module + "headers",
	module + "ratelimit", module + "validate",
}

func TestPackagesImportOnlyWhatIsAllowed(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(fields[0], module)
		t.Run(name, func(t *testing.T) {
			want, known := allowed[name]
			require.True(t, known, "a new package needs a rule")
			for _, imported := range fields[1:] {
				domain, _, _ := strings.Cut(imported, "/")
				switch {
				case imported == module+"internal/wiring": // it has the standard library alone, and all rings may
				case imported == "errors":
					require.Equal(t, "errors", name, "the standard library's errors is not imported: one name, one meaning")
				case strings.Contains(domain, "."):
					require.True(t, slices.Contains(want, imported), "must not import %s", imported)
				}
			}
		})
	}
}
