package errors

import (
	"cmp"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/ringwall/ringwall/internal/hook"
)

const stackKey = "stack"

// A stack is the stack trace of a panic or a Goexit. It is logged unmasked, because
// it has function names, line numbers and addresses, but no strings. It is a type
// because an application may use the key "stack" for something else.
type stack string

// An outcome is the failure of one request.
type outcome struct {
	kind     *Kind
	err      error
	sampled  bool   // the sampler may suppress the record
	reported bool   // the response was not changed, see Event.Reported
	message  string // of the record; "" means "request failed"
}

// record calls OnEvent, and logs a failed request.
func (s *scope) record(r *http.Request, o outcome) {
	s.notifyHook(r, o)
	k, err := o.kind, o.err
	logger := hook.LoggerOrDefault(s.responder.logger)
	level := slog.LevelInfo
	switch {
	case k.status == ErrCanceled.status, k.code == errBodyTimeout.code: // caused by the client
		level = slog.LevelDebug
	case k.status >= 500:
		level = slog.LevelError
	}
	if !logger.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("code", k.code),
		slog.Int("status", k.status),
		slog.String("correlation_id", s.id),
		slog.String("method", r.Method[:min(len(r.Method), 32)]),
		slog.String("route", routeOf(r)),
		slog.String("error", s.responder.redactor.maskCause(k, textOf(err))),
	}
	if s.trace != "" {
		attrs = append(attrs, slog.String("trace_id", s.trace))
	}
	if o.reported {
		attrs = append(attrs, slog.Bool("reported_only", true))
	}
	if s.client != "" {
		attrs = append(attrs, slog.String("client_correlation_id", s.client))
	}
	more := attrsOf(err)
	if samples := s.samplerFor(o); samples != nil {
		suppressed, ok := samples.allowRecord(k, s.sampleValue(r, k, more), time.Now())
		if !ok {
			return
		}
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	for _, a := range more {
		attrs = append(attrs, s.responder.redactor.attr(a))
	}
	logger.LogAttrs(r.Context(), level, cmp.Or(o.message, "request failed"), attrs...)
}

// samplerFor returns the sampler of a record, or nil for a record that is always
// logged. Reports outside a Responder share one, because every request may cause one.
func (s *scope) samplerFor(o outcome) *sampler {
	switch {
	case !o.sampled:
		return nil
	case s.responder.samples == nil && o.reported:
		return reportSampler()
	}
	return s.responder.samples
}

var reportSampler = sync.OnceValue(newSampler)

// sampleValue returns the value by which records of a kind are sampled: an
// attribute of the error, or the route of a foreign response.
func (s *scope) sampleValue(r *http.Request, k *Kind, attrs []slog.Attr) string {
	if s.isForeignResponse() {
		return r.Pattern
	}
	return valueOf(attrs, k.sample)
}

func valueOf(attrs []slog.Attr, key string) string {
	for _, a := range attrs {
		if a.Key == key {
			return a.Value.Resolve().String()
		}
	}
	return ""
}

const (
	samplePeriod = 10 * time.Second
	sampleKeys   = 1024
)

// A sampler allows one record of each flood per samplePeriod. It tracks at most
// sampleKeys floods; further floods share one entry for each status, so that 4xx
// floods, which any client can cause, do not hide an outage.
type sampler struct {
	mu     sync.Mutex
	floods map[floodKey]*flood
}

type floodKey struct {
	status int
	code   string
	value  string
}

type flood struct {
	since      time.Time
	suppressed int
}

func newSampler() *sampler { return &sampler{floods: make(map[floodKey]*flood)} }

// allowRecord reports whether a record may be logged, and returns the number of
// records suppressed since the last one.
func (s *sampler) allowRecord(k *Kind, value string, now time.Time) (suppressed int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := floodKey{k.status, k.code, value}
	f := s.floods[key]
	if f == nil && len(s.floods) >= sampleKeys {
		s.dropEnded(now)
		if len(s.floods) >= sampleKeys {
			key = floodKey{status: k.status}
			f = s.floods[key]
		}
	}
	if f == nil {
		f = new(flood)
		s.floods[key] = f
	} else if now.Sub(f.since) < samplePeriod {
		f.suppressed++
		return 0, false
	}
	suppressed = f.suppressed
	*f = flood{since: now}
	return suppressed, true
}

// dropEnded deletes the floods that have ended, and adds their suppressed records to
// the shared entry of their status.
func (s *sampler) dropEnded(now time.Time) {
	for key, old := range s.floods {
		shared := floodKey{status: key.status}
		if now.Sub(old.since) < samplePeriod || key == shared && old.suppressed > 0 {
			continue
		}
		delete(s.floods, key)
		if old.suppressed == 0 {
			continue
		}
		if s.floods[shared] == nil {
			s.floods[shared] = new(flood)
		}
		s.floods[shared].suppressed += old.suppressed
	}
}

// routeOf returns the route for the log: the route pattern if r.Pattern is set,
// otherwise the cleaned path, without the query, of at most 256 bytes.
func routeOf(r *http.Request) string {
	if r.Pattern != "" {
		return r.Pattern
	}
	p := r.URL.Path
	if len(p) > 1024 {
		p = p[:strings.LastIndexByte(p[:1024], '/')+1] // whole segments: a truncated secret would not be recognized
	}
	p = mask(path.Clean("/" + p))
	return p[:min(len(p), 256)]
}

func attrsOf(err error) []slog.Attr {
	var attrs []slog.Attr
	walk(err, func(e *Error) bool {
		attrs = append(attrs, e.attrs...)
		return true
	})
	return attrs
}
