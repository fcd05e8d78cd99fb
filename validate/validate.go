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

// key is the context key of a validated T.
type key[T any] struct{}

// Input returns middleware that decodes the whole input of a route into a T. The
// tag of each field names its one source: path, query, header, cookie, form,
// body:"json" or body:"raw". The fields of an embedded struct are read like fields of
// T. A T without such tags, or that is no struct, is the body. Query parameters, form fields and bodies that T
// does not have are refused. The handler gets the value from [From].
//
// Input consumes the body, unless T has a [File]: a handler that decodes r.Body
// itself finds it empty. It accepts at most one Options. It reports all problems
// of T and of the options, joined.
func Input[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, whole)
}

// JSON returns middleware that decodes the body into a T of any type that JSON can be
// decoded into, except a pointer. It ignores path, query,
// headers and cookies. It consumes the body: a handler that decodes r.Body itself
// finds it empty, and must use [From].
func JSON[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, bodyOnly)
}

// Query returns middleware that decodes the query into a T, whose fields have query
// tags. It ignores the rest of the request.
func Query[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, queryOnly)
}

// Form returns middleware that decodes a form in the body into a T, whose fields
// have form tags. The form is urlencoded, or multipart if T has a [File]. Form
// ignores the rest of the request: the query never fills a field.
func Form[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, formOnly)
}

// Handle returns a handler that calls fn with the input of a route, decoded as by
// [Input]. Errors of fn go to Options.ErrorHandler. fn must not be nil.
func Handle[T any](fn func(http.ResponseWriter, *http.Request, *T) error, options ...Options) (http.Handler, error) {
	input, err := Input[T](options...)
	if len(options) == 1 && options[0].InsecureReportOnly {
		err = errors.Join(err, errors.New("validate: InsecureReportOnly: is for a handler that reads the request itself; did you mean Input?"))
	}
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

// From returns the validated value from the context of a request. It panics if the
// route has no middleware for T.
func From[T any](ctx context.Context) *T {
	v, ok := ctx.Value(key[T]{}).(*T)
	if !ok {
		panic("validate: From: the route has no middleware for " + reflect.TypeFor[T]().String())
	}
	return v
}

// InsecureWith returns a context with a value that [From] finds. The value is not checked:
// it is for tests of handlers, and for nothing else.
func InsecureWith[T any](ctx context.Context, v *T) context.Context {
	return context.WithValue(ctx, key[T]{}, v)
}

// An inputMode is the part of a request that a constructor decodes.
type inputMode int

const (
	whole inputMode = iota
	bodyOnly
	queryOnly
	formOnly
	decoderOnly
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
			if p.c.reportOnly {
				sent := keepBytes(r)
				err := p.readRequest(w, r, reflect.ValueOf(v))
				sent.putBack(r)
				if err != nil {
					errors.Report(r, err)
				}
				if err != nil || p.hasFile { // of which the handler reads the bytes
					next.ServeHTTP(w, r)
					return
				}
			} else if err := p.readRequest(w, r, reflect.ValueOf(v)); err != nil {
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

// A scratch is the reusable memory for reading one request.
type scratch struct {
	counter  counter
	walker   walker
	buffer   []byte
	patience patience
	unzip    *gzip.Reader // nil until the first compressed body
}

func (c *config) newScratch() *scratch {
	return &scratch{walker: walker{ctx: context.Background(), rules: c.rules, foreign: c.foreign, levels: c.foreign, checks: true, budget: c.limits.Errors}, buffer: make([]byte, firstBuffer)}
}

// release clears the bytes of a request, because a body may contain a password. The
// decompressor keeps its window, to which later streams cannot refer.
func (c *config) release(s *scratch) {
	clear(s.buffer)
	s.patience = patience{}
	s.walker.ctx, s.walker.problems, s.walker.at = nil, nil, place{steps: s.walker.at.steps[:0]}
	c.scratches.Put(s)
}
