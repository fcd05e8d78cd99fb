package validate_test

import (
	"bytes"
	"encoding/base64"
	stdjson "encoding/json"
	"math/rand/v2"
	"net/http/httptest"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

// mutate makes a small change to a text, like an attacker who looks for two readings.
func (m maker) mutate(text string) string {
	at := m.IntN(len(text) + 1)
	switch m.IntN(9) {
	case 0: // repeat a piece
		to := at + m.IntN(len(text)-at+1)
		return text[:to] + text[at:to] + text[to:]
	case 1: // remove a piece
		to := min(len(text), at+m.IntN(4))
		return text[:at] + text[to:]
	case 2:
		return text[:at] + pick(m, " ", "\n", "\t", "\r", ",", "/**/", "\x00", "\xff", "null", "[]", "{}", `"f0":1,`, "-", "0", "e1", ".0", "\ufeff") + text[at:]
	case 3:
		return strings.Replace(text, `"f`, pick(m, `"F`, `"\u0066`, `"ſ`, `"f`), 1)
	case 4:
		return strings.Replace(text, ":", pick(m, ":null,\"f1\":", " : ", ":1e400,\"f2\":", ":9007199254740993,\"f3\":"), 1)
	case 5:
		return strings.Replace(text, `"`, pick(m, `"\ud800`, `"\u0000`, `"\ud83d\ude00`, `"\u00e4`, `"\b`, `"\t`, `"\\`, `"\/`), 1+m.IntN(3))
	case 6:
		return text + pick(m, "{}", "x", ",", " ", "\n", "]")
	}
	return text
}

// encoding/json, json v2, node and python decode an accepted body as the value that the
// handler gets. It holds VJ1 to VJ13 and VJ20.
func TestAcceptedBodiesHaveOneMeaning(t *testing.T) {
	var accepted []string
	refused := 0
	for seed := range uint64(300) {
		m := maker{rand.New(rand.NewPCG(seed, 11))}
		typ := m.structure(2)
		plan, err := validate.Compile(typ, validate.Options{Logger: quiet})
		require.NoError(t, err)
		for range 40 {
			made := reflect.New(typ)
			m.fill(made.Elem())
			data, err := json.Marshal(made.Interface())
			require.NoError(t, err)
			text := strings.ReplaceAll(string(data), ":null", pick(m, ":null", `:""`))
			for range m.IntN(3) {
				text = m.mutate(text)
			}
			r := httptest.NewRequest("POST", "/", strings.NewReader(text))
			r.Header = jsonType()
			got, v1, v2 := reflect.New(typ), reflect.New(typ), reflect.New(typ)
			if plan.Read(httptest.NewRecorder(), r, got) != nil {
				refused++
				continue
			}
			require.NoError(t, stdjson.Unmarshal([]byte(text), v1.Interface()), "%q", text)
			require.NoError(t, json.Unmarshal([]byte(text), v2.Interface()), "%q", text)
			require.Equal(t, v2.Interface(), got.Interface(), "%q", text)
			require.Equal(t, v1.Interface(), got.Interface(), "%q", text)
			accepted = append(accepted, text)
		}
	}
	require.Greater(t, len(accepted), 1000)
	require.Greater(t, refused, 1000)
	for name, command := range map[string][]string{
		"node":   {"node", "-e", `const l=require("fs").readFileSync(0,"latin1").trim().split("\n");for(const x of l)console.log(JSON.stringify(JSON.parse(Buffer.from(x,"base64").toString("utf8"))))`},
		"python": {"python3", "-c", "import sys,json,base64\nfor x in sys.stdin: print(json.dumps(json.loads(base64.b64decode(x).decode('utf-8'))))"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Log(command[0] + " is not installed: not asked")
				return
			}
			var lines bytes.Buffer
			for _, text := range accepted {
				lines.WriteString(base64.StdEncoding.EncodeToString([]byte(text)) + "\n")
			}
			cmd := exec.Command(command[0], command[1:]...)
			cmd.Stdin = &lines
			out, err := cmd.Output()
			require.NoError(t, err)
			answers := strings.Split(strings.TrimSpace(string(out)), "\n")
			require.Len(t, answers, len(accepted))
			for i, text := range accepted {
				require.Equal(t, meaning(t, text), meaning(t, answers[i]), "%q", text)
			}
		})
	}
}

// meaning decodes a text without rounding whole numbers.
func meaning(t *testing.T, text string) (v any) {
	d := stdjson.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&v), "%q", text)
	return canonical(t, v)
}

func canonical(t *testing.T, v any) any {
	switch v := v.(type) {
	case stdjson.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		require.NoError(t, err)
		if f == float64(int64(f)) {
			return int64(f)
		}
		return f
	case []any:
		for i := range v {
			v[i] = canonical(t, v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = canonical(t, v[name])
		}
	}
	return v
}
