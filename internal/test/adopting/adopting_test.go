package adopting_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/adopting"
)

// A got is a response of the record.
type got struct {
	status int
	header http.Header
	body   string
}

// play sends the record to a service over a socket, and returns the responses by the names of
// the requests. before is called before each.
func play(t *testing.T, h http.Handler, before func(name string)) map[string]got {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	responses := make(map[string]got)
	for _, sent := range adopting.Record() {
		before(sent.Name)
		r, err := http.NewRequest(sent.Method, srv.URL+sent.Path, strings.NewReader(sent.Body))
		require.NoError(t, err)
		r.Header = sent.Header.Clone()
		res, err := client.Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		res.Header.Del("Date")
		slices.Sort(res.Header["Allow"]) // chi has no order
		responses[sent.Name] = got{res.StatusCode, res.Header, string(body)}
	}
	require.Len(t, responses, 31, "each request has a name of its own")
	return responses
}

// names returns the names of the record for which f is true, in its order.
func names(f func(name string) bool) (list []string) {
	for _, sent := range adopting.Record() {
		if f(sent.Name) {
			list = append(list, sent.Name)
		}
	}
	return list
}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	m.Run()
}

func TestServiceHas27Routes(t *testing.T) {
	routes := 0
	require.NoError(t, chi.Walk(adopting.NewService().(chi.Routes), func(string, string, http.Handler, ...func(http.Handler) http.Handler) error {
		routes++
		return nil
	}))
	require.Equal(t, 27, routes)
}

// changedByErrors are the requests whose responses the Responder replaces.
var changedByErrors = []string{"register a taken name", "register without JSON", "articles that fail", "preflight of PUT", "unknown path"}

// The Responder alone, report-only, changes nothing but the correlation ID. Enforced, it
// replaces the texts of http.Error and the bodies of failures.
func TestErrorsRing(t *testing.T) {
	plain := play(t, adopting.NewService(), func(string) {})
	current := ""
	var mu sync.Mutex
	reported := make(map[string]bool)
	hear := func(e errors.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Reported {
			require.True(t, e.Foreign)
			reported[current] = true
		}
	}
	watched := play(t, adopting.Respond(adopting.NewService(), true, hear), func(name string) {
		mu.Lock()
		defer mu.Unlock()
		current = name
	})
	for name, want := range plain {
		have := watched[name]
		require.NotEmpty(t, have.header.Get("X-Correlation-Id"))
		have.header.Del("X-Correlation-Id")
		require.Equal(t, want, have, name)
	}
	require.Equal(t, changedByErrors, names(func(name string) bool { return reported[name] }))

	enforced := play(t, adopting.Respond(adopting.NewService(), false, func(errors.Event) {}), func(string) {})
	require.Equal(t, changedByErrors, names(func(name string) bool {
		return enforced[name].body != plain[name].body || enforced[name].status != plain[name].status
	}))
	require.NotContains(t, enforced["articles that fail"].body, "pq:")
}

// Each ring, report-only behind the Responder, changes nothing, and its events name what it
// would break. Enforced, exactly that changes.
func TestEachRing(t *testing.T) {
	for _, ring := range adopting.Rings() {
		t.Run(ring.Name, func(t *testing.T) {
			responded := func(next http.Handler, hear func(errors.Event)) http.Handler {
				return adopting.Respond(next, false, hear)
			}
			plain := play(t, responded(adopting.NewService(), func(errors.Event) {}), func(string) {})
			current := ""
			var mu sync.Mutex
			reported := make(map[string]bool)
			hear := func(e errors.Event) {
				mu.Lock()
				defer mu.Unlock()
				if e.Reported {
					require.Equal(t, ring.Name, e.Ring)
					reported[current] = true
				}
			}
			watched := play(t, responded(ring.Wrap(adopting.NewService(), true), hear), func(name string) {
				mu.Lock()
				defer mu.Unlock()
				current = name
			})
			sameBut := func(a, b got) (got, got) {
				a.header, b.header = a.header.Clone(), b.header.Clone()
				for _, h := range []http.Header{a.header, b.header} {
					require.NotEmpty(t, h.Get("X-Correlation-Id"))
				}
				for _, g := range []*got{&a, &b} { // which a body of the Responder has, too
					g.body = strings.ReplaceAll(g.body, g.header.Get("X-Correlation-Id"), "ID")
					g.header.Del("X-Correlation-Id")
				}
				return a, b
			}
			for name := range plain {
				want, have := sameBut(plain[name], watched[name])
				require.Equal(t, want, have, name)
			}
			require.ElementsMatch(t, ring.Reported, names(func(name string) bool { return reported[name] }))

			enforced := play(t, responded(ring.Wrap(adopting.NewService(), false), func(errors.Event) {}), func(string) {})
			changed := names(func(name string) bool {
				want, have := sameBut(plain[name], enforced[name])
				return want.status != have.status || want.body != have.body
			})
			slices.Sort(changed)
			slices.Sort(ring.Changed)
			require.Equal(t, ring.Changed, changed)
		})
	}
}

// docs/adopting.md names each request that a ring changes, in the row of the ring.
func TestPageNamesWhatChanges(t *testing.T) {
	page, err := os.ReadFile("../../../docs/adopting.md")
	require.NoError(t, err)
	rows := make(map[string]string) // the requests by ring
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) == 5 {
			rows[strings.TrimSpace(cells[1])] += cells[2] + ","
		}
	}
	rings := adopting.Rings()
	rings = append(rings, adopting.Ring{Name: "errors", Changed: changedByErrors})
	for _, ring := range rings {
		for _, name := range ring.Changed {
			require.Contains(t, rows[ring.Name], name, ring.Name)
		}
		if len(ring.Changed) > 0 {
			known := 0
			for name := range strings.SplitSeq(rows[ring.Name], ",") {
				if slices.Contains(ring.Changed, strings.TrimSpace(name)) {
					known++
				}
			}
			require.Equal(t, len(ring.Changed), known, ring.Name)
		}
	}
}
