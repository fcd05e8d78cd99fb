package validate

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-playground/validator/v10"

	"github.com/ringwall/ringwall/errors"
)

// Options configures a constructor of this package. The zero value is the
// recommended set-up.
type Options struct {
	// Limits bound what is processed. Zero fields take the defaults.
	Limits Limits
	// Types are the media types that a JSON body may have. nil:
	// application/json. A form has one type, and takes none here.
	Types []string
	// Patterns are regular expressions for the rule pattern=name, anchored at
	// both ends, in RE2, which takes linear time.
	Patterns map[string]string
	// Setup adds rules of the application's own to our private instance.
	Setup func(*validator.Validate) error
	// PathValue returns a path parameter, unescaped. nil: that of the request,
	// which the standard mux and chi set.
	PathValue func(*http.Request, string) string
	// IgnoreQuery are query parameters that are dropped unread, such as
	// "gclid"; a "*" at the end stands for any rest.
	IgnoreQuery []string
	// Strict makes errors of what the constructor otherwise warns of: strings,
	// slices and maps without a bound.
	Strict bool
	// Gzip accepts bodies with Content-Encoding: gzip. All limits count what
	// comes out, and Body what comes in too.
	Gzip bool
	// InsecureAllowUnknown drops members of a body that are not known.
	InsecureAllowUnknown bool
	// InsecureAllowNull reads null as the zero value where a type has none.
	InsecureAllowNull bool
	// Logger gets the constructor's warnings, once. nil: slog.Default().
	Logger *slog.Logger
	// ErrorHandler answers refused requests. nil: errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// Limits bound what is processed of a request. Zero fields take the defaults.
type Limits struct {
	Body   int64 // bytes of a body: 1 MiB
	Depth  int   // open arrays and objects at once: 32; at most 256
	Items  int   // of one array: 1000
	Keys   int   // of one object: 256
	Tokens int   // values in a body: 20 000
	String int   // bytes of one string, as it is written: 64 KiB
	Name   int   // bytes of one member's name: 128
	Number int   // bytes of one number: 64
	Query  int   // bytes of the query: 8 KiB
	Params int   // query parameters, or form fields: 100
	Values int   // values of one query parameter or form field: 20
	// Cookies is how many cookies of any name are looked through for those
	// that are declared: 50. Above 3000, net/http drops all of them unsaid.
	Cookies int
	Errors  int // problems that are looked for: 20
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
	set(&l.Errors, 20)
	return l
}

// config is a compiled Options.
type config struct {
	limits       Limits
	types        []string
	ignore       []string
	gzip         bool
	allowUnknown bool
	allowNull    bool
	rules        *validator.Validate
	pathValue    func(*http.Request, string) string
	respond      func(http.ResponseWriter, *http.Request, error)
}

// key finds the value of type T in a context.
type key[T any] struct{}

// Input returns a middleware that reads the whole input of a route into a T:
// each field has one source, by its tag: path, query, header, cookie, form, or
// body:"json". A T with json tags only is the body. Query parameters, form
// fields and bodies that T does not have are refused. See [From].
//
// It takes at most one Options. The error joins all problems of T and the
// options.
func Input[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, whole)
}

// JSON returns a middleware that reads the body into a T, and leaves the rest
// of the request alone.
func JSON[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, bodyOnly)
}

// Query returns a middleware that reads the query into a T, whose fields have
// query tags, and leaves the rest of the request alone.
func Query[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, queryOnly)
}

// Form returns a middleware that reads a urlencoded form in the body into a T,
// whose fields have form tags, and leaves the rest of the request alone. The
// query never feeds a form.
func Form[T any](options ...Options) (func(http.Handler) http.Handler, error) {
	return build[T](options, formOnly)
}

// Handle returns a handler of the input of a route, see [Input]. Errors of fn
// go to ErrorHandler.
func Handle[T any](fn func(http.ResponseWriter, *http.Request, *T) error, options ...Options) (http.Handler, error) {
	input, err := Input[T](options...)
	if err != nil {
		return nil, err
	}
	respond := errors.Respond
	if len(options) == 1 && options[0].ErrorHandler != nil {
		respond = options[0].ErrorHandler
	}
	return input(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := fn(w, r, From[T](r)); err != nil {
			respond(w, r, err)
		}
	})), nil
}

// From returns the validated value. It panics, naming T, where no middleware
// for T ran: that is a mistake in the wiring of the routes.
func From[T any](r *http.Request) *T {
	v, ok := r.Context().Value(key[T]{}).(*T)
	if !ok {
		panic("validate: From: no middleware for " + reflect.TypeFor[T]().String() + " ran")
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
	if len(options) > 1 {
		return nil, errors.New("validate: more than one Options")
	}
	var o Options
	if len(options) == 1 {
		o = options[0]
	}
	c, problems := compileOptions(o)
	p, more := compilePlan(c, reflect.TypeFor[T](), mode, o)
	if err := errors.Join(append(problems, more...)...); err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v := new(T)
			if err := p.read(w, r, reflect.ValueOf(v)); err != nil {
				c.respond(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key[T]{}, v)))
		})
	}, nil
}

func compileOptions(o Options) (*config, []error) {
	var problems []error
	c := &config{
		limits: o.Limits.withDefaults(), types: append([]string(nil), o.Types...), ignore: append([]string(nil), o.IgnoreQuery...),
		gzip: o.Gzip, allowUnknown: o.InsecureAllowUnknown, allowNull: o.InsecureAllowNull, pathValue: o.PathValue, respond: o.ErrorHandler,
	}
	if c.types == nil {
		c.types = []string{"application/json"}
	}
	for i, media := range c.types {
		if media != strings.ToLower(media) || strings.ContainsAny(media, "*; ") || strings.Count(media, "/") != 1 {
			problems = append(problems, errors.New("validate: Types["+strconv.Itoa(i)+"] "+strconv.Quote(media)+`: is not a media type; did you mean "application/json"?`))
		}
	}
	l := c.limits
	if min(int64(l.Depth), int64(l.Items), int64(l.Keys), int64(l.Tokens), int64(l.String), int64(l.Name), int64(l.Number), int64(l.Query), int64(l.Params), int64(l.Values), int64(l.Cookies), int64(l.Errors), l.Body, int64(l.BodyTimeout)) < 0 {
		problems = append(problems, errors.New("validate: Limits: a limit is negative; did you mean 0, for the default?"))
	}
	if l.Depth > deepest {
		problems = append(problems, errors.New("validate: Limits.Depth "+strconv.Itoa(l.Depth)+": is above 256"))
	}
	if c.pathValue == nil {
		c.pathValue = (*http.Request).PathValue
	}
	if c.respond == nil {
		c.respond = errors.Respond
	}
	rules, more := newRules(o)
	c.rules = rules
	return c, append(problems, more...)
}
