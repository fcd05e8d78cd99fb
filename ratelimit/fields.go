package ratelimit

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fields are the headers that tell clients what is left.
type Fields int

const (
	// RateLimitFields are RateLimit and RateLimit-Policy of
	// draft-ietf-httpapi-ratelimit-headers-10, which is not a standard yet.
	RateLimitFields Fields = iota
	// NoFields sends Retry-After alone.
	NoFields
)

// policyField returns the tier's RateLimit-Policy, "" when all limits are
// quiet. Windows of other than whole seconds cannot be said, and are left out.
func (t *tier) policyField() string {
	var b []byte
	for i := range t.limits {
		limit := &t.limits[i]
		if limit.Quiet {
			continue
		}
		b = appendMember(b, t.policies[i])
		b = append(b, ";q="...)
		b = strconv.AppendInt(b, int64(limit.Requests), 10)
		if limit.Window%time.Second == 0 {
			b = append(b, ";w="...)
			b = strconv.AppendInt(b, int64(limit.Window/time.Second), 10)
		}
	}
	return string(b)
}

func appendMember(b []byte, policy string) []byte {
	if len(b) > 0 {
		b = append(b, ", "...)
	}
	b = append(b, '"')
	b = append(b, policy...)
	return append(b, '"')
}

// setFields adds the members of this decision to RateLimit and
// RateLimit-Policy. A limiter outside has set its own, which stay.
func (l *Limiter) setFields(h http.Header, t *tier, verdicts []Verdict) {
	if l.fields == NoFields || t.field == "" {
		return
	}
	tightest := -1
	for i := range verdicts {
		if !t.limits[i].Quiet && (tightest < 0 || verdicts[i].Wait > verdicts[tightest].Wait || verdicts[i].Wait == verdicts[tightest].Wait && verdicts[i].Remaining < verdicts[tightest].Remaining) {
			tightest = i
		}
	}
	v := &verdicts[tightest]
	var buf [96]byte
	b := appendMember(buf[:0], t.policies[tightest])
	b = append(b, ";r="...)
	b = strconv.AppendInt(b, int64(v.Remaining), 10)
	if until := max(v.Wait, v.Reset); until > 0 {
		b = append(b, ";t="...)
		b = strconv.AppendInt(b, seconds(until), 10)
	}
	addMember(h, "Ratelimit", string(b))
	addMember(h, "Ratelimit-Policy", t.field)
}

func addMember(h http.Header, key, member string) {
	if lines := h[key]; len(lines) > 0 {
		member = strings.Join(lines, ", ") + ", " + member // lines of one list: RFC 9651, section 4.2
	}
	h[key] = []string{member}
}

// seconds rounds up, so that nobody comes back too early, and to 1 at least.
func seconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}
