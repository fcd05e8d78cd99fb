package auth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// retryAfter is the Retry-After of a response without a better value, in seconds.
const retryAfter = "5"

// refuse responds with the challenges for the error, and reports true. With
// InsecureReportOnly it reports the error, and returns false. m may be nil: a
// principal from [NewContext] has no Middleware.
func (m *Middleware) refuse(w http.ResponseWriter, r *http.Request, used int, err error, e Event) bool {
	e.Reported = m != nil && m.reportOnly
	m.notifyHook(r.Context(), e)
	if e.Reported {
		errors.Report(r, err)
		return false
	}
	m.writeRefusal(w, r, used, err)
	return true
}

// writeRefusal responds with the challenges for the error.
func (m *Middleware) writeRefusal(w http.ResponseWriter, r *http.Request, used int, err error) {
	respond := errors.Respond
	kind, _ := errors.AsType[*errors.Kind](err)
	if m != nil && m.respond != nil {
		respond = m.respond
		if lines := m.challengesFor(r, used, kind, err); len(lines) > 0 {
			w.Header()["Www-Authenticate"] = lines
		}
	}
	if kind == ErrUnavailable {
		w.Header().Set("Retry-After", retryAfter) // the error's own value, if any, replaces it
	}
	respond(w, r, err)
}

// challengesFor returns one WWW-Authenticate line for each scheme, the used one with
// the reason. Every 401 has them (RFC 9110, section 15.5.2), even for an error of the
// application. A 503 has none, nor has a 403 that no other credential would prevent.
func (m *Middleware) challengesFor(r *http.Request, used int, kind *errors.Kind, err error) []string {
	params := paramsOf(kind, err)
	if params == nil && (kind == nil || kind.Status() != http.StatusUnauthorized) {
		return nil
	}
	var lines []string
	for i, challenges := range m.challenges {
		if i != used && kind == ErrDenied {
			continue // the caller is known: another scheme would not help
		}
		at := usedScheme(r, challenges)
		for j, challenge := range challenges {
			if i == used && j == at {
				for _, param := range params {
					challenge = withParam(challenge, param[0], param[1])
				}
			}
			lines = append(lines, challenge)
		}
	}
	return lines
}

// usedScheme returns the index of the challenge whose scheme the request used, or 0.
func usedScheme(r *http.Request, challenges []string) int {
	scheme := schemeOf(r.Header.Get("Authorization"))
	return max(0, slices.IndexFunc(challenges, func(c string) bool { return strings.EqualFold(schemeOf(c), scheme) }))
}

// withParam appends a parameter to a challenge. The value is quotable.
func withParam(challenge, name, value string) string {
	if challenge == "" {
		return ""
	}
	separator := " "
	if strings.Contains(challenge, " ") {
		separator = ", "
	}
	return challenge + separator + name + `="` + value + `"`
}

// isQuotable reports whether s can stand between quotation marks without escapes.
func isQuotable(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// challenged is an error with parameters for the challenge of the credential
// that was used.
type challenged struct {
	err    error
	params [][2]string
}

// WithChallenge returns err with parameters for the challenge of the scheme that a
// request used, in place of those of RFC 6750: names and values, such as "error" and
// "use_dpop_nonce". A value must have visible ASCII characters and spaces, without "
// and \; WithChallenge leaves others out.
func WithChallenge(err error, params ...string) error {
	c := &challenged{err: err}
	for i := 0; i+1 < len(params); i += 2 {
		if isQuotable(params[i+1]) {
			c.params = append(c.params, [2]string{params[i], params[i+1]})
		}
	}
	return c
}

func (c *challenged) Error() string { return c.err.Error() }
func (c *challenged) Unwrap() error { return c.err }

// paramsOf returns the error parameters of RFC 6750, section 3.1, and of RFC
// 9470 for an error and its kind.
func paramsOf(kind *errors.Kind, err error) [][2]string {
	if c, ok := errors.AsType[*challenged](err); ok {
		return c.params
	}
	switch kind {
	case ErrMalformed:
		return invalidRequest[:]
	case ErrInvalid, ErrExpired, ErrRevoked:
		return invalidToken[:]
	case ErrStepUp, ErrWeakLogin:
		return stepUp[:]
	}
	return nil
}

var (
	invalidRequest = [...][2]string{{"error", "invalid_request"}}
	invalidToken   = [...][2]string{{"error", "invalid_token"}}
	stepUp         = [...][2]string{{"error", "insufficient_user_authentication"}}
)
