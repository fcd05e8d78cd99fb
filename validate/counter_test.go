package validate_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

// FuzzCounter compares the counts of a valid text with those of a decoder, and with the
// counts of the same text in pieces.
func FuzzCounter(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2,{"b":null}],"c":"x\"y"}`, `[[],{}]`, `"a"`, `-1.5e3`} {
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, cut uint8) {
		limits := validate.Limits{Depth: 4, Items: 3, Keys: 3, Tokens: 8, String: 9, Name: 5, Number: 6}
		over := validate.Count(limits, text)
		at := min(int(cut), len(text))
		require.Equal(t, over, validate.Count(limits, text[:at], text[at:]))
		if !jsontext.Value(text).IsValid() {
			return
		}
		require.Equal(t, exceeds(text, limits), over != "", "%q: %s", text, over)
	})
}

// exceeds counts with the tokens of a decoder.
func exceeds(text string, l validate.Limits) bool {
	d := jsontext.NewDecoder(strings.NewReader(text))
	values := 0
	for {
		kind := d.PeekKind()
		parent, n := d.StackIndex(d.StackDepth())
		name := parent == '{' && n%2 == 0 && kind == '"'
		raw := ""
		if kind == '{' || kind == '[' || kind == '}' || kind == ']' {
			if _, err := d.ReadToken(); err != nil {
				return false
			}
		} else {
			value, err := d.ReadValue()
			if err != nil {
				return false
			}
			raw = string(value)
		}
		if kind == '}' || kind == ']' {
			continue
		}
		if !name {
			values++
		}
		inside := len(raw) - 2 // the quotation marks
		if values > l.Tokens || d.StackDepth() > l.Depth || parent == '[' && !name && n+1 > int64(l.Items) || name && n/2+1 > int64(l.Keys) ||
			name && inside > l.Name || !name && kind == '"' && inside > l.String || kind == '0' && len(raw) > l.Number {
			return true
		}
	}
}
