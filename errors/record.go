package errors

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

const stackKey = "stack"

// A stack is that of a panic: every other error would have the Responder's own.
// It is logged unmasked: it has names, numbers of lines and addresses, and no
// values. It is a type, since the key may be anybody's.
type stack string

// record logs a failed request, once. If sampled, it leaves out what the sampler
// does.
func (s *scope) record(r *http.Request, k *Kind, err error, sampled bool) {
	logger := s.responder.logger
	if logger == nil {
		logger = slog.Default()
	}
	level := slog.LevelInfo
	switch {
	case k.status == ErrCanceled.status, k.code == errBodyTimeout.code: // the client's own doing
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
	if s.client != "" {
		attrs = append(attrs, slog.String("client_correlation_id", s.client))
	}
	more := attrsOf(err)
	if sampled && s.responder.samples != nil {
		suppressed, ok := s.responder.samples.allowRecord(k, s.sampleValue(r, k, more), time.Now())
		if !ok {
			return
		}
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	for _, a := range more {
		attrs = append(attrs, s.responder.redactor.attr(a))
	}
	logger.LogAttrs(r.Context(), level, "request failed", attrs...)
}

// maskCause leaves a kind's own text as it is: it is a constant, and a code
// that speaks of credentials makes what follows look like a secret.
func (d redactor) maskCause(k *Kind, text string) string {
	if text == k.Error() {
		return text
	}
	if rest, ok := strings.CutPrefix(text, k.code+": "); ok {
		return k.code + ": " + d.mask(rest)
	}
	return d.mask(text)
}

// sampleValue returns the value that the sampler keeps apart within a kind. A
// response that a handler wrote by itself has no attributes, but a route.
func (s *scope) sampleValue(r *http.Request, k *Kind, attrs []slog.Attr) string {
	if s.out != nil && s.out.foreign.Load() {
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

// A sampler lets one record of a flood through every samplePeriod. It keeps at
// most sampleKeys floods apart; what comes beyond shares one entry for each
// status, so that refusals, which any client can cause, do not hide an outage.
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

// allowRecord reports whether a record may be logged, and how many were not since
// the last one.
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

// dropEnded forgets the floods that ended. Their suppressed records count for
// the shared entry of the status.
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
