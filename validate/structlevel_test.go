package validate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type span struct {
	From int `json:"from" validate:"min=0"`
	To   int `json:"to" validate:"max=100"`
}

type widerSpan struct {
	span
	Name string `json:"name" validate:"max=9"`
}

type trip struct {
	Span  span                 `json:"span"`
	Next  *span                `json:"next"`
	Opt   validate.Opt[span]   `json:"opt"`
	List  []span               `json:"list" validate:"max=9"`
	Map   map[string]span      `json:"map" validate:"max=9"`
	Deep  [][]map[string]*span `json:"deep" validate:"max=9"`
	Wide  widerSpan            `json:"wide"`
	Stops []struct {
		Spans [2]span `json:"spans"`
	} `json:"stops" validate:"max=9"`
}

type callerKey struct{}

// ordered registers a function that requires From before To, except for the
// caller "any".
func ordered(v *validator.Validate) error {
	v.RegisterStructValidationCtx(func(ctx context.Context, sl validator.StructLevel) {
		s := sl.Current().Interface().(span)
		if s.To < s.From && ctx.Value(callerKey{}) != "any" {
			sl.ReportError(s.To, "To", "To", "after", "<secret>")
		}
	}, span{})
	return nil
}

// detailed serves a T behind a Responder with Details, over a real socket. The
// header Caller is put into the context of the request.
func detailed[T any](t *testing.T, o validate.Options) *httptest.Server {
	t.Helper()
	o.Logger = quiet
	h, err := validate.Handle(func(http.ResponseWriter, *http.Request, *T) error { return nil }, o)
	require.NoError(t, err)
	h = errors.Must(errors.NewResponder(errors.Options{Logger: quiet, Details: true})).Handler(h)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, r.Header.Get("Caller"))))
	}))
	t.Cleanup(srv.Close)
	return srv
}

// problemsOf sends a body and returns the status and the problems, as
// "pointer code".
func problemsOf(t *testing.T, url, caller, body string) (status int, problems []string, text string) {
	t.Helper()
	r, err := http.NewRequest("POST", url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header = jsonType()
	r.Header.Set("Caller", caller)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	var response struct {
		Details []struct{ Pointer, Code string }
		Errors  []struct{ Pointer, Code string }
	}
	if len(bytes.TrimSpace(raw)) > 0 {
		require.NoError(t, json.Unmarshal(raw, &response), "%s", raw)
	}
	for _, p := range append(response.Details, response.Errors...) {
		problems = append(problems, p.Pointer+" "+p.Code)
	}
	return res.StatusCode, problems, string(raw)
}

// Functions that Setup registers for a type of struct run at every struct of
// that type.
func TestStructLevelFunctionsRun_FV2(t *testing.T) {
	srv := detailed[trip](t, validate.Options{Setup: ordered})
	const bad, good = `{"from":5,"to":1}`, `{"from":1,"to":5}`
	for _, row := range []struct {
		name, caller, body string
		status             int
		problems           []string
	}{
		{"in a member", "", `{"span":` + bad + `}`, 422, []string{"/span/to after"}},
		{"behind a pointer", "", `{"next":` + bad + `}`, 422, []string{"/next/to after"}},
		{"in an Opt", "", `{"opt":` + bad + `}`, 422, []string{"/opt/to after"}},
		{"in a list", "", `{"list":[` + good + `,` + bad + `]}`, 422, []string{"/list/1/to after"}},
		{"in a map", "", `{"map":{"k":` + bad + `}}`, 422, []string{"/map/k/to after"}},
		{"in lists of maps", "", `{"deep":[[],[{"k":` + bad + `}]]}`, 422, []string{"/deep/1/0/k/to after"}},
		{"embedded", "", `{"wide":` + bad + `}`, 422, []string{"/wide/to after"}},
		{"in an array of a struct without a name", "", `{"stops":[{"spans":[` + good + `,` + bad + `]}]}`, 422, []string{"/stops/0/spans/1/to after"}},
		{"twice", "", `{"span":` + bad + `,"list":[` + bad + `]}`, 422, []string{"/span/to after", "/list/0/to after"}},
		{"after the rules of the fields", "", `{"span":{"from":500,"to":101}}`, 422, []string{"/span/to max"}},
		{"with the context of the request", "any", `{"list":[` + bad + `]}`, 200, nil},
		{"nothing to report", "", `{"span":` + good + `,"next":null,"opt":null,"list":[` + good + `],"map":{"k":` + good + `}}`, 200, nil},
	} {
		t.Run("FV2 "+row.name, func(t *testing.T) {
			status, problems, text := problemsOf(t, srv.URL, row.caller, row.body)
			require.Equal(t, row.status, status, text)
			require.Equal(t, row.problems, problems)
			require.NotContains(t, text, "secret")
		})
	}
}

type booking struct {
	scope
	Shop string `query:"shop" validate:"max=9"`
	Body trip   `body:"json"`
}

// Functions for T itself, and for structs that are embedded in it, see all
// sources, and their errors are placed at parameters and members.
func TestStructLevelFunctionsSeeTheWholeInput_FV2(t *testing.T) {
	report := map[string]string{}
	srv := detailed[booking](t, validate.Options{Setup: func(v *validator.Validate) error {
		v.RegisterStructValidation(func(sl validator.StructLevel) {
			if in := sl.Current().Interface().(booking); in.Shop == "nowhere" {
				sl.ReportError(in.Shop, report["name"], report["name"], report["code"], "")
			}
		}, booking{})
		v.RegisterStructValidation(func(sl validator.StructLevel) {
			if sl.Current().Interface().(paging).Limit == 13 {
				sl.ReportError(nil, "limit", "Limit", "unlucky", "")
			}
		}, paging{})
		return nil
	}})
	type row struct {
		name, query, field, code string
		problem                  string
	}
	for _, row := range []row{
		{"a parameter", "?shop=nowhere", "Shop", "closed", "/query/shop closed"},
		{"a promoted parameter", "?shop=nowhere", "Tenant", "closed", "/header/X-Tenant closed"},
		{"a parameter by its whole path", "?shop=nowhere", "scope.paging.Limit", "closed", "/query/limit closed"},
		{"the body", "?shop=nowhere", "Body", "closed", " closed"},
		{"a member", "?shop=nowhere", "Body.Span.To", "closed", "/span/to closed"},
		{"an item", "?shop=nowhere", "Body.List[3].From", "closed", "/list/3/from closed"},
		{"a value of a map", "?shop=nowhere", "Body.Map[<k>].From", "closed", "/map closed"},
		{"a promoted member", "?shop=nowhere", "Body.Wide.From", "closed", "/wide/from closed"},
		{"an unknown name", "?shop=nowhere", "Nope", "closed", " closed"},
		{"an unknown member", "?shop=nowhere", "Body.Span.Nope", "closed", " closed"},
		{"an index of a struct", "?shop=nowhere", "Body.Span[0]", "closed", " closed"},
		{"a bad index", "?shop=nowhere", "Body.List[x].From", "closed", " closed"},
		{"no name", "?shop=nowhere", "", "closed", " closed"},
		{"a code that is not a code", "?shop=nowhere", "Shop", "<b>", "/query/shop invalid"},
		{"a struct embedded in T", "?limit=13", "", "", "/query/limit unlucky"},
	} {
		t.Run("FV2 "+row.name, func(t *testing.T) {
			report["name"], report["code"] = row.field, row.code
			r, err := http.NewRequest("POST", srv.URL+"/"+row.query, strings.NewReader(`{}`))
			require.NoError(t, err)
			r.Header = jsonType()
			r.Header.Set("X-Tenant", "a")
			w := httptest.NewRecorder()
			srv.Config.Handler.ServeHTTP(w, r.WithContext(context.Background()))
			require.Equal(t, 422, w.Code, "%s", w.Body)
			pointer, code, _ := strings.Cut(row.problem, " ")
			require.Contains(t, w.Body.String(), `{"pointer":"`+pointer+`","code":"`+code+`"}`)
			require.NotContains(t, w.Body.String(), "<")
		})
	}
}

// The budget of problems bounds the errors of one function, too.
func TestStructLevelErrorsAreBounded_FV2(t *testing.T) {
	called := 0
	srv := detailed[trip](t, validate.Options{Limits: validate.Limits{Errors: 3}, Setup: func(v *validator.Validate) error {
		v.RegisterStructValidation(func(sl validator.StructLevel) {
			called++
			for range 50 {
				sl.ReportError(nil, "To", "To", "after", "")
			}
		}, span{})
		return nil
	}})
	status, problems, _ := problemsOf(t, srv.URL, "", `{"list":[{},{},{},{}]}`)
	require.Equal(t, 422, status)
	require.Len(t, problems, 3)
	require.Equal(t, 1, called)
}

// A rule of Setup gets the request's context, and a nil pointer if it is
// registered for those.
func TestSetupRulesGetContextAndNil_FV2(t *testing.T) {
	type input struct {
		Own   string                `json:"own" validate:"own,max=9"`
		Maybe *string               `json:"maybe" validate:"maybe"`
		Then  *string               `json:"then" validate:"maybe,omitempty,max=3"`
		Plain *string               `json:"plain" validate:"maybe,max=3"`
		Inner validate.Opt[*string] `json:"inner" validate:"maybe"`
	}
	called := 0
	srv := detailed[input](t, validate.Options{Setup: func(v *validator.Validate) error {
		return errors.Join(v.RegisterValidationCtx("own", func(ctx context.Context, f validator.FieldLevel) bool {
			return ctx.Value(callerKey{}) == f.Field().String()
		}), v.RegisterValidation("maybe", func(f validator.FieldLevel) bool {
			if f.Field().Kind() != 0 && f.Field().Type().String() == "*string" {
				called++
			}
			return f.Field().String() != "never"
		}, true))
	}})
	for _, row := range []struct {
		name, caller, body string
		problems           []string
	}{
		{"nil is accepted by its rules", "ada", `{"own":"ada","plain":"x"}`, nil},
		{"another caller", "bob", `{"own":"ada","plain":"x"}`, []string{"/own own"}},
		{"a value is shown too", "ada", `{"own":"ada","plain":"x","maybe":"never"}`, []string{"/maybe maybe"}},
		{"rules behind omitempty are about values", "ada", `{"own":"ada","plain":"x","then":"four"}`, []string{"/then max"}},
		{"a rule that is not for nil refuses nil", "ada", `{"own":"ada"}`, []string{"/plain required"}},
	} {
		t.Run("FV2 "+row.name, func(t *testing.T) {
			_, problems, text := problemsOf(t, srv.URL, row.caller, row.body)
			require.Equal(t, row.problems, problems, text)
		})
	}
	require.NotZero(t, called, "the rule has never seen a nil pointer")
}

// What Setup cannot change is reported.
func TestSetupWithoutEffectIsReported_FV2(t *testing.T) {
	setup := func(fn func(*validator.Validate)) validate.Options {
		return validate.Options{Logger: quiet, Setup: func(v *validator.Validate) error { fn(v); return nil }}
	}
	requireReports(t, []group{
		{"FV2 map rules", asJSON[span](setup(func(v *validator.Validate) {
			v.RegisterStructValidationMapRules(map[string]string{"To": "max=3"}, span{})
		})), []string{"validate: Setup: RegisterStructValidationMapRules has no effect; did you mean rules in the tags, or RegisterStructValidation?"}},
		{"FV2 tag name", asJSON[span](setup(func(v *validator.Validate) { v.SetTagName("binding") })), []string{`validate: Setup: SetTagName "binding" has no effect; did you mean the validate tag?`}},
	})
	require.NoError(t, asJSON[span](setup(func(v *validator.Validate) {
		v.SetTagName("validate")
		v.RegisterAlias("small", "max=3")
	}))())
}
