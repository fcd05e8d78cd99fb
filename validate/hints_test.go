package validate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/hints"
	"github.com/ringwall/ringwall/validate"
)

// A test asserts each "did you mean" of the constructors.
func TestEveryHintIsAsserted_FV11(t *testing.T) {
	missing, total, err := hints.Unasserted(".")
	require.NoError(t, err)
	require.Greater(t, total, 40)
	require.Empty(t, missing)
}

// The hints that no other test asserts in full.
func TestHintsNameTheLikelyMeaning_FV11(t *testing.T) {
	type body struct {
		Wait time.Duration `json:"wait"`
		Role string        `json:"role" header:"X-Role" validate:"max=9"`
		Map  map[bool]int  `json:"map" validate:"max=9"`
	}
	type params struct {
		Host   string         `header:"Host" validate:"max=9"`
		Filter map[string]int `query:"filter" validate:"max=9"`
		None   string         `query:"" validate:"max=9"`
		Bare   string         `validate:"max=9"`
		File   validate.File  `query:"file" types:"image/png"`
	}
	type file struct {
		A validate.File `form:"a"`
	}
	type odd struct {
		A validate.File `form:"a" types:"image/x-odd"`
	}
	type form struct {
		A string `form:"a" validate:"max=9"`
	}
	type unnamed struct {
		A string `json:"a" validate:"pattern=x,max=9"`
	}
	type rules struct {
		A string `json:"a" validate:"pattern=^[a-z]+$,max=9"`
		B string `json:"b" validate:"max=9,regexp=^[a-z]+$"`
		C string `json:"c" validate:"required, max=9"`
		D string `json:"d" validate:"max=9,pattern=slgu"`
	}
	type postcodes struct {
		A string `json:"a" validate:"max=9,postcode_iso3166_alpha2=UK"`
		B string `json:"b" validate:"max=9,postcode_iso3166_alpha2=nl"`
		C string `json:"c" validate:"max=9,postcode_iso3166_alpha2=GBR"`
	}
	bytes := validate.Options{Limits: validate.Limits{File: 1}}
	requireReports(t, []group{
		{"FV11", asJSON[body](), []string{
			"body.Wait: a time.Duration cannot be read from JSON; did you mean a number of seconds?", `body.Role: has the tag header:"X-Role", which is not applied inside a body; did you mean a field of the T of Input, beside one with body:"json"?`,
			"body.Map: a map with keys of bool cannot be read from JSON; did you mean a string or a number?",
		}},
		{"FV11", asJSON[rules](validate.Options{Patterns: map[string]string{"slug": "[a-z-]+"}}), []string{
			"rules.A: the rule pattern=^[a-z]+$ does not name an entry of Options.Patterns; did you mean pattern=slug?",
			"rules.B: the rule regexp=^[a-z]+$ does not exist; did you mean pattern, with a name of Options.Patterns?",
			"rules.C: the rule \" max=9\" has a space in its name; did you mean max=9?",
			"rules.D: the rule pattern=slgu does not name an entry of Options.Patterns; did you mean pattern=slug?",
		}},
		{"FV11", asJSON[postcodes](), []string{
			"postcodes.A: the rule postcode_iso3166_alpha2=UK refuses every value because UK is not an ISO 3166-1 code; did you mean GB?",
			"postcodes.B: the rule postcode_iso3166_alpha2=nl refuses every value because nl is not an ISO 3166-1 code; did you mean NL?",
			"postcodes.C: the rule postcode_iso3166_alpha2=GBR refuses every value because GBR is not an ISO 3166-1 code; did you mean one of two letters, such as GB?",
		}},
		{"FV11", asJSON[unnamed](), []string{"unnamed.A: the rule pattern=x does not name an entry of Options.Patterns; did you mean an expression in Patterns, and its name here?"}},
		{"FV11", asInput[params](bytes), []string{
			"params.Host: is never set because net/http removes the header Host; did you mean a field of http.Request?", `params.Filter: a map[string]int cannot be read from text; did you mean a field for each name, such as query:"filter[name]"?`,
			`params.None: has no name; did you mean query:"none"?`, "params.Bare: must have exactly one source; did you mean `query:\"bare\"`?", "params.File: a File comes from a form; did you mean the tag `form`?",
		}},
		{"FV11", asForm[file](bytes), []string{"file.A: has no media types; did you mean `types:\"image/png image/jpeg\"`?"}},
		{"FV11", asForm[odd](bytes), []string{"odd.A: files of the type image/x-odd cannot be recognized; did you mean application/octet-stream and a check of your own?"}},
		{"FV11", asForm[form](validate.Options{Types: []string{"text"}, Limits: validate.Limits{Items: -1}}), []string{
			"form: a form has one media type; did you mean Options without Types?", "validate: Limits.Items -1: is negative; did you mean 0 for the default?", `validate: Types[0] "text": is not a media type; did you mean "application/json"?`,
		}},
	})
}
