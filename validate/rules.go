package validate

import (
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/ringwall/ringwall/errors"
)

// newRules returns a private instance of the validator, with formats that
// validator gets wrong replaced, and the application's own rules.
func newRules(o Options) (*validator.Validate, []error) {
	v := validator.New()
	var problems []error
	register := func(name string, ok func(string) bool) {
		check := func(f validator.FieldLevel) bool { return f.Field().Kind() == reflect.String && ok(f.Field().String()) }
		if err := v.RegisterValidation(name, check); err != nil {
			problems = append(problems, errors.New("validate: rule "+name+": "+err.Error()))
		}
	}
	register("uri", absoluteURI)
	register("url", webURL)
	register("http_url", webURL)
	register("hostname", hostname)
	register("hostname_rfc1123", hostname)
	register("fqdn", func(s string) bool { return hostname(s) && strings.Contains(s, ".") })
	register("ip", func(s string) bool { _, ok := address(s); return ok })
	register("ipv4", func(s string) bool { a, ok := address(s); return ok && a.Is4() })
	register("ipv6", func(s string) bool { a, ok := address(s); return ok && a.Is6() && !a.Is4In6() })
	register("email", email)

	patterns := make(map[string]*regexp.Regexp, len(o.Patterns))
	for name, text := range o.Patterns {
		pattern, err := regexp.Compile(`\A(?:` + text + `)\z`)
		if err != nil {
			problems = append(problems, errors.New("validate: Patterns["+strconv.Quote(name)+"] "+strconv.Quote(text)+": "+err.Error()))
			continue
		}
		patterns[name] = pattern
	}
	err := v.RegisterValidation("pattern", func(f validator.FieldLevel) bool {
		pattern := patterns[f.Param()]
		if pattern == nil || f.Field().Kind() != reflect.String {
			panic("no pattern of this name, or no string") // found by the constructor's probe
		}
		return pattern.MatchString(f.Field().String())
	})
	if err == nil && o.Setup != nil {
		err = o.Setup(v)
	}
	if err != nil {
		problems = append(problems, errors.New("validate: Setup: "+err.Error()))
	}
	return v, problems
}

// absoluteURI takes a URI with a scheme, and not one that runs code or stands
// for data in a browser.
func absoluteURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && !slices.Contains([]string{"javascript", "data", "vbscript"}, strings.ToLower(u.Scheme))
}

func webURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil && (hostname(u.Hostname()) || net.ParseIP(u.Hostname()) != nil)
}

// hostname takes a host name of RFC 1123, without a dot at the end.
func hostname(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return len(s) <= 253
}

func address(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Zone() == ""
}

// email takes one plain address of at most 254 bytes (RFC 5321, section
// 4.5.3.1.3), without a display name, comments or a quoted part.
func email(s string) bool {
	if len(s) > 254 || strings.ContainsAny(s, "\"()<>, \t\r\n") {
		return false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return false
	}
	local, domain, _ := strings.Cut(s, "@")
	return len(local) <= 64 && hostname(domain) && strings.Contains(domain, ".")
}

// messageOf says in words what a rule wants of a value of this kind. The
// parameters are the schema's.
func messageOf(rule, param string, kind reflect.Kind) string {
	unit := ""
	switch kind {
	case reflect.String:
		unit = " characters"
	case reflect.Slice, reflect.Array, reflect.Map:
		unit = " items"
	}
	verb := "be"
	if unit != "" {
		verb = "have"
	}
	switch rule {
	case "required":
		return "is required"
	case "min", "gte":
		return "must " + verb + " at least " + param + unit
	case "max", "lte":
		return "must " + verb + " at most " + param + unit
	case "gt":
		return "must " + verb + " more than " + param + unit
	case "lt":
		return "must " + verb + " less than " + param + unit
	case "len", "eq":
		return "must " + verb + " exactly " + param + unit
	case "oneof":
		return "must be one of: " + strings.Join(strings.Fields(param), ", ")
	case "email":
		return "must be an e-mail address"
	case "url", "http_url":
		return "must be a web address"
	case "alphanum":
		return "must have letters and digits only"
	case "pattern":
		return "does not have the form of a " + param
	}
	return "breaks the rule " + rule
}
