package validate

import (
	"compress/gzip"
	"context"
	"net/http"
	"reflect"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/nethttp"
	"github.com/ringwall/ringwall/internal/wiring"
)

// key finds the value of type T in a context.
type key[T any] struct{}

// Input returns a middleware that reads the whole input of a route into a T:
// each field has one source, by its tag: path, query, header, cookie, form, or
// body:"json". The fields of an embedded struct are read as if they were fields
// of T. A T with json tags only is the body. Query parameters, form fields and
// bodies that T does not have are refused. See [From].
//
// The body is then at its end, unless T has a [File]: a handler must not decode
// r.Body itself. It takes at most one Options. The error joins all problems of T
// and the options.
func Input[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, whole)
}

// JSON returns a middleware that reads the body into a T, and leaves the rest
// of the request alone. The body is then at its end: a handler that decodes
// r.Body itself reads nothing, and must take the value of [From].
func JSON[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, bodyOnly)
}

// Query returns a middleware that reads the query into a T, whose fields have
// query tags, and leaves the rest of the request alone.
func Query[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, queryOnly)
}

// Form returns a middleware that reads a form in the body into a T, whose
// fields have form tags, and leaves the rest of the request alone: a urlencoded
// form, or a multipart one if T has a [File]. The query never feeds a form.
func Form[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, formOnly)
}

// Handle returns a handler of the input of a route, see [Input]. Errors of fn
// go to ErrorHandler. A nil fn is an error.
func Handle[T any](fn func(http.ResponseWriter, *http.Request, *T) error, options ...Options) (http.Handler, error) {
	input, err := Input[T](options...)
	if fn == nil {
		err = errors.Join(err, errors.New("validate: Handle: fn must not be nil"))
	}
	if err != nil {
		return nil, err
	}
	respond := errors.Respond
	if len(options) == 1 && options[0].ErrorHandler != nil {
		respond = options[0].ErrorHandler
	}
	return input(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := fn(w, r, From[T](r.Context())); err != nil {
			respond(w, r, err)
		}
	})), nil
}

// From returns the validated value from the context of a request. It panics if
// the route has no middleware for T.
func From[T any](ctx context.Context) *T {
	v, ok := ctx.Value(key[T]{}).(*T)
	if !ok {
		panic("validate: From: the route has no middleware for " + reflect.TypeFor[T]().String())
	}
	return v
}

// inputMode is which part of a request a constructor is about.
type inputMode int

const (
	whole inputMode = iota
	bodyOnly
	queryOnly
	formOnly
)

func build[T any](options []Options, mode inputMode) (func(http.Handler) http.Handler, error) {
	p, err := compileType(reflect.TypeFor[T](), mode, options)
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		wiring.RequireHandler("validate: the middleware", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v := new(T)
			if err := p.readRequest(w, r, reflect.ValueOf(v)); err != nil {
				p.c.respond(w, r, err)
				return
			}
			handled := nethttp.CopyRequest(context.WithValue(r.Context(), key[T]{}, v), r)
			defer nethttp.CarryBack(r, handled)
			next.ServeHTTP(w, handled)
		})
	}, nil
}

func compileType(t reflect.Type, mode inputMode, options []Options) (*plan, error) {
	if len(options) > 1 {
		return nil, errors.New("validate: must be called with at most one Options")
	}
	var o Options
	if len(options) == 1 {
		o = options[0]
	}
	c, problems := compileOptions(o)
	p, more := compilePlan(c, t, mode, o)
	return p, errors.Join(append(problems, more...)...)
}

// scratch is what one request needs while it is read, and the next one may use
// again.
type scratch struct {
	counter  counter
	walker   walker
	buffer   []byte
	patience patience
	unzip    *gzip.Reader // nil until a body is compressed
}

func (c *config) newScratch() *scratch {
	return &scratch{walker: walker{ctx: context.Background(), rules: c.rules, foreign: c.foreign, levels: c.foreign, budget: c.limits.Errors}, buffer: make([]byte, firstBuffer)}
}

// release clears what was read of a request: a body may hold a password. A
// decompressor keeps its window, which no later stream can refer to.
func (c *config) release(s *scratch) {
	clear(s.buffer)
	s.patience = patience{}
	s.walker.ctx, s.walker.problems, s.walker.at = nil, nil, place{steps: s.walker.at.steps[:0]}
	c.scratches.Put(s)
}
