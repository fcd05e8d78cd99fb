package validate_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

func post(h http.Handler, body string) {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	answer, _, _ := strings.Cut(w.Body.String(), `,"correlation_id"`)
	fmt.Println(w.Code, answer)
}

func Example() {
	type Order struct {
		SKU string `json:"sku" validate:"required,alphanum,max=32"`
		Qty int    `json:"qty" validate:"min=1,max=10"`
	}
	h := errors.Must(validate.Handle(func(w http.ResponseWriter, r *http.Request, in *Order) error {
		_, err := fmt.Fprint(w, in.Qty, " of ", in.SKU)
		return err
	}))
	post(h, `{"sku":"A7","qty":2}`)
	post(h, `{"sku":"A7","qty":99}`)
	post(h, `{"sku":"A7","qty":2,"price":0}`)
	// Output:
	// 200 2 of A7
	// 422 {"code":"invalid_input","message":"/qty must be at most 10"
	// 422 {"code":"invalid_input","message":"/price is not known"
}

// The classic mistake: a bounded reader, and a decoder that stops at the end
// of the first value. What stands behind it, another parser may read.
func Example_incorrect() {
	type Order struct {
		Qty int `json:"qty" validate:"min=1,max=10"`
	}
	wrong := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in Order
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in)
		_, _ = fmt.Fprint(w, in.Qty, " ", err)
	})
	right := errors.Must(validate.Handle(func(w http.ResponseWriter, r *http.Request, in *Order) error {
		_, err := fmt.Fprint(w, in.Qty)
		return err
	}))
	body := `{"qty":1,"qty":-5}{"qty":7}`
	post(wrong, body)
	post(right, body)
	// Output:
	// 200 -5 <nil>
	// 400 {"code":"malformed_input","message":"The input cannot be read."
}

func ExampleSchema() {
	type Order struct {
		SKU string `json:"sku" validate:"required,alphanum,max=32"`
		Qty int8   `json:"qty" validate:"omitempty,min=1"`
	}
	text, err := validate.Schema[Order]()
	if err != nil {
		panic(err)
	}
	var schema struct {
		Defs map[string]struct {
			Required   []string                  `json:"required"`
			Properties map[string]map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		panic(err)
	}
	fmt.Println(schema.Defs["Order"].Required)
	fmt.Println(schema.Defs["Order"].Properties["sku"])
	// Output:
	// [sku]
	// map[maxLength:32 not:map[const:] pattern:^[a-zA-Z0-9]+$ type:string]
}
