package suffix

import (
	"flag"
	"fmt"
	"go/format"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSharedHosts_FC1(t *testing.T) {
	for _, host := range []string{
		"com", "co.uk", "github.io", "kawasaki.jp", "compute.amazonaws.com", "elb.amazonaws.com", "amazonaws.com", "amazonaws.com.cn", "run.app", "a.run.app",
		"windows.net", "core.windows.net", "blob.core.windows.net", "cloudfront.net", "azurewebsites.net", "on.aws", "ck", "xn--55qx5d.cn",
	} {
		require.True(t, IsShared(host), host)
	}
	for _, host := range []string{
		"example.com", "example.co.uk", "me.github.io", "city.kawasaki.jp", "example.kawasaki.jp.example", "my-bucket.s3.amazonaws.com", "www.ck",
		"corp.internal", "localhost", "internal.example", "a.b.example.com", "amazonaws.com.example.com",
	} {
		require.False(t, IsShared(host), host)
	}
}

var update = flag.Bool("update", false, "write parents.go again")

// TestParentsAreThoseOfTheList_FC1 compares the table with the rules of the
// module that go.mod selects. After an update of golang.org/x/net, run
// go test ./internal/suffix -update.
func TestParentsAreThoseOfTheList_FC1(t *testing.T) {
	want := parentsOf(rulesOfTheModule(t))
	if *update {
		var b strings.Builder
		b.WriteString("package suffix\n\n// parents are the hosts of two labels and more that have a rule below them and are\n// no rule, in order. TestParentsAreThoseOfTheList_FC1 writes it.\nvar parents = [...]string{\n")
		for chunk := range slices.Chunk(want, 4) {
			b.WriteByte('\t')
			for _, host := range chunk {
				fmt.Fprintf(&b, "%q, ", host)
			}
			b.WriteByte('\n')
		}
		b.WriteString("}\n")
		source, err := format.Source([]byte(b.String()))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile("parents.go", source, 0o644))
		return
	}
	require.Equal(t, want, parents[:])
}

// TestEveryRuleIsShared_FC1 applies IsShared to every rule of the list, and to
// every host above it.
func TestEveryRuleIsShared_FC1(t *testing.T) {
	for _, rule := range rulesOfTheModule(t) {
		host := strings.TrimPrefix(rule, "*.")
		if strings.HasPrefix(rule, "!") {
			require.False(t, IsShared(host[1:]), rule)
			continue
		}
		for strings.Contains(host, ".") {
			require.True(t, IsShared(host), "%s, of rule %s", host, rule)
			_, host, _ = strings.Cut(host, ".")
		}
		require.True(t, IsShared(host), "%s, of rule %s", host, rule)
	}
}

var ruleLine = regexp.MustCompile(`(?m)^\t"([^"]+)",$`)

// rulesOfTheModule reads the rules from the tests of the module, since the
// package itself has them in a form without boundaries.
func rulesOfTheModule(t *testing.T) []string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "golang.org/x/net/publicsuffix").Output()
	require.NoError(t, err)
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "table_test.go"))
	require.NoError(t, err)
	text, _, found := strings.Cut(string(source), "var nodeLabels")
	require.True(t, found, "the table of labels follows the rules")
	var rules []string
	for _, match := range ruleLine.FindAllStringSubmatch(text, -1) {
		rules = append(rules, match[1])
	}
	require.Greater(t, len(rules), 9000)
	return rules
}

// parentsOf returns the hosts of two labels and more above the rules that are
// no rules themselves. Hosts above wildcards are left to the list.
func parentsOf(rules []string) []string {
	parents := make(map[string]bool)
	for _, rule := range rules {
		if strings.HasPrefix(rule, "!") {
			continue
		}
		rule = strings.TrimPrefix(rule, "*.")
		for _, host, _ := strings.Cut(rule, "."); strings.Contains(host, "."); _, host, _ = strings.Cut(host, ".") {
			parents[host] = true
		}
	}
	for _, rule := range rules {
		delete(parents, rule)
	}
	return slices.Sorted(maps.Keys(parents))
}
