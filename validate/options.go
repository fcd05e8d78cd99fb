package validate

import (
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
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
	// Setup adds rules of the application to the validator that only this
	// middleware uses. Requests run them with the context of the request. A
	// panic in one is a 500. With Setup, the validator runs every rule, which is
	// slower. Aliases are not expanded: required and omitempty must stand in the
	// tag itself.
	//
	// Functions of RegisterStructValidation run at each struct of their type in
	// T, at T itself and at structs embedded in it, after the rules of its fields
	// hold. Top and Parent are then the struct itself. A problem is placed at the
	// field that ReportError names, and at the struct if T has no such field; its
	// code is the reported tag. Values in an interface, and Opt, File and
	// time.Time themselves, are not structs of T. A rule that is registered to be
	// called for nil is called with nil pointers, but not with an Opt that is
	// absent or null. Translations and names of RegisterTagNameFunc are not used.
	// New reports RegisterStructValidationMapRules and SetTagName, which have no
	// effect.
	Setup func(*validator.Validate) error
	// PathValue returns a path parameter, such as mux.Vars(r)[name] of gorilla.
	// nil: that of the request, which the standard mux and chi set. A value
	// that the router has left escaped is unescaped, once.
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

// config is a compiled Options.
type config struct {
	limits       Limits
	types        []string
	ignore       []string
	gzip         bool
	decoding     json.Options
	allowUnknown bool
	allowNull    bool
	rules        *validator.Validate
	foreign      bool // the application may have changed what a rule means
	// extraction is set while the constructor runs extractRule.
	extraction *extraction
	patterns   map[string]*regexp.Regexp
	pathValue  func(*http.Request, string) string
	respond    func(http.ResponseWriter, *http.Request, error)
	scratches  sync.Pool // of *scratch
}

func compileOptions(o Options) (*config, []error) {
	c := &config{
		limits: o.Limits.withDefaults(), types: append([]string(nil), o.Types...), ignore: append([]string(nil), o.IgnoreQuery...),
		gzip: o.Gzip, decoding: json.RejectUnknownMembers(!o.InsecureAllowUnknown), allowUnknown: o.InsecureAllowUnknown, allowNull: o.InsecureAllowNull,
		pathValue: o.PathValue, respond: o.ErrorHandler,
	}
	c.scratches.New = func() any { return c.newScratch() }
	if c.types == nil {
		c.types = []string{"application/json"}
	}
	problems := c.limits.checkBounds()
	for i, media := range c.types {
		if media != strings.ToLower(media) || strings.ContainsAny(media, "*; ") || strings.Count(media, "/") != 1 {
			problems = append(problems, errors.New("validate: Types["+strconv.Itoa(i)+"] "+strconv.Quote(media)+`: is not a media type; did you mean "application/json"?`))
		}
	}
	if c.pathValue == nil {
		c.pathValue = (*http.Request).PathValue
	}
	if c.respond == nil {
		c.respond = errors.Respond
	}
	return c, append(problems, c.newRules(o)...)
}
