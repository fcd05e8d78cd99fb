package validate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

// The schema of a T with several sources is an object with one object for each source.
func TestSchemaHasOneMemberForEachSource(t *testing.T) {
	type input struct {
		Shop  string   `path:"shop" validate:"required,max=8"`
		Limit int8     `query:"limit" validate:"min=1" default:"20"`
		Tags  []string `query:"tag" validate:"max=2"`
		Match string   `header:"If-Match" validate:"max=9"`
		Body  struct {
			Qty uint8 `json:"qty" validate:"max=9"`
		} `body:"json"`
	}
	text, err := validate.Schema[input]()
	require.NoError(t, err)
	require.JSONEq(t, `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","additionalProperties":false,"required":["path","body"],"properties":{
		"path":{"type":"object","additionalProperties":false,"required":["shop"],"properties":{"shop":{"type":"string","maxLength":8,"not":{"const":""}}}},
		"query":{"type":"object","additionalProperties":false,"required":[],"properties":{
			"limit":{"allOf":[{"minimum":1},{"type":"integer","minimum":-128,"maximum":127}],"default":20},
			"tag":{"type":"array","items":{"type":"string"},"maxItems":2}}},
		"header":{"type":"object","required":[],"properties":{"If-Match":{"type":"string","maxLength":9}}},
		"body":{"$ref":"#/$defs/object"}},
		"$defs":{"object":{"type":"object","additionalProperties":false,"required":[],"properties":{"qty":{"allOf":[{"maximum":9},{"type":"integer","minimum":0,"maximum":255}]}}}}}`, string(text))
	_, err = validate.Schema[*int]()
	require.ErrorContains(t, err, "*int: is a pointer")
}

type level int

func (l *level) UnmarshalText(text []byte) error { *l = level(len(text)); return nil }

// The schema of parameters describes the accepted texts.
func TestSchemaDescribesParameters_FV12(t *testing.T) {
	type input struct {
		Level level    `query:"level" validate:"max=9" default:"low"`
		Pages []int    `query:"page" validate:"max=3" default:"1"`
		Sort  []string `query:"sort" validate:"max=3" default:"name"`
		Full  bool     `query:"full" default:"true"`
		Body  struct {
			N int `json:"n" validate:"max=9"`
		} `body:"json" validate:"required"`
	}
	text, err := validate.Schema[input]()
	require.NoError(t, err)
	require.JSONEq(t, `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","additionalProperties":false,"required":["body"],"properties":{
		"query":{"type":"object","additionalProperties":false,"required":[],"properties":{
			"level":{"type":"string","$comment":"rules max=9","default":"low"},
			"page":{"type":"array","items":{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807},"maxItems":3,"default":[1]},
			"sort":{"type":"array","items":{"type":"string"},"maxItems":3,"default":["name"]},
			"full":{"type":"boolean","default":true}}},
		"body":{"not":{"type":"object","additionalProperties":false,"properties":{"n":{"const":0}}},"$ref":"#/$defs/object"}},
		"$defs":{"object":{"type":"object","additionalProperties":false,"required":[],"properties":{"n":{"allOf":[{"maximum":9},{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807}]}}}}}`, string(text))
}
