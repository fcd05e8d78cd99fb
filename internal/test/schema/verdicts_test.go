package schema_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// requireSameVerdicts changes documents at each place, and compares the verdict
// of the package with that of its schema. It returns the patterns of the schema.
func requireSameVerdicts[T any](t *testing.T, types bool, o validate.Options, documents []string) (patterns []string) {
	o.Logger = slog.New(slog.DiscardHandler)
	text, err := validate.Schema[T](o)
	require.NoError(t, err)
	schema := compile(t, text)
	h := errors.Must(errors.NewResponder(errors.Options{Logger: o.Logger})).Handler(errors.Must(validate.JSON[T](o))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	texts := map[string]bool{}
	for seed, document := range documents {
		m := mutator{rand.New(rand.NewPCG(uint64(seed), 5)), types}
		texts[document] = true
		root := parse(t, document)
		first := m.all(root)
		for _, one := range first {
			texts[one] = true
		}
		for range 60 { // two changes
			again := m.all(parse(t, first[m.IntN(len(first))]))
			texts[again[m.IntN(len(again))]] = true
		}
	}
	verdicts := map[bool]int{}
	for _, body := range slices.Sorted(maps.Keys(texts)) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 400 { // a member twice
			continue
		}
		require.Contains(t, []int{200, 422}, w.Code, "%s: %s", body, w.Body)
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		require.NoError(t, err)
		verdict := schema.Validate(instance)
		if (verdict == nil) != (w.Code == 200) {
			t.Errorf("%s\nschema: %v\nours: %s", body, verdict, w.Body)
		}
		verdicts[verdict == nil]++
	}
	t.Log(verdicts)
	require.NotZero(t, verdicts[true], "nothing was accepted: %s", text)
	require.Greater(t, verdicts[false], 20)
	if t.Failed() {
		t.Logf("%s", text)
	}
	return patternsOf(parse(t, string(text)))
}

// requireJavaScriptReads checks that JavaScript reads the patterns of a schema as
// RE2 reads those of the options, and that it reads those of all rules.
func requireJavaScriptReads(t *testing.T, ofRules []string) {
	texts := []string{
		"abc", "ABC", "aBc", "ab", "😀", "😀😀", "x", "AB-123", "ABCDE-123", "a\nb", "a.b", "axb", "a", "a\n", "é", "éé", "ß", "", "b", "ac", "bc", "aab", "]", "-", "^", "foo", "xxx", "ſK", "sk", "SK", "\u212a", "ks", "K\u017f",
		"1.25", "1.255", "1", "a-b.c@x", "a/b", "aaa", "a\u2028b", "d", "\n", " a", "\u00a0a", "\ta", "a\rb", "\U0010ffff", "日本",
	}
	all := []string{
		`(?i)abc`, `(?P<x>a)b`, `\x{1F600}+`, `[[:alpha:]]+`, `[A-Z]{2,4}-\d{3}`, `a.b`, `(?s)a.b`, `\pL+`, `[^a-c]*`, `a|b|`, `(a|b)c`, `a+?b`, `\Qa.b\E`, `[\]\-^]`, `\bfoo\b`, `x{3}`, `(?i)ſk`, `\d+(\.\d{1,2})?`, `[\w.-]+@x`, `a/b`,
		`(?U)a+`, `\z`, `é+`, `(?:)`, `[^\x00-\x{10FFFF}]`, `\s\S`, `a{0}`, `[\x{D7FF}-\x{E000}]|a`, `a{2,}`, `[\t -~]+`, `\PL`,
	}
	type row struct {
		Pattern string
		Want    []bool
	}
	var rows []row
	for _, pattern := range all {
		text, err := validate.Schema[struct {
			A string `json:"a" validate:"pattern=p"`
		}](validate.Options{Patterns: map[string]string{"p": pattern}})
		require.NoError(t, err)
		printed := patternsOf(parse(t, string(text)))
		require.Len(t, printed, 1, pattern)
		r := row{Pattern: printed[0]}
		for _, text := range texts {
			r.Want = append(r.Want, regexp.MustCompile(`\A(?:`+pattern+`)\z`).MatchString(text))
		}
		rows = append(rows, r)
	}
	require.Greater(t, len(ofRules), 20)
	for _, pattern := range ofRules {
		rows = append(rows, row{Pattern: pattern})
	}
	input, err := json.Marshal(map[string]any{"texts": texts, "rows": rows})
	require.NoError(t, err)
	node := exec.Command("node", "-e", `const {texts,rows}=JSON.parse(require("fs").readFileSync(0,"utf8"));for(const r of rows){const e=new RegExp(r.Pattern,"u");(r.Want||[]).forEach((w,i)=>{if(e.test(texts[i])!==w)console.log(r.Pattern,JSON.stringify(texts[i]),w)})}`)
	node.Stdin = bytes.NewReader(input)
	out, err := node.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
	text, err := validate.Schema[struct {
		A string `json:"a" validate:"pattern=lines"`
	}](validate.Options{Patterns: map[string]string{"lines": `(?m)^a$`}})
	require.NoError(t, err)
	require.Contains(t, string(text), `"$comment":"rule pattern=lines"`) // the anchors of lines need a look-behind
}

func patternsOf(v any) (list []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			if text, ok := child.(string); ok && name == "pattern" {
				list = append(list, text)
			}
			list = append(list, patternsOf(child)...)
		}
	case []any:
		for _, child := range v {
			list = append(list, patternsOf(child)...)
		}
	}
	return list
}

func compile(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("schema.json", doc))
	schema, err := compiler.Compile("schema.json")
	require.NoError(t, err, "%s", text)
	return schema
}

func parse(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v), text)
	return v
}
