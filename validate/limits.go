package validate

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// Limits bounds the input of a request. Zero fields mean the defaults.
type Limits struct {
	// Body is the maximum number of bytes of a body, or of a multipart form without
	// its file. 0 means 1 MiB.
	Body int64
	// Depth is the maximum number of nested arrays and objects, at most 256. 0
	// means 32.
	Depth int
	// Items is the maximum number of items of one array. 0 means 1000.
	Items int
	// Keys is the maximum number of members of one object. 0 means 256.
	Keys int
	// Tokens is the maximum number of values in a body. 0 means 20 000.
	Tokens int
	// String is the maximum number of bytes of one string as it is written, or of
	// one field of a multipart form. 0 means 64 KiB.
	String int
	// Name is the maximum number of bytes of one member name. 0 means 128.
	Name int
	// Number is the maximum number of bytes of one number. 0 means 64.
	Number int
	// Query is the maximum number of bytes of the query. 0 means 8 KiB.
	Query int
	// Params is the maximum number of query parameters, or of form fields. 0 means
	// 100.
	Params int
	// Values is the maximum number of values of one query parameter or form field.
	// 0 means 20.
	Values int
	// Cookies is the maximum number of cookies of any name, if T declares one. 0
	// means 50. net/http silently drops all cookies if there are more than 3000.
	Cookies int
	// Parts is the maximum number of parts of a multipart form. 0 means 50.
	Parts int
	// File is the maximum number of bytes of a file. 0 means no files: a T with a
	// [File] is reported.
	File int64
	// Errors is the maximum number of problems in one response. 0 means 20.
	Errors int
	// BodyTimeout bounds the time until a body has arrived, plus one second for
	// every 32 KiB of it. 0 means 10 s. It has no effect if the server has a
	// ReadTimeout.
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
