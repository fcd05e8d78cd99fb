package ratelimit_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// A member is a String of a List with Integer parameters (RFC 9651). The two fields of
// the draft need no other types.
type member struct {
	name   string
	params map[string]int64
}

// parseList is a naive parser after RFC 9651, sections 4.2.1, 4.2.3.2, 4.2.4 and 4.2.5.
// It returns an error for any other input.
func parseList(s string) ([]member, error) {
	var list []member
	for {
		m := member{params: make(map[string]int64)}
		if s == "" || s[0] != '"' {
			return nil, fmt.Errorf("no String at %q", s)
		}
		for s = s[1:]; ; s = s[1:] {
			escaped := false
			switch {
			case s == "":
				return nil, fmt.Errorf("a String has no end")
			case s[0] == '\\':
				if len(s) < 2 || s[1] != '"' && s[1] != '\\' {
					return nil, fmt.Errorf("a bad escape at %q", s)
				}
				s, escaped = s[1:], true
			case s[0] < 0x20 || s[0] > 0x7e:
				return nil, fmt.Errorf("an invalid byte in a String: %q", s)
			}
			if s[0] == '"' && !escaped {
				break
			}
			m.name += s[:1]
		}
		for s = s[1:]; s != "" && s[0] == ';'; {
			s = strings.TrimLeft(s[1:], " ")
			n := 0
			for n < len(s) && (s[n] >= 'a' && s[n] <= 'z' || n > 0 && strings.ContainsRune("0123456789_-.*", rune(s[n]))) {
				n++
			}
			key := s[:n]
			if _, twice := m.params[key]; key == "" || twice || !strings.HasPrefix(s[n:], "=") {
				return nil, fmt.Errorf("a bad parameter at %q", s)
			}
			s = s[n+1:]
			for n = 0; n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
			}
			value, err := strconv.ParseInt(s[:n], 10, 64)
			if err != nil || n > 15 {
				return nil, fmt.Errorf("a bad Integer at %q", s)
			}
			m.params[key], s = value, s[n:]
		}
		list = append(list, m)
		if s = strings.TrimLeft(s, " \t"); s == "" {
			return list, nil
		}
		if s[0] != ',' {
			return nil, fmt.Errorf("no comma at %q", s)
		}
		s = strings.TrimLeft(s[1:], " \t")
	}
}

func TestNaiveParserRefusesInvalidLists(t *testing.T) {
	for _, bad := range []string{"", "a", `"a`, `"a",`, `"a";`, `"a";q`, `"a";q=`, `"a";q=x`, `"a" "b"`, `"a";q=1;q=2`, `"é"`, `"a\b"`, `"a";q=1234567890123456`, `"a";Q=1`, `"a";q =1`} {
		_, err := parseList(bad)
		require.Error(t, err, bad)
	}
	got, err := parseList(`"a\"\\";q=5;w=60 , "b"; r=0`)
	require.NoError(t, err)
	require.Equal(t, []member{{`a"\`, map[string]int64{"q": 5, "w": 60}}, {"b", map[string]int64{"r": 0}}}, got)
}

// checkFields checks the fields against sections 3 and 4 of draft -10, and against the
// limits.
func checkFields(t *testing.T, limits []ratelimit.Limit, name string, w *httptest.ResponseRecorder) {
	t.Helper()
	require.LessOrEqual(t, len(w.Header()["Ratelimit"]), 1)
	require.Len(t, w.Header()["Ratelimit-Policy"], len(w.Header()["Ratelimit"]))
	published := make(map[string]ratelimit.Limit)
	for i, l := range limits {
		if !l.Quiet && !l.InsecureShadow {
			published[map[bool]string{true: name, false: name + "-" + strconv.Itoa(i+1)}[i == 0]] = l
		}
	}
	if len(published) == 0 {
		require.Empty(t, w.Header()["Ratelimit"])
		return
	}
	policies, err := parseList(w.Header().Get("RateLimit-Policy"))
	require.NoError(t, err, w.Header().Get("RateLimit-Policy"))
	require.Len(t, policies, len(published))
	for _, p := range policies {
		l, ok := published[p.name]
		require.True(t, ok, p.name)
		want := map[string]int64{"q": int64(l.Requests)}
		if l.Window%time.Second == 0 {
			want["w"] = int64(l.Window / time.Second)
		}
		require.Equal(t, want, p.params)
	}
	state, err := parseList(w.Header().Get("RateLimit"))
	require.NoError(t, err, w.Header().Get("RateLimit"))
	require.Len(t, state, 1)
	l, ok := published[state[0].name]
	require.True(t, ok, "RateLimit must name a policy of RateLimit-Policy")
	remaining, ok := state[0].params["r"]
	require.True(t, ok, "r is required")
	require.True(t, remaining >= 0 && remaining <= int64(l.Requests))
	until, has := state[0].params["t"]
	require.Equal(t, remaining < int64(l.Requests), has, "t must exist if a request was charged")
	for key := range state[0].params {
		require.Contains(t, "rt", key)
	}
	if has {
		require.True(t, until >= 1 && until <= int64((l.Window+time.Second-1)/time.Second), "t=%d", until)
	}
	if retry := w.Header().Get("Retry-After"); retry != "" {
		n, err := strconv.ParseInt(retry, 10, 64)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, int64(1))
		if remaining == 0 {
			require.GreaterOrEqual(t, n, until, "Retry-After must not be before t (section 5)")
		}
	}
}

// FuzzFields parses the fields of random limits, as a client would.
func FuzzFields(f *testing.F) {
	f.Add("login", uint64(1), uint8(3))
	f.Add("a-2", uint64(99), uint8(200))
	f.Add("0", uint64(1<<40), uint8(9))
	f.Fuzz(func(t *testing.T, name string, seed uint64, calls uint8) {
		random := rand.New(rand.NewPCG(seed, 1))
		limits := make([]ratelimit.Limit, 1+random.IntN(4))
		for i := range limits {
			limits[i] = ratelimit.Limit{
				Requests: 1 + random.IntN(1<<random.IntN(20)), Window: time.Duration(1+random.IntN(5000)) * time.Millisecond << random.IntN(16),
				Quiet: random.IntN(4) == 0, InsecureShadow: random.IntN(4) == 0,
			}
			if random.IntN(2) == 0 {
				limits[i].Window = limits[i].Window.Truncate(time.Second) + time.Second
			}
		}
		l, err := ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{{Name: name, Limits: limits}}})
		if err != nil {
			return // New refuses the name or a limit
		}
		h := l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for range calls {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			checkFields(t, limits, cmp.Or(name, "default"), w)
		}
	})
}

// Random limits are used up and exceeded.
func TestFieldsAreStructured(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for range 400 {
		limits := []ratelimit.Limit{
			{Requests: 1 + random.IntN(6), Window: time.Duration(1+random.IntN(100_000)) * time.Millisecond, Quiet: random.IntN(5) == 0},
			{Requests: 1 + random.IntN(300), Window: time.Duration(1+random.IntN(100)) * time.Second, InsecureShadow: random.IntN(5) == 0},
		}
		l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "a", Limits: limits}}})
		h := l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for range 8 {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			checkFields(t, limits, "a", w)
		}
	}
}

func TestFieldsSelectsTheHeaders(t *testing.T) {
	for _, row := range []struct {
		name   string
		fields ratelimit.Fields
		want   http.Header
	}{
		{name: "zero value", fields: ratelimit.RateLimitFields, want: http.Header{"Ratelimit": {`"a";r=1;t=60`}, "Ratelimit-Policy": {`"a";q=2;w=60, "a-2";q=9`}}},
		{name: "LegacyFields", fields: ratelimit.LegacyFields, want: http.Header{"X-Ratelimit-Limit": {"2"}, "X-Ratelimit-Remaining": {"1"}, "X-Ratelimit-Reset": {"60"}}},
		{name: "BothFields", fields: ratelimit.BothFields, want: http.Header{
			"Ratelimit": {`"a";r=1;t=60`}, "Ratelimit-Policy": {`"a";q=2;w=60, "a-2";q=9`},
			"X-Ratelimit-Limit": {"2"}, "X-Ratelimit-Remaining": {"1"}, "X-Ratelimit-Reset": {"60"},
		}},
		{name: "NoFields", fields: ratelimit.NoFields, want: http.Header{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Fields: row.fields, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{
				{Requests: 2, Window: time.Minute}, {Requests: 9, Window: 1500 * time.Millisecond},
			}}}})
			h, r := l.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {})), httptest.NewRequest("GET", "/", nil)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, row.want, w.Header())
			h.ServeHTTP(w, r)
			w = httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, "60", w.Header().Get("Retry-After"))
			require.Equal(t, row.fields == ratelimit.NoFields, len(w.Header()) == 5, "a denial must have only the headers of errors.Respond and Retry-After: %v", w.Header())
		})
	}
	t.Run("LegacyFields of nested limiters have the tighter limit", func(t *testing.T) {
		for _, n := range []int{3, 9} {
			outer := newLimiter(t, ratelimit.Options{Fields: ratelimit.LegacyFields, Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}})
			inner := newLimiter(t, ratelimit.Options{Fields: ratelimit.LegacyFields, Tiers: []ratelimit.Tier{tierPerMinute("b", n)}})
			w := httptest.NewRecorder()
			outer.Handler(inner.Handler(http.NotFoundHandler())).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			require.Equal(t, []string{itoa(min(n, 5))}, w.Header()["X-Ratelimit-Limit"])
			require.Equal(t, []string{itoa(min(n, 5) - 1)}, w.Header()["X-Ratelimit-Remaining"])
		}
	})
	t.Run("values belong to one response", func(t *testing.T) {
		l := newLimiter(t, ratelimit.Options{Fields: ratelimit.BothFields, Tiers: []ratelimit.Tier{tierPerMinute("a", 1_000_000)}})
		h := l.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for key, values := range w.Header() {
				for i := range values {
					values[i] = "spoiled"
				}
				w.Header()[key] = append(values, "more")
			}
		}))
		var all sync.WaitGroup
		for range 128 {
			all.Go(func() {
				for range 20 {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
					for key, values := range w.Header() {
						if !slices.Equal(values, []string{"spoiled", "more"}) {
							t.Error(key, values)
						}
					}
				}
			})
		}
		all.Wait()
		w := httptest.NewRecorder()
		l.Handler(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		require.False(t, strings.Contains(w.Header().Get("RateLimit-Policy"), "spoiled"))
	})
}
