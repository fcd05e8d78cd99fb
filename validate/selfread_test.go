package validate_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type pairOfNumbers struct{ First, Second int }

func (p *pairOfNumbers) UnmarshalJSON(data []byte) error {
	var v struct{ First, Second int }
	err := json.Unmarshal(data, &v)
	p.First, p.Second = v.First, v.Second
	return err
}

// The methods of a type decide about null inside its values. null itself is refused as
// for any non-nullable type.
func TestTypesWithADecoderDecideAboutNullInside_FV12(t *testing.T) {
	type input struct {
		Raw   json.RawMessage            `json:"raw" validate:"max=99"`
		Raws  map[string]json.RawMessage `json:"raws" validate:"max=9"`
		Pairs []pairOfNumbers            `json:"pairs" validate:"max=9"`
		Inner struct{ pairOfNumbers }    `json:"inner"`
	}
	h := handler[input](t)
	for body, status := range map[string]int{
		`{"raw":[null]}`: 200, `{"raw":{"a":null}}`: 200, `{"raws":{"k":[null]}}`: 200, `{"pairs":[{"First":null}]}`: 200, `{"inner":{"First":null,"x":null}}`: 200,
		`{"raw":null}`: 422, `{"raws":{"k":null}}`: 422, `{"pairs":[null]}`: 422, `{"raw":"\u0000"}`: 422, `{"raw":["\u0000"]}`: 422,
	} {
		t.Run(body, func(t *testing.T) {
			w := in(t, h, "POST", "/", jsonType(), strings.NewReader(body))
			require.Equal(t, status, w.Code, "%s", w.Body)
		})
	}
}
