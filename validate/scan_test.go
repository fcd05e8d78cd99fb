package validate_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

// ownText reads itself.
type ownText string

func (o *ownText) UnmarshalText(text []byte) error { *o = ownText(text); return nil }

// ownJSON reads itself, and accepts everything.
type ownJSON struct{ text string }

func (o *ownJSON) UnmarshalJSON(text []byte) error { o.text = string(text); return nil }

type deepest struct {
	Inner int  `json:"inner"`
	Same  *int `json:"same"`
}

// scanned has every kind of member that a node distinguishes.
type scanned struct {
	deepest
	N     int                    `json:"n"`
	F     float64                `json:"f"`
	G     *float32               `json:"g"`
	S     string                 `json:"s"`
	P     *string                `json:"p"`
	O     validate.Opt[float64]  `json:"o"`
	Q     validate.Opt[*scanned] `json:"q"`
	L     []scanned              `json:"l"`
	M     map[string]float64     `json:"m"`
	K     map[string][]*int      `json:"k"`
	A     any                    `json:"a"`
	B     []any                  `json:"b"`
	T     time.Time              `json:"t"`
	Own   ownText                `json:"own"`
	Any   ownJSON                `json:"any"`
	Owns  []ownJSON              `json:"owns"`
	Fixed [2]float64             `json:"fixed"`
	Next  *scanned               `json:"next"`
	Bytes []byte                 `json:"bytes"`
	Plain string
	Same  int `json:"same"`
}

// checkScan fails if the scan and the check of tokens disagree about a text. It reports
// whether the text can be decoded, and whether it is refused.
func checkScan(t *testing.T, n validate.Node, text string) (decoded, refused bool) {
	t.Helper()
	data := []byte(text)
	if validate.MayHaveControl(data) || strings.Count(text, "[")+strings.Count(text, "{") > 250 || json.Unmarshal(data, new(scanned)) != nil {
		return false, false
	}
	refused = n.RefusesTokens(data)
	require.Equal(t, refused, n.RefusesText(data), "%s", text)
	return true, refused
}

// randomJSON returns a random text, most of which can be decoded into a scanned.
func randomJSON(random *rand.Rand, depth int) string {
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	value := func() string {
		if depth > 0 && random.IntN(3) == 0 {
			return randomJSON(random, depth-1)
		}
		return pick("null", "1", "9007199254740993", "-9007199254740993", "12345678901234567890123", "1.5", "1234567890.12345678901234", "1e300", "9007199254740992", "true", `"a\"b"`, `""`, `"\\"`, "[null]", "[9007199254740993]", "{}", "[]", ` { "x" : null } `)
	}
	var members []string
	for _, name := range []string{"n", "f", "g", "s", "p", "o", "q", "l", "m", "k", "a", "b", "own", "any", "owns", "fixed", "next", "Plain", "same", "inner", `\u0066`} {
		if random.IntN(8) != 0 {
			continue
		}
		v := value()
		switch name {
		case "f", "g", "o", `\u0066`:
			v = pick("null", "1", "9007199254740993", "1.5", "1234567890123456", "12345678901234567")
		case "n", "same", "inner":
			v = pick("null", "1", "1234567890123456789")
		case "s", "p", "own", "Plain":
			v = pick("null", `"x"`, `"\""`, `"a,b:{}[]"`)
		case "m":
			v = `{"a":` + pick("null", "1", "9007199254740993") + `,"b":1}`
		case "k":
			v = `{"a":[` + pick("null", "1", "null,1") + `],"b":` + pick("null", "[]") + `}`
		case "b", "owns":
			v = "[" + value() + "," + value() + "]"
		case "l":
			v = "[" + pick("null", randomJSON(random, depth-1)) + "]"
		case "next", "q":
			v = pick("null", randomJSON(random, depth-1))
		case "fixed":
			v = "[1," + pick("2", "null", "9007199254740993") + "]"
		}
		members = append(members, fmt.Sprintf("%s%q%s:%s%s", pick("", " "), name, pick("", "\n"), pick("", " "), v))
		if name == `\u0066` {
			members[len(members)-1] = `"\u0066":` + v
		}
	}
	random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ",") + "}"
}

// The scan refuses exactly the texts that the check of tokens refuses.
func TestScanAgreesWithTheCheckOfTokens_VN1(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	n, all, bad := validate.NodeOf[scanned](), 0, 0
	for range 20_000 {
		decoded, refused := checkScan(t, n, randomJSON(random, 3))
		if decoded {
			all++
		}
		if refused {
			bad++
		}
	}
	t.Logf("%d texts agree, of which %d are refused", all, bad)
	require.Greater(t, all, 5_000)
	require.Greater(t, bad, 5_000)
	require.Greater(t, all-bad, 5_000)
}

func FuzzScan(f *testing.F) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		f.Add(randomJSON(random, 3))
	}
	for _, seed := range []string{`null`, `{"any":{"x":null,"y":[null]},"f":null}`, `{"owns":[{"f":9007199254740993}],"n":1}`, `{"a":{"b":[{"c":9007199254740993}]}}`, `{"t":"2026-01-01T00:00:00Z","f":1}`} {
		f.Add(seed)
	}
	n := validate.NodeOf[scanned]()
	f.Fuzz(func(t *testing.T, text string) { checkScan(t, n, text) })
}

// A text that is accepted costs no second pass, or one without an allocation.
func TestScanDoesNotAllocate_VN2(t *testing.T) {
	text := []byte(`{"items":[` + strings.TrimSuffix(strings.Repeat(`{"id":1234567890123456789,"note":null,"at":1.2345678901234567},`, 200), ",") + `]}`)
	type entry struct {
		ID   int64   `json:"id"`
		Note *string `json:"note"`
		At   float64 `json:"at"`
	}
	type list struct {
		Items []entry `json:"items"`
	}
	require.NoError(t, json.Unmarshal(text, new(list)))
	n := validate.NodeOf[list]()
	require.False(t, n.RefusesText(text))
	require.False(t, n.RefusesTokens(text))
	require.Zero(t, testing.AllocsPerRun(20, func() { n.RefusesText(text) }))
}
