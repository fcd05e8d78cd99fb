package validate

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// Limits bound what is processed of a request. Zero fields take the defaults.
type Limits struct {
	Body   int64 // bytes of a body, of a multipart form without its file: 1 MiB
	Depth  int   // open arrays and objects at once: 32; at most 256
	Items  int   // of one array: 1000
	Keys   int   // of one object: 256
	Tokens int   // values in a body: 20 000
	String int   // bytes of one string as it is written, or of a part: 64 KiB
	Name   int   // bytes of one member's name: 128
	Number int   // bytes of one number: 64
	Query  int   // bytes of the query: 8 KiB
	Params int   // query parameters, or form fields: 100
	Values int   // values of one query parameter or form field: 20
	// Cookies is how many cookies of any name are looked through for those
	// that are declared: 50. Above 3000, net/http drops all of them unsaid.
	Cookies int
	Parts   int // of a multipart form: 50
	// File is how many bytes a file may have. 0: no files, and a T with a
	// [File] is refused.
	File   int64
	Errors int // problems that are looked for: 20
	// BodyTimeout is how long a body may take, and a second more for every 32
	// KiB of it: 10 s. A server's own ReadTimeout takes its place.
	BodyTimeout time.Duration
}

func (l Limits) withDefaults() Limits {
	set := func(n *int, byDefault int) {
		if *n == 0 {
			*n = byDefault
		}
	}
	if l.Body == 0 {
		l.Body = 1 << 20
	}
	if l.BodyTimeout == 0 {
		l.BodyTimeout = 10 * time.Second
	}
	set(&l.Depth, 32)
	set(&l.Items, 1000)
	set(&l.Keys, 256)
	set(&l.Tokens, 20_000)
	set(&l.String, 64<<10)
	set(&l.Name, 128)
	set(&l.Number, 64)
	set(&l.Query, 8<<10)
	set(&l.Params, 100)
	set(&l.Values, 20)
	set(&l.Cookies, 50)
	set(&l.Parts, 50)
	set(&l.Errors, 20)
	return l
}

func (l Limits) checkBounds() []error {
	var problems []error
	for field, value := range reflect.ValueOf(l).Fields() {
		if value.Int() < 0 {
			problems = append(problems, errors.New("validate: Limits."+field.Name+" "+fmt.Sprint(value)+": is negative; did you mean 0 for the default?"))
		}
	}
	if l.Depth > deepest {
		problems = append(problems, errors.New("validate: Limits.Depth "+strconv.Itoa(l.Depth)+": must be at most "+strconv.Itoa(deepest)))
	}
	return problems
}
