package validate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
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
	// 422 {"code":"invalid_input","message":"/price is unknown"
}

// The classic mistake: a bounded reader, and a decoder that stops at the end of the
// first value. Another parser may read the rest.
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
	// 400 {"code":"malformed_input","message":"the body contains a member twice at byte 9"
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

func get(h http.Handler, target string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	answer, _, _ := strings.Cut(w.Body.String(), `,"correlation_id"`)
	fmt.Println(w.Code, answer)
}

func ExampleInput() {
	type ListOrders struct {
		Shop  string `path:"shop" validate:"alphanum,max=32"`
		Limit int    `query:"limit" validate:"min=1,max=100" default:"20"`
		Match string `header:"If-None-Match" validate:"max=128"`
	}
	input := errors.Must(validate.Input[ListOrders]())
	mux := http.NewServeMux()
	mux.Handle("GET /shops/{shop}/orders", input(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := validate.From[ListOrders](r.Context())
		_, _ = fmt.Fprint(w, in.Limit, " of ", in.Shop)
	})))
	get(mux, "/shops/a7/orders")
	get(mux, "/shops/a7/orders?limit=1e3")
	get(mux, "/shops/a7/orders?isAdmin=true")
	// Output:
	// 200 20 of a7
	// 400 {"code":"malformed_input","message":"query parameter limit must be a whole number"
	// 422 {"code":"invalid_input","message":"query parameter isAdmin is unknown"
}

func ExampleJSON() {
	type Order struct {
		Items []struct {
			Qty int `json:"qty" validate:"min=1,max=10"`
		} `json:"items" validate:"min=1,max=50"`
	}
	body := errors.Must(validate.JSON[Order]())
	h := body(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, len(validate.From[Order](r.Context()).Items), " items")
	}))
	post(h, `{"items":[{"qty":1},{"qty":2}]}`)
	post(h, `{"items":[{"qty":1},{"qty":11}]}`) // without dive
	post(h, `{"items":[{"qty":1,"QTY":11}]}`)
	// Output:
	// 200 2 items
	// 422 {"code":"invalid_input","message":"/items/1/qty must be at most 10"
	// 422 {"code":"invalid_input","message":"/items/0/QTY is unknown"
}

func ExampleQuery() {
	type Page struct {
		Sort []string `query:"sort" validate:"max=3,dive,oneof=id date"`
	}
	query := errors.Must(validate.Query[Page](validate.Options{IgnoreQuery: []string{"utm_*"}}))
	h := query(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, validate.From[Page](r.Context()).Sort)
	}))
	get(h, "/?sort=date&sort=id&utm_source=mail")
	get(h, "/?sort=price")
	// Output:
	// 200 [date id]
	// 422 {"code":"invalid_input","message":"query parameter sort/0 must be one of: id, date"
}

func ExampleHandle() {
	type Rename struct {
		ID   int `path:"id" validate:"min=1"`
		Body struct {
			Name string `json:"name" validate:"required,max=20,pattern=name"`
		} `body:"json"`
	}
	h := errors.Must(validate.Handle(func(w http.ResponseWriter, _ *http.Request, in *Rename) error {
		_, err := fmt.Fprint(w, in.ID, " is ", in.Body.Name)
		return err
	}, validate.Options{Patterns: map[string]string{"name": `[A-Z][a-z]+`}}))
	mux := http.NewServeMux()
	mux.Handle("/{id}", h)
	for _, body := range []string{`{"name":"Ada"}`, `{"name":"ada\n"}`} {
		r := httptest.NewRequest("PUT", "/7", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 422
}

func ExampleFile() {
	type NewPicture struct {
		Alt  string        `form:"alt" validate:"max=200"`
		File validate.File `form:"picture" types:"image/png image/jpeg" validate:"required"`
	}
	h := errors.Must(validate.Handle(func(w http.ResponseWriter, _ *http.Request, in *NewPicture) error {
		n, err := io.Copy(io.Discard, &in.File)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(w, in.File.Type, ", ", n, " bytes: ", in.Alt)
		return err
	}, validate.Options{Limits: validate.Limits{File: 5 << 20}}))
	for _, content := range []string{"\x89PNG\r\n\x1a\n...", "<script>alert(1)</script>"} {
		var form bytes.Buffer
		fields := multipart.NewWriter(&form)
		_ = fields.WriteField("alt", "a tower")
		part, _ := fields.CreatePart(map[string][]string{
			"Content-Disposition": {`form-data; name="picture"; filename="tower.png"`}, "Content-Type": {"image/png"},
		})
		_, _ = io.WriteString(part, content)
		_ = fields.Close()
		r := httptest.NewRequest("POST", "/", &form)
		r.Header.Set("Content-Type", fields.FormDataContentType())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		answer, _, _ := strings.Cut(w.Body.String(), `,"correlation_id"`)
		fmt.Println(w.Code, answer)
	}
	// Output:
	// 200 image/png, 11 bytes: a tower
	// 422 {"code":"invalid_input","message":"form field picture does not match its media type"
}
