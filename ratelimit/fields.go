package ratelimit

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/nethttp"
)

// Fields selects the response headers with the limits and the remaining requests. A
// page can read them only if cors exposes them.
type Fields int

const (
	// RateLimitFields are RateLimit and RateLimit-Policy of
	// draft-ietf-httpapi-ratelimit-headers-10, which is not a standard yet, and
	// may change:
	//
	//	RateLimit-Policy: "login";q=5;w=60, "login-2";q=30;w=3600
	//	RateLimit: "login";r=0;t=12
	//
	// RateLimit-Policy has all limits. RateLimit has the remaining requests of the
	// tightest limit, and the seconds until more remain. A Window that is not whole
	// seconds cannot be expressed, and is left out.
	RateLimitFields Fields = iota
	// LegacyFields are X-RateLimit-Limit, X-RateLimit-Remaining and
	// X-RateLimit-Reset (in seconds from now) of the tightest limit.
	LegacyFields
	// BothFields are RateLimitFields and LegacyFields.
	BothFields
	// NoFields sends only Retry-After.
	NoFields
)

// ownHeaders are the headers that setFields sets, by Fields.
var ownHeaders = [...]nethttp.RingHeaders{
	RateLimitFields: {{Name: "Ratelimit", Lines: 1}, {Name: "Ratelimit-Policy", Lines: 1}},
	LegacyFields:    {{Name: "X-Ratelimit-Limit", Lines: 1}, {Name: "X-Ratelimit-Remaining", Lines: 1}, {Name: "X-Ratelimit-Reset", Lines: 1}},
	BothFields: {
		{Name: "Ratelimit", Lines: 1}, {Name: "Ratelimit-Policy", Lines: 1},
		{Name: "X-Ratelimit-Limit", Lines: 1}, {Name: "X-Ratelimit-Remaining", Lines: 1}, {Name: "X-Ratelimit-Reset", Lines: 1},
	},
}

// isPublished reports whether the fields contain a limit.
func (l *Limit) isPublished() bool { return !l.Quiet && !l.InsecureShadow }

// appendPolicy appends the tier's RateLimit-Policy. The Requests are those of the
// charges, unless charges is nil.
func (t *tier) appendPolicy(b []byte, charges []Charge) []byte {
	begin := len(b)
	for i := range t.limits {
		limit := &t.limits[i]
		if !limit.isPublished() {
			continue
		}
		if len(b) > begin {
			b = append(b, ", "...)
		}
		requests := limit.Requests
		if charges != nil {
			requests = charges[i].Requests
		}
		b = append(appendName(b, t.policies[i]), ";q="...)
		b = strconv.AppendInt(b, int64(requests), 10)
		if limit.Window%time.Second == 0 {
			b = append(b, ";w="...)
			b = strconv.AppendInt(b, int64(limit.Window/time.Second), 10)
		}
	}
	return b
}

// appendName appends a String of RFC 9651, section 4.1.6. A limit name needs no
// escapes.
func appendName(b []byte, policy string) []byte {
	return append(append(append(b, '"'), policy...), '"')
}

// tightest returns the limit for the fields: the one with the longest wait, then with
// the fewest remaining requests. -1 means that none is known.
func (t *tier) tightest(b *batch) int {
	tightest := -1
	for i := range t.limits {
		v := &b.verdicts[i]
		if !b.known[i] || !t.limits[i].isPublished() || v.Wait < 0 && b.how == Cached {
			continue
		}
		if tightest >= 0 {
			than := &b.verdicts[tightest]
			if v.Wait < than.Wait || v.Wait == than.Wait && v.Remaining >= than.Remaining {
				continue
			}
		}
		tightest = i
	}
	return tightest
}

// setFields sets the fields of the tightest limit.
func (l *Limiter) setFields(h http.Header, t *tier, b *batch) {
	i := t.tightest(b)
	if i < 0 {
		return
	}
	v, until := &b.verdicts[i], int64(0)
	if d := max(v.Wait, v.Reset); d > 0 {
		until = seconds(d)
	}
	if l.fields != LegacyFields {
		text := append(appendName(b.lines.Buffer(), t.policies[i]), ";r="...)
		text = strconv.AppendInt(text, int64(v.Remaining), 10)
		if until > 0 {
			text = append(text, ";t="...)
			text = strconv.AppendInt(text, until, 10)
		}
		addMember(h, "Ratelimit", b.lines.NewValue(b.lines.NewText(text)))
		policy := t.field
		if t.scaled {
			text = t.appendPolicy(text[:0], b.charges[:])
			policy = b.lines.NewText(text)
		}
		addMember(h, "Ratelimit-Policy", b.lines.NewValue(policy))
	}
	if l.fields != RateLimitFields && tighter(h, v.Remaining) {
		h["X-Ratelimit-Limit"] = b.lines.NewNumber(int64(b.charges[i].Requests))
		h["X-Ratelimit-Remaining"] = b.lines.NewNumber(int64(v.Remaining))
		h["X-Ratelimit-Reset"] = b.lines.NewNumber(until)
	}
}

// addMember adds a member to the list of an outer limiter. Header lines of one list
// are joined: RFC 9651, section 4.2.
func addMember(h http.Header, key string, value []string) {
	if lines := h[key]; len(lines) > 0 {
		value[0] = strings.Join(lines, ", ") + ", " + value[0]
	}
	h[key] = value
}

// tighter reports whether fewer requests remain than in the fields of an outer limiter,
// because the legacy fields have one limit.
func tighter(h http.Header, remaining int) bool {
	lines := h["X-Ratelimit-Remaining"]
	if len(lines) == 0 {
		return true
	}
	outer, err := strconv.Atoi(lines[0])
	return err != nil || remaining < outer
}

// seconds rounds up, so that no client retries too early, and returns at least 1.
func seconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}
