package validate_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type interval struct {
	From int `json:"from" validate:"min=1"`
	To   int `json:"to" validate:"min=1"`
}

func (s *interval) Check(r *validate.Report) {
	if s.To < s.From {
		r.At(&s.To, "after_from", "must not be less than from")
	}
}

type stay struct {
	interval                        // its method is promoted
	Rooms    []interval             `json:"rooms" validate:"max=9"`
	ByName   map[string]interval    `json:"by_name" validate:"max=9"`
	Extra    *interval              `json:"extra"`
	Change   validate.Opt[interval] `json:"change"`
	Grid     [][]interval           `json:"grid" validate:"max=9,dive,max=9"`
	Guests   []struct {
		Ages []int `json:"ages" validate:"max=9"`
	} `json:"guests" validate:"max=9"`
}

// A runKey is the key of what places checks, in the context.
type runKey struct{}

type page struct {
	Size int `query:"size" validate:"max=99"`
}

// Rules between fields are checked after the rules of the fields, in every struct.
func TestCheckersReportAtTheField_VK1(t *testing.T) {
	d := errors.Must(validate.NewDecoder[stay](validate.Options{Logger: quiet, Limits: validate.Limits{Errors: 5}}))
	for _, row := range []struct {
		name, text string
		want       []validate.Problem
	}{
		{name: "all hold", text: `{"from":1,"to":2,"rooms":[{"from":1,"to":1}]}`},
		{name: "promoted, and reported once", text: `{"from":2,"to":1}`, want: []validate.Problem{{Pointer: "/to", Code: "after_from"}}},
		{name: "an item", text: `{"from":1,"to":1,"rooms":[{"from":1,"to":1},{"from":2,"to":1}]}`, want: []validate.Problem{{Pointer: "/rooms/1/to", Code: "after_from"}}},
		{name: "a value of a map", text: `{"from":1,"to":1,"by_name":{"a":{"from":2,"to":1}}}`, want: []validate.Problem{{Pointer: "/by_name/a/to", Code: "after_from"}}},
		{name: "a value of a map with a name that is not repeated", text: `{"from":1,"to":1,"by_name":{"<a>":{"from":2,"to":1}}}`, want: []validate.Problem{{Pointer: "/by_name", Code: "after_from"}}},
		{name: "behind a pointer", text: `{"from":1,"to":1,"extra":{"from":2,"to":1}}`, want: []validate.Problem{{Pointer: "/extra/to", Code: "after_from"}}},
		{name: "in an Opt", text: `{"from":1,"to":1,"change":{"from":2,"to":1}}`, want: []validate.Problem{{Pointer: "/change/to", Code: "after_from"}}},
		{name: "an absent Opt and a nil pointer", text: `{"from":1,"to":1,"change":null,"extra":null}`},
		{name: "lists in lists", text: `{"from":1,"to":1,"grid":[[],[{"from":1,"to":2},{"from":2,"to":1}]]}`, want: []validate.Problem{{Pointer: "/grid/1/1/to", Code: "after_from"}}},
		{name: "a field that breaks a rule", text: `{"from":1,"to":1,"rooms":[{"from":2,"to":0}]}`, want: []validate.Problem{{Pointer: "/rooms/0/to", Code: "min", Param: "1"}}},
		{name: "no more than Errors", text: `{"from":1,"to":1,"rooms":[` + strings.TrimSuffix(strings.Repeat(`{"from":2,"to":1},`, 9), ",") + `]}`, want: []validate.Problem{
			{Pointer: "/rooms/0/to", Code: "after_from"}, {Pointer: "/rooms/1/to", Code: "after_from"}, {Pointer: "/rooms/2/to", Code: "after_from"}, {Pointer: "/rooms/3/to", Code: "after_from"}, {Pointer: "/rooms/4/to", Code: "after_from"},
		}},
	} {
		t.Run("VK1 "+row.name, func(t *testing.T) {
			_, err := d.Decode(t.Context(), []byte(row.text))
			require.Equal(t, row.want, validate.ProblemsOf(err))
		})
	}
}

// places has a method Check that reports at each kind of place.
type places struct {
	List  []int `json:"list" validate:"max=9"`
	Items []struct {
		Tags []string `json:"tags" validate:"max=9,dive,max=9"`
	} `json:"items" validate:"max=2000"`
	Next   *places         `json:"next"`
	Own    string          `json:"-"`
	Fields map[string]*int `json:"fields" validate:"max=9"`
	None   struct{}        `json:"none"`
	run    func(*places, *validate.Report)
}

var outside int

func (p *places) Check(r *validate.Report) {
	if p.run = runOf(r.Context()); p.run != nil {
		p.run(p, r)
	}
}

func runOf(ctx context.Context) func(*places, *validate.Report) {
	run, _ := ctx.Value(runKey{}).(func(*places, *validate.Report))
	return run
}

func TestReportFindsThePlaceOfAnAddress_VK2(t *testing.T) {
	d := errors.Must(validate.NewDecoder[places](validate.Options{Logger: quiet}))
	many := `{"items":[` + strings.Repeat(`{"tags":["a","b"]},`, 999) + `{"tags":["a","b"]}],"list":[1,2]}`
	for name, row := range map[string]struct {
		text string
		run  func(*places, *validate.Report)
		want string
	}{
		"an item of a list": {many, func(p *places, r *validate.Report) { r.At(&p.List[1], "bad", "is bad") }, "/list/1"},
		"a list":            {many, func(p *places, r *validate.Report) { r.At(&p.List, "bad", "is bad") }, "/list"},
		"the last item":     {many, func(p *places, r *validate.Report) { r.At(&p.Items[999].Tags[1], "bad", "is bad") }, "/items/999/tags/1"},
		"the struct":        {many, func(p *places, r *validate.Report) { r.At(p, "bad", "is bad") }, ""},
		"behind a pointer": {`{"next":{"list":[5]}}`, func(p *places, r *validate.Report) {
			if p.Next != nil {
				r.At(&p.Next.List[0], "bad", "is bad")
			}
		}, "/next/list/0"},
		"a member of no name": {many, func(p *places, r *validate.Report) { r.At(&p.Own, "bad", "is bad") }, ""},
		"a foreign pointer":   {many, func(p *places, r *validate.Report) { r.At(&outside, "bad", "is bad") }, ""},
		"nil":                 {many, func(p *places, r *validate.Report) { r.At(nil, "bad", "is bad") }, ""},
		"no pointer":          {many, func(p *places, r *validate.Report) { r.At(3, "bad", "is bad") }, ""},
		"a nil pointer":       {many, func(p *places, r *validate.Report) { r.At((*int)(nil), "bad", "is bad") }, ""},
		"a value of a map":    {`{"fields":{"a":1}}`, func(p *places, r *validate.Report) { r.At(p.Fields["a"], "bad", "is bad") }, ""},
		"nothing in memory":   {many, func(p *places, r *validate.Report) { r.At(&p.None, "bad", "is bad") }, "/none"},
	} {
		t.Run("VK2 "+name, func(t *testing.T) {
			_, err := d.Decode(context.WithValue(t.Context(), runKey{}, row.run), []byte(row.text))
			list := validate.ProblemsOf(err)
			require.NotEmpty(t, list)
			require.Equal(t, validate.Problem{Pointer: row.want, Code: "bad"}, list[0])
		})
	}
	var kept *validate.Report
	_, err := d.Decode(context.WithValue(t.Context(), runKey{}, func(p *places, r *validate.Report) { kept = r }), []byte(`{}`))
	require.NoError(t, err)
	kept.At(&outside, "bad", "is reported too late, and dropped")
	require.PanicsWithValue(t, "validate: At: the code Bad code is not a name in snake_case of at most 63 bytes", func() { kept.At(&outside, "Bad code", "") })
}

type window struct {
	Min int   `query:"min" validate:"max=99"`
	Max int   `query:"max" validate:"max=99"`
	IDs []int `query:"id" validate:"max=9"`
}

func (w *window) Check(r *validate.Report) {
	if w.Max < w.Min {
		r.At(&w.Max, "less_than_min", "must not be less than min")
	}
	for i := range w.IDs {
		if w.IDs[i] == 7 {
			r.At(&w.IDs[i], "unlucky", "must not be 7")
		}
	}
}

// The places of parameters are their names, also of an embedded struct of an unexported type.
func TestCheckersOfParameters_VK3(t *testing.T) {
	type input struct {
		window
		Body interval `body:"json"`
	}
	srv := serve[input](t, validate.Options{})
	for _, row := range []struct {
		name, query, body string
		status            int
		message           string
	}{
		{"all hold", "min=1&max=2&id=1", `{"from":1,"to":1}`, 200, ""},
		{"a parameter", "min=2&max=1", `{"from":1,"to":1}`, 422, "query parameter max must not be less than min"},
		{"an item of a parameter", "id=1&id=7", `{"from":1,"to":1}`, 422, "query parameter id/1 must not be 7"},
		{"the body", "min=1&max=2", `{"from":2,"to":1}`, 422, "/to must not be less than from"},
		{"the body first", "min=2&max=1", `{"from":2,"to":1}`, 422, "/to must not be less than from"},
	} {
		t.Run("VK3 "+row.name, func(t *testing.T) {
			status, _, text := send(t, "POST", srv.URL+"?"+row.query, jsonType(), strings.NewReader(row.body))
			require.Equal(t, row.status, status, text)
			require.Equal(t, row.message, text)
		})
	}
}

// A handler reports what only it can know, at the place in the input.
func TestAtReportsAPlaceOfTheInput_VK4(t *testing.T) {
	type input struct {
		Name string   `query:"name" validate:"max=9"`
		Tags []string `query:"tag" validate:"max=9,dive,max=9"`
		page
		Body stay `body:"json"`
	}
	taken := func(in *input) error { return validate.At(in, &in.Name, "taken", "is already in use") }
	for name, row := range map[string]struct {
		fn   func(*input) error
		want string
	}{
		"a parameter":            {taken, "query parameter name is already in use"},
		"an item of a parameter": {func(in *input) error { return validate.At(in, &in.Tags[1], "taken", "is already in use") }, "query parameter tag/1 is already in use"},
		"an embedded parameter":  {func(in *input) error { return validate.At(in, &in.Size, "taken", "is already in use") }, "query parameter size is already in use"},
		"a member":               {func(in *input) error { return validate.At(in, &in.Body.Rooms[0].To, "taken", "is already in use") }, "/rooms/0/to is already in use"},
		"the body":               {func(in *input) error { return validate.At(in, &in.Body, "taken", "is already in use") }, "the body is already in use"},
		"something else":         {func(in *input) error { return validate.At(in, &outside, "taken", "is already in use") }, "the input is already in use"},
	} {
		t.Run("VK4 "+name, func(t *testing.T) {
			h := errors.Must(validate.Handle(func(_ http.ResponseWriter, _ *http.Request, in *input) error { return row.fn(in) }, validate.Options{Logger: quiet}))
			srv := httptest.NewServer(errors.Must(errors.NewResponder(errors.Options{Logger: quiet, Details: true})).Handler(h))
			defer srv.Close()
			status, code, text := send(t, "POST", srv.URL+"?name=ada&tag=a&tag=b&size=1", jsonType(), strings.NewReader(`{"from":1,"to":1,"rooms":[{"from":1,"to":1}]}`))
			require.Equal(t, 422, status)
			require.Equal(t, "invalid_input", code)
			require.Equal(t, row.want, text)
		})
	}
	list := []interval{{}, {}}
	require.Equal(t, []validate.Problem{{Pointer: "/1/to", Code: "taken"}}, validate.ProblemsOf(validate.At(&list, &list[1].To, "taken", "is taken")))
	require.Panics(t, func() { _ = validate.At(&list, &list[1].To, "Taken", "is taken") })
}

type wrongCheck struct {
	A int `json:"a"`
}

func (*wrongCheck) Check(_ *validate.Report, _ int) {}

type otherCheck struct {
	A int `json:"a"`
}

func (*otherCheck) Check(string) error { return nil }

func TestCheckersThatAreNotCalledAreReported_VK5(t *testing.T) {
	require.ErrorContains(t, asJSON[[]wrongCheck]()(), "wrongCheck: has a method Check that is never called; did you mean Check(*validate.Report)?")
	require.NoError(t, asJSON[otherCheck]()(), "a method of another meaning")
}
