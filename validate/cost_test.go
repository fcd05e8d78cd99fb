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

// basketOf returns a valid body of about so many bytes.
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

// plainly is what a careful service does without us: L2 of the bars.
func plainly(rules *validator.Validate) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			panic(err)
		}
		in := new(basket)
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

// again serves one request again and again.
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

// What is accepted costs hardly more than to read, decode and check it.
func TestAllocations(t *testing.T) {
	served := 0
	ours := errors.Must(validate.JSON[basket](validate.Options{Logger: slog.New(slog.DiscardHandler)}))(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { served += len(validate.From[basket](r).Lines) }))
	for _, size := range []int{80, 1 << 10, 8 << 10, 64 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			body := basketOf(size)
			served = 0
			got := testing.AllocsPerRun(50, again(ours, body))
			require.Positive(t, served)
			reference := testing.AllocsPerRun(50, again(plainly(validator.New(validator.WithRequiredStructEnabled())), body))
			t.Logf("%d bytes: ours %.0f, reference %.0f", len(body), got, reference)
			require.LessOrEqual(t, got, reference+3)
		})
	}
}

func BenchmarkAccepted(b *testing.B) {
	ours := errors.Must(validate.JSON[basket](validate.Options{Logger: slog.New(slog.DiscardHandler)}))(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, size := range []int{80, 1 << 10, 8 << 10, 64 << 10} {
		body := basketOf(size)
		for _, who := range []struct {
			name string
			h    http.Handler
		}{{"ringwall", ours}, {"L2", plainly(validator.New())}} {
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
