package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/legacy"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-playground/validator/v10"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/bench"
	"github.com/ringwall/ringwall/validate"
)

type line struct {
	SKU  string `json:"sku" validate:"required,alphanum,max=32"`
	Qty  int    `json:"qty" validate:"min=1,max=10"`
	Note string `json:"note,omitempty" validate:"max=500"`
}

type basket struct {
	Shop  string `json:"shop" validate:"required,max=32"`
	Lines []line `json:"lines" validate:"required,min=1,max=1000,dive"`
}

// The same schema, as huma spells it.
type (
	humaLine struct {
		SKU  string `json:"sku" minLength:"1" maxLength:"32" pattern:"^[a-zA-Z0-9]+$"`
		Qty  int    `json:"qty" minimum:"1" maximum:"10"`
		Note string `json:"note,omitempty" maxLength:"500"`
	}
	humaInput struct {
		Body struct {
			Shop  string     `json:"shop" minLength:"1" maxLength:"32"`
			Lines []humaLine `json:"lines" minItems:"1" maxItems:"1000"`
		}
	}
)

const openAPI = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/":{"post":{"responses":{"200":{"description":"ok"}},
"requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","additionalProperties":false,"required":["shop","lines"],"properties":{
"shop":{"type":"string","minLength":1,"maxLength":32},
"lines":{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"object","additionalProperties":false,"required":["sku","qty"],"properties":{
"sku":{"type":"string","minLength":1,"maxLength":32,"pattern":"^[a-zA-Z0-9]+$"},"qty":{"type":"integer","minimum":1,"maximum":10},"note":{"type":"string","maxLength":500}}}}}}}}}}}}}`

// decoding is the code that a service writes itself.
func decoding(unmarshal func([]byte, any) error) http.Handler {
	rules := validator.New(validator.WithRequiredStructEnabled())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		in := new(basket)
		if err == nil {
			err = unmarshal(data, in)
		}
		if err == nil {
			err = rules.Struct(in)
		}
		if err != nil {
			w.WriteHeader(422)
		}
	})
}

func humaPeer() http.Handler {
	mux := http.NewServeMux()
	api := humago.New(mux, huma.DefaultConfig("t", "1"))
	huma.Post(api, "/", func(context.Context, *humaInput) (*struct{}, error) { return nil, nil })
	return mux
}

func kinPeer(b testing.TB) http.Handler {
	b.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(openAPI))
	require.NoError(b, err)
	router, err := legacy.NewRouter(doc)
	require.NoError(b, err)
	return openapi3filter.NewValidator(router, openapi3filter.OnErr(func(_ context.Context, w http.ResponseWriter, _ int, _ openapi3filter.ErrCode, _ error) {
		w.WriteHeader(422)
	})).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if json.NewDecoder(r.Body).Decode(new(basket)) != nil {
			w.WriteHeader(422)
		}
	}))
}

func validatePeers(b testing.TB) []peer {
	ours := errors.Must(validate.JSON[basket](validate.Options{Logger: slog.New(slog.DiscardHandler)}))(bench.Nothing)
	quiet := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	refusing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, bare := w.(*bench.Sink); bare { // only the check is measured
			ours.ServeHTTP(w, r)
			return
		}
		quiet.Handler(ours).ServeHTTP(w, r)
	})
	return []peer{
		{name: "ringwall", h: refusing},
		{name: "L2", h: decoding(func(b []byte, v any) error { return jsonv2.Unmarshal(b, v) })},
		{name: "encoding-json", h: decoding(json.Unmarshal)},
		{name: "huma", h: humaPeer()},
		{name: "kin-openapi", h: kinPeer(b)},
	}
}

// basketOf returns a valid body of about so many bytes.
func basketOf(size int) string {
	var b strings.Builder
	b.WriteString(`{"shop":"a7","lines":[`)
	for i := 0; ; i++ {
		fmt.Fprintf(&b, `{"sku":"A%d","qty":%d`, i, i%10+1)
		if size > 100 {
			b.WriteString(`,"note":"ring twice, and leave it at the door of the yard"`)
		}
		b.WriteByte('}')
		if b.Len() > size-60 {
			return b.String() + `]}`
		}
		b.WriteByte(',')
	}
}

type body struct{ name, text string }

func validateCases() []body {
	var cases []body
	for _, size := range []struct {
		name  string
		bytes int
	}{{name: "80B", bytes: 80},
		{name: "1KiB", bytes: 1 << 10},
		{name: "8KiB", bytes: 8 << 10},
		{name: "64KiB", bytes: 64 << 10}} {
		cases = append(cases, body{size.name, basketOf(size.bytes)})
	}
	return append(cases, body{"items-bomb", `{"shop":"a7","lines":[` + strings.Repeat(`{"sku":"A","qty":1},`, 50_000) + `{"sku":"A","qty":1}]}`})
}

// sent gives every request a new body.
func sent(h http.Handler, text string) (http.Handler, *http.Request) {
	r := httptest.NewRequest("POST", "/", nil)
	r.Header = http.Header{"Content-Type": {"application/json"}}
	r.ContentLength = int64(len(text))
	data, reader := []byte(text), bytes.NewReader(nil)
	payload := io.NopCloser(reader)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reader.Reset(data)
		r.Body = payload
		h.ServeHTTP(w, r)
	}), r
}

// readings is a body whose second look at nulls and numbers is measured.
type readings struct {
	IDs    []int64      `json:"ids" validate:"max=1000"`
	Notes  []*string    `json:"notes" validate:"max=1000"`
	Points [][2]float64 `json:"points" validate:"max=1000"`
	Note   *string      `json:"note" validate:"omitempty,max=100"`
	Data   []byte       `json:"data" validate:"max=100000"`
}

func readingCases() []body {
	list := func(item string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	return []body{
		{name: "ids19", text: `{"ids":` + list("1234567890123456789", 900) + `}`},
		{name: "ids6", text: `{"ids":` + list("123456", 900) + `}`},
		{name: "nulls", text: `{"notes":` + list("null", 900) + `}`},
		{name: "one-null", text: `{"note":null,"ids":` + list("123456", 900) + `}`},
		{name: "points", text: `{"points":` + list("[13.376498712345678,52.516284712345678]", 450) + `}`},
		{name: "base64", text: `{"data":"` + strings.Repeat("QUJD", 15_000) + `"}`},
		{name: "pretty", text: `{"ids": ` + list("\n        123456", 900) + "\n}"},
	}
}

// BenchmarkReading compares bodies of many values with json v2 and validator.
func BenchmarkReading(b *testing.B) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	rules := validator.New(validator.WithRequiredStructEnabled())
	peers := []peer{
		{name: "ringwall", h: errors.Must(validate.JSON[readings](validate.Options{Logger: slog.New(slog.DiscardHandler), Limits: validate.Limits{String: 100_000}}))(bench.Nothing)},
		{name: "L2", h: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
			in := new(readings)
			if err == nil {
				err = jsonv2.Unmarshal(data, in)
			}
			if err == nil {
				err = rules.Struct(in)
			}
			if err != nil {
				w.WriteHeader(422)
			}
		})},
	}
	for _, c := range readingCases() {
		b.Run(c.name, func(b *testing.B) {
			for _, p := range peers {
				h, r := sent(p.h, c.text)
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != 200 {
					b.Fatal(p.name, w.Code, w.Body)
				}
				bench.Measure(b, p.name, h, r)
			}
		})
	}
}

func BenchmarkValidate(b *testing.B) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // refusals are logged
	for _, c := range validateCases() {
		b.Run(c.name, func(b *testing.B) {
			for _, p := range validatePeers(b) {
				h, r := sent(p.h, c.text)
				bench.Measure(b, p.name, h, r)
			}
		})
	}
}

// The compared libraries accept the same bodies, and refuse the same faults.
func TestValidateAnswersAlike(t *testing.T) {
	for _, p := range validatePeers(t) {
		for _, c := range validateCases() {
			t.Run(p.name+"/"+c.name, func(t *testing.T) {
				h, r := sent(p.h, c.text)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				require.Equal(t, c.name != "items-bomb", w.Code < 300, w.Body)
			})
		}
		for _, text := range []string{`{"shop":"a7","lines":[{"sku":"a b","qty":1}]}`, `{"shop":"a7","lines":[{"sku":"a","qty":11}]}`, `{"shop":"","lines":[{"sku":"a","qty":1}]}`, `{"shop":"a7","lines":[]}`} {
			t.Run(p.name+"/"+text, func(t *testing.T) {
				h, r := sent(p.h, text)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				require.GreaterOrEqual(t, w.Code, 400)
			})
		}
	}
}
