package validate_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

func asQuery[T any](o ...validate.Options) func() error {
	return func() error {
		_, err := validate.Query[T](o...)
		return err
	}
}

func asForm[T any](o ...validate.Options) func() error {
	return func() error {
		_, err := validate.Form[T](o...)
		return err
	}
}

// group is one type that a constructor reports as invalid, and each of the
// texts that the error must have.
type group struct {
	name  string
	build func() error
	wants []string
}

// requireReports checks that each constructor reports each of its texts.
func requireReports(t *testing.T, groups []group) {
	t.Helper()
	for _, g := range groups {
		err := g.build()
		for _, want := range g.wants {
			t.Run(g.name+" "+want, func(t *testing.T) { require.ErrorContains(t, err, want) })
		}
	}
}

type tenant struct {
	Tenant string `header:"X-Tenant" validate:"required,max=20"`
}

type paging struct {
	Limit int `query:"limit" validate:"min=1,max=100" default:"20"`
}

type scope struct {
	tenant
	paging
}

type renamed struct {
	Name string `json:"name" validate:"max=9"`
}

type selfRead struct {
	Role string `header:"X-Role" default:"none"`
}

func (s *selfRead) UnmarshalJSON([]byte) error { return nil }

// A source tag is applied, or New reports it: a body must not fill a field that
// names another source (CWE-915).
func TestSourceTagsAreNeverIgnored_FV1(t *testing.T) {
	type inBody struct {
		ID   string `path:"id" validate:"max=9"`
		Role string `header:"X-Role" validate:"max=9"`
		Page int    `query:"page"`
		Sess string `cookie:"sid" validate:"max=9"`
		Body string `body:"json" validate:"max=9"`
		Form string `form:"f" validate:"max=9"`
		Both string `json:"both" header:"X-Both" validate:"max=9"`
		Off  string `json:"-" header:"X-Off"`
	}
	type deep struct {
		List []inBody                          `json:"list" validate:"max=9"`
		Map  map[string]*tenant                `json:"map" validate:"max=9"`
		Opt  validate.Opt[paging]              `json:"opt"`
		Own  selfRead                          `json:"own"`
		Many [][]map[string]struct{ selfRead } `json:"many" validate:"max=9"`
	}
	type bodyField struct {
		Body struct {
			tenant
			Name string `json:"name" validate:"max=9"`
		} `body:"json"`
	}
	type embedsMembers struct {
		tenant
		Name string `json:"name" validate:"max=9"`
	}
	type embedsGroup struct {
		tenant
		renamed
	}
	type embedsPointer struct {
		*scope
		Page int `query:"page"`
	}
	type named struct {
		Page paging
		Q    string `query:"q" validate:"max=9"`
	}
	type clash struct {
		scope
		Mine int `query:"limit"`
	}
	type ruled struct {
		paging `validate:"required"`
	}
	type hidden struct {
		Q  string `query:"q" validate:"max=9"`
		id string `path:"id"`
	}
	_ = hidden{}.id
	inside := "which is not applied inside a body"
	requireReports(t, []group{
		{"JSON", asJSON[inBody](), []string{
			`inBody.ID: has the tag path:"id", ` + inside + `; did you mean a field of the T of Input, beside one with body:"json"?`, `inBody.Role: has the tag header:"X-Role", ` + inside, `inBody.Page: has the tag query:"page", ` + inside,
			`inBody.Sess: has the tag cookie:"sid", ` + inside, `inBody.Body: has the tag body:"json", ` + inside, `inBody.Form: has the tag form:"f" without a name in JSON; did you mean json:"f" form:"f"?`, `inBody.Both: has the tag header:"X-Both", ` + inside,
			`inBody.Off: has the tag header:"X-Off", ` + inside,
		}},
		{"below", asJSON[deep](), []string{`inBody.Role: has the tag header:"X-Role", ` + inside, `tenant.Tenant: has the tag header:"X-Tenant", ` + inside, `paging.Limit: has the tag query:"limit", ` + inside, `paging.Limit: has the tag default:"20", ` + inside, `selfRead.Role: has the tag header:"X-Role", ` + inside}},
		{"a body field", asInput[bodyField](), []string{`tenant.Tenant: has the tag header:"X-Tenant", ` + inside}},
		{"JSON, embedded", asJSON[scope](), []string{`tenant.Tenant: has the tag header:"X-Tenant", ` + inside, `paging.Limit: has the tag query:"limit", ` + inside}},
		{"Input, embedded", asInput[embedsMembers](), []string{`embedsMembers.Name: must have exactly one source; did you mean a struct of the members, in a field with body:"json"?`}},
		{"Input, embedded twice", asInput[embedsGroup](), []string{`renamed.Name: must have exactly one source; did you mean a struct of the members, in a field with body:"json"?`}},
		{"Input, pointer", asInput[embedsPointer](), []string{`embedsPointer.scope: is an embedded pointer; did you mean to embed the struct itself?`}},
		{"Input, named", asInput[named](), []string{`named.Page: is a struct of parameters with a name; did you mean to embed it?`}},
		{"Query, named", asQuery[named](), []string{`named.Page: is a struct of parameters with a name; did you mean to embed it?`}},
		{"clash", asInput[clash](), []string{`clash.Mine: has the source query:"limit", which is also read by`, "paging.Limit"}},
		{"Query", asQuery[scope](), []string{`tenant.Tenant: has the source header:"X-Tenant", but Query reads only the query; did you mean Input?`}},
		{"Form", asForm[scope](), []string{`tenant.Tenant: has the source header:"X-Tenant", but Form reads only the form; did you mean Input?`}},
		{"rules of an embedded struct", asInput[ruled](), []string{`ruled.paging: has the tag validate:"required", which is not applied to an embedded struct of parameters; did you mean rules on its fields?`}},
		{"not exported", asInput[hidden](), []string{`hidden.id: is not exported, so its tag path:"id" is not applied; did you mean Id?`}},
	})
}

// Embedded parameters are read from their own source, and the body cannot
// reach them.
func TestEmbeddedParametersAreRead_FV1(t *testing.T) {
	type input struct {
		scope
		Body renamed `body:"json"`
	}
	srv := serve[input](t, validate.Options{})
	header := jsonType()
	header.Set("X-Tenant", "good")
	for _, row := range []struct {
		name, query, body string
		header            http.Header
		status            int
		message           string
	}{
		{"an evil body", "", `{"Tenant":"evil","name":"a"}`, header, 422, "/Tenant"},
		{"an evil body of the embedded type", "", `{"tenant":{"Tenant":"evil"}}`, header, 422, "/tenant"},
		{"a parameter that breaks a rule", "?limit=101", `{}`, header, 422, "query parameter limit must be at most 100"},
		{"no header", "", `{}`, jsonType(), 422, "header X-Tenant is required"},
		{"an honest request", "?limit=7", `{"name":"ada"}`, header, 200, ""},
	} {
		t.Run("FV1 "+row.name, func(t *testing.T) {
			status, _, message := send(t, "POST", srv.URL+"/"+row.query, row.header, strings.NewReader(row.body))
			require.Equal(t, row.status, status, message)
			require.Contains(t, message, row.message)
		})
	}
	t.Run("FV1 the handler gets the header's value and the default", func(t *testing.T) {
		r, err := http.NewRequest("POST", srv.URL, strings.NewReader(`{"name":"ada"}`))
		require.NoError(t, err)
		r.Header = header
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer res.Body.Close()
		var in struct {
			Tenant string
			Limit  int
			Body   struct{ Name string }
		}
		require.NoError(t, json.NewDecoder(res.Body).Decode(&in))
		require.Equal(t, "good", in.Tenant)
		require.Equal(t, 20, in.Limit)
		require.Equal(t, "ada", in.Body.Name)
	})
	t.Run("FV1 the schema has them in their sources", func(t *testing.T) {
		text, err := validate.Schema[input]()
		require.NoError(t, err)
		require.Contains(t, string(text), `"X-Tenant"`)
		require.NotContains(t, string(text), `"Tenant"`)
	})
}

// One struct may serve a JSON body and a form.
func TestOneStructDecodesFormsAndJSON_FV1(t *testing.T) {
	type login struct {
		Name string `json:"name" form:"name" validate:"required,max=9"`
	}
	require.NoError(t, asJSON[login]()())
	require.NoError(t, asForm[login]()())
	require.NoError(t, asInput[login]()())
}
