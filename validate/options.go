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
// recommended setup.
type Options struct {
	// Limits bounds the input. Zero fields mean the defaults.
	Limits Limits
	// Types lists the media types of a JSON body. nil means application/json. It
	// must be nil for a form, and must not be nil for body:"raw" alone.
	Types []string
	// Patterns holds the regular expressions of the rule pattern=name, by name.
	// They are in RE2 syntax, which matches in linear time, and are anchored at
	// both ends.
	Patterns map[string]string
	// Setup adds rules of the application to the validator, which only this
	// middleware uses. Rules run with the context of the request. A panic in a
	// rule is a 500 response. With Setup, the validator runs every rule, which is
	// slower. Aliases are not expanded: required and omitempty must appear in the
	// tag itself.
	//
	// Functions of RegisterStructValidation run for each struct of their type: in
	// T, for T itself and for structs embedded in it. They run after the rules of
	// the fields hold. Top and Parent are the struct itself. A problem is reported
	// at the field that ReportError names, or at the struct if T has no such field;
	// its code is the reported tag. Values in an interface are not structs of T,
	// and neither are Opt, File and time.Time. A rule that is registered to be
	// called for nil is called for nil pointers, but not for an Opt that is absent
	// or null. Translations and functions of RegisterTagNameFunc are not used. The
	// constructor reports RegisterStructValidationMapRules and SetTagName, which
	// have no effect.
	Setup func(*validator.Validate) error
	// PathValue returns a path parameter, such as mux.Vars(r)[name] of gorilla. nil
	// means (*http.Request).PathValue, which the standard mux and chi set. If the
	// router returns an escaped value, it is unescaped once.
	PathValue func(*http.Request, string) string
	// IgnoreQuery lists query parameters that are dropped without a check, such as
	// "gclid". A "*" at the end matches any rest.
	IgnoreQuery []string
	// Strict turns the warnings of the constructor into errors: unbounded strings,
	// slices and maps, and tags of other packages that look like rules.
	Strict bool
	// Gzip accepts bodies with Content-Encoding: gzip. All limits apply to the
	// decompressed body, and Limits.Body to the compressed one too. It must be false
	// with body:"raw".
	Gzip bool
	// InsecureAllowUnknown drops unknown members of a body.
	InsecureAllowUnknown bool
	// InsecureAllowNull decodes null of a non-nullable field as the zero value.
	InsecureAllowNull bool
	// InsecureReportOnly serves every request, so that a running service can be watched
	// before it is changed. What would be refused is reported to errors.Report. The handler
	// reads the request itself: it gets the bytes that were sent, of which up to Limits.Body
	// are kept in memory, and no BodyTimeout. [From] has a value only if the input is valid
	// and has no [File], whose content is not checked. [Handle] and [NewDecoder] refuse it.
	InsecureReportOnly bool
	// Logger receives the warnings of the constructor. nil means slog.Default().
	Logger *slog.Logger
	// ErrorHandler responds to refused requests. nil means errors.Respond.
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
	reportOnly   bool
	rules        *validator.Validate
	foreign      bool // the application may have changed the meaning of a rule
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
		gzip: o.Gzip, decoding: json.RejectUnknownMembers(!o.InsecureAllowUnknown), allowUnknown: o.InsecureAllowUnknown, allowNull: o.InsecureAllowNull, reportOnly: o.InsecureReportOnly,
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
