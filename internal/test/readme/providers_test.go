package readme

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A recipe has the options of a provider in the test data of auth/token.
type recipe struct {
	Provider string
	Recipe   struct {
		Types, Tenants []string
		Require        map[string][]string
		NoType         bool `json:"no_type"`
		NoKid          bool `json:"no_kid"`
		NoAudience     bool `json:"no_audience"`
		IDTokens       bool `json:"id_tokens"`
	}
}

// TestProviderPageCompiles vets all code of docs/providers.md as one program, and
// compares its functions with those that TestProviderTokensAreDecided plays.
func TestProviderPageCompiles(t *testing.T) {
	page := readPage(t, "providers.md")
	played, err := os.ReadFile("../../../auth/token/recipes_test.go")
	require.NoError(t, err)
	program := []string{"package main\n\nimport (\n\t\"strings\"\n\t\"time\"\n\n\t\"github.com/ringwall/ringwall/auth\"\n\t\"github.com/ringwall/ringwall/auth/token\"\n\t\"github.com/ringwall/ringwall/errors\"\n)\n"}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(page, -1)
	require.Greater(t, len(blocks), 12)
	for _, block := range blocks {
		program = append(program, block[1])
		for _, function := range regexp.MustCompile(`(?ms)^func identify\w+\(.*?^}\n`).FindAllString(block[1], -1) {
			require.Contains(t, string(played), function, "no test plays this function")
		}
	}
	program = append(program, "func main() { _, _ = callers(nil, nil) }\n")
	vetProgram(t, []byte(strings.Join(program, "\n")))
}

// TestProviderPageHasTheOptionsOfTheTestData compares the options of each section, and
// of each row of the table, with those that TestProviderTokensAreDecided uses.
func TestProviderPageHasTheOptionsOfTheTestData(t *testing.T) {
	text, err := os.ReadFile("../../../auth/token/testdata/providers.json")
	require.NoError(t, err)
	var data struct{ Providers []recipe }
	require.NoError(t, json.Unmarshal(text, &data))
	page := readPage(t, "providers.md")
	for _, r := range data.Providers {
		t.Run(r.Provider, func(t *testing.T) {
			options := optionsOnPage(t, page, r.Provider)
			for option, want := range map[string]bool{
				"InsecureNoType": r.Recipe.NoType, "InsecureNoKid": r.Recipe.NoKid, "InsecureNoAudience": r.Recipe.NoAudience,
				"InsecureIDTokens": r.Recipe.IDTokens, "Tenants": r.Recipe.Tenants != nil, "AllowTypes": len(r.Recipe.Types) > 0,
			} {
				require.Equal(t, want, strings.Contains(options, option), "%s: %s", option, options)
			}
			for claim := range r.Recipe.Require {
				require.Contains(t, options, claim)
			}
		})
	}
}

// optionsOnPage returns the text with the options of a provider: the variable of its
// section, or its row in the table.
func optionsOnPage(t *testing.T, page, provider string) string {
	t.Helper()
	name, _, _ := strings.Cut(provider, ",")
	name = strings.TrimSuffix(strings.TrimSuffix(name, " v2"), " service accounts")
	name = strings.TrimPrefix(name, "Sign in with ")
	if _, section, found := strings.Cut(page, "\n## "+name); found {
		section, _, _ = strings.Cut(section, "\n## ")
		variables := regexp.MustCompile(`(?ms)^var \w+ = .*?^}\n`).FindAllString(section, -1)
		require.NotEmpty(t, variables, name)
		if strings.Contains(provider, "many tenants") {
			return variables[1]
		}
		return variables[0]
	}
	row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(strings.TrimSuffix(name, " with a resource server")) + `.*$`).FindString(page)
	require.NotEmpty(t, row, "docs/providers.md has no section and no row for %s", provider)
	return row
}
