package validate_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-playground/validator/v10"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type line struct {
	SKU  string  `json:"sku" validate:"required,alphanum,max=32"`
	Qty  int     `json:"qty" validate:"min=1,max=10"`
	Note string  `json:"note" validate:"max=500"`
	Unit float64 `json:"unit" validate:"gte=0"`
}

type basket struct {
	Shop  string   `json:"shop" validate:"required,max=32"`
	Mail  string   `json:"mail" validate:"omitempty,email"`
	Tags  []string `json:"tags" validate:"max=9,dive,max=20"`
	Lines []line   `json:"lines" validate:"required,min=1,max=1000,dive"`
}

// basketOf returns a valid body of about a number of bytes.
func basketOf(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"shop":"a7","mail":"ada@example.com","lines":[`)
	for i := 0; ; i++ {
		fmt.Fprintf(&b, `{"sku":"A%d","qty":%d`, i, i%10+1)
		if size > 1<<10 {
			b.WriteString(`,"note":"ring twice, and leave it at the door","unit":12.5`)
		}
		b.WriteByte('}')
		if b.Len() > size-20 {
			return []byte(b.String() + `]}`)
		}
		b.WriteByte(',')
	}
}

// plainly is the code of a careful service without this package.
func plainly[T any]() http.Handler {
	rules := validator.New(validator.WithRequiredStructEnabled())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			panic(err)
		}
		in := new(T)
		if err := json.Unmarshal(data, in); err != nil {
			panic(err)
		}
		if err := rules.Struct(in); err != nil {
			panic(err)
		}
	})
}

// sink is a ResponseWriter that costs nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// again serves one request repeatedly.
func again(h http.Handler, body []byte) func() {
	r := httptest.NewRequest("POST", "/", nil)
	r.Header = jsonType()
	r.ContentLength = int64(len(body))
	reader, w := bytes.NewReader(nil), &sink{header: make(http.Header)}
	r.Body = io.NopCloser(reader)
	return func() {
		reader.Reset(body)
		h.ServeHTTP(w, r)
	}
}

// account also has rules without a compiled form that are cheap for the validator.
type account struct {
	ID    string            `json:"id" validate:"required,uuid4"`
	Mail  string            `json:"mail" validate:"required,email"`
	Hash  string            `json:"hash" validate:"required,len=8,hexadecimal"`
	Code  string            `json:"code" validate:"hexcolor"`
	Day   string            `json:"day" validate:"datetime=2006-01-02"`
	Site  string            `json:"site" validate:"max=200,url"`
	Kind  string            `json:"kind" validate:"oneof=user admin"`
	Age   *int              `json:"age" validate:"omitempty,min=0,max=150"`
	Roles []string          `json:"roles" validate:"max=9,unique,dive,alpha"`
	Meta  map[string]string `json:"meta" validate:"max=9"`
}

const accountBody = `{"id":"550e8400-e29b-41d4-a716-446655440000","mail":"ada@example.com","hash":"00ff00ff","code":"#00ff00","day":"2024-02-29","site":"https://example.com/a",` +
	`"kind":"user","age":36,"roles":["a","b"],"meta":{"k":"v"}}`

// An accepted request allocates hardly more than reading, decoding and checking it.
func TestAcceptedRequestsAllocateLittle(t *testing.T) {
	for _, size := range []int{80, 1 << 10, 8 << 10, 64 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) { costs[basket](t, basketOf(size)) })
	}
	t.Run("rules that are not compiled", func(t *testing.T) { costs[account](t, []byte(accountBody)) })
	t.Run("no rules", func(t *testing.T) {
		costs[struct {
			A string `json:"a"`
			B []int  `json:"b"`
		}](t, []byte(`{"a":"x","b":[1,2,3]}`))
	})
}

func costs[T any](t *testing.T, body []byte) {
	t.Helper()
	served := 0
	ours := errors.Must(validate.JSON[T](validate.Options{Logger: quiet}))(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_ = validate.From[T](r.Context())
			served++
		}))
	got := testing.AllocsPerRun(50, again(ours, body))
	require.Equal(t, 51, served)
	reference := testing.AllocsPerRun(50, again(plainly[T](), body))
	t.Logf("%d bytes: ours %.0f, reference %.0f", len(body), got, reference)
	require.LessOrEqual(t, got, reference+3)
}

func BenchmarkAccepted(b *testing.B) {
	ours := errors.Must(validate.JSON[basket](validate.Options{Logger: slog.New(slog.DiscardHandler)}))(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, size := range []int{80, 1 << 10, 8 << 10, 64 << 10} {
		body := basketOf(size)
		for _, who := range []struct {
			name string
			h    http.Handler
		}{{"ringwall", ours}, {"L2", plainly[basket]()}} {
			b.Run(fmt.Sprintf("bytes=%d/who=%s", len(body), who.name), func(b *testing.B) {
				b.ReportAllocs()
				serve := again(who.h, body)
				for b.Loop() {
					serve()
				}
			})
		}
	}
}
