package errors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"

	"github.com/ringwall/ringwall/internal/nethttp"
	"github.com/ringwall/ringwall/internal/wiring"
)

// A Responder is the outermost middleware. It gives every request a correlation
// ID, recovers panics, and replaces foreign error bodies by those of [Respond]. It
// is immutable and safe for concurrent use.
type Responder struct {
	logger   *slog.Logger
	header   string
	trust    func(*http.Request) bool
	mapping  func(error) *Kind
	problem  bool
	details  bool
	redactor redactor
	keep     func(*http.Request) bool
	samples  *sampler
	own      nethttp.RingHeaders // the headers that Handler sets
	onEvent  func(context.Context, Event)
	// traceID is Options.TraceID.
	traceID func(context.Context) string
	// reportOnly is Options.InsecureReportOnly.
	reportOnly bool
}

// NewResponder returns a Responder. It reports all invalid options, and each code
// of the program that is defined with two statuses, joined.
func NewResponder(o Options) (*Responder, error) {
	header := o.CorrelationHeader
	if header == "" {
		header = "X-Correlation-ID"
	}
	problems := []error{checkKinds()}
	if !validName(header) {
		problems = append(problems, fmt.Errorf("errors: CorrelationHeader %q: is not a header name (RFC 9110, section 5.1); did you mean %q?", header, "X-Correlation-ID"))
	}
	if slices.Contains(taken[:], http.CanonicalHeaderKey(header)) {
		problems = append(problems, fmt.Errorf("errors: CorrelationHeader %q: has another meaning in HTTP; did you mean %q?", header, "X-Correlation-ID"))
	}
	for i, key := range o.Redact {
		if normalize(key) == "" {
			problems = append(problems, fmt.Errorf("errors: Redact[%d] %q: matches every key; did you mean the name of a key?", i, key))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &Responder{
		logger: o.Logger, header: http.CanonicalHeaderKey(header), trust: o.TrustCorrelation, mapping: o.Map,
		problem: o.Problem, details: o.Details, redactor: newRedactor(o.Redact), keep: o.InsecureKeepBody,
		samples: newSampler(), own: nethttp.RingHeaders{{Name: http.CanonicalHeaderKey(header), Lines: 1}},
		onEvent: o.OnEvent, reportOnly: o.InsecureReportOnly, traceID: o.TraceID,
	}, nil
}

func (e *Responder) contentType() string {
	if e.problem {
		return "application/problem+json"
	}
	return "application/json"
}

// A scope is the state of one request.
type scope struct {
	responder *Responder
	request   *http.Request // the copy that the handler received
	out       *writer       // nil without a Responder
	id        string
	client    string // the ID of the client, unless it is adopted
	trace     string
	body      requestBody
	line      [1]string // the header value with the ID, without an allocation
}

// served holds a scope and its writer in one allocation.
type served struct {
	scope
	writer writer
}

type scopeKey struct{}

// CorrelationID returns the correlation ID of the request with this context, or ""
// outside a [Responder].
func CorrelationID(ctx context.Context) string {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		return s.id
	}
	return ""
}

// Handler wraps the whole service: all other middleware, and the router. Inside
// another Responder it passes requests through unchanged. Handler panics if next
// is nil, so that a service fails when it starts.
func (e *Responder) Handler(next http.Handler) http.Handler {
	wiring.RequireNew("errors: Handler", e == nil)
	wiring.RequireHandler("errors: Handler", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := r.Context().Value(scopeKey{}).(*scope); ok {
			next.ServeHTTP(w, r)
			return
		}
		s := e.newScope(r)
		s.out.ResponseWriter, s.out.scope = w, s
		s.request = nethttp.CopyRequest(context.WithValue(r.Context(), scopeKey{}, s), r)
		ended := false
		defer func() {
			nethttp.CarryBack(r, s.request)
			if !ended {
				nethttp.RemoveForm(r)
			}
		}()
		s.watchBody()
		h := w.Header()
		s.out.record.Begin(h)
		s.out.record.Add(&e.own, 0)
		h[e.header] = s.line[:1:1]
		s.serveNext(next)
		ended = true
	})
}

func (e *Responder) newScope(r *http.Request) *scope {
	x := new(served)
	s := &x.scope
	s.responder, s.id, s.client, s.trace, s.out = e, newID(), inboundID(r, e.header), e.traceIDOf(r), &x.writer
	s.line[0] = s.id
	return s
}

// traceIDOf returns the ID of the trace of a request.
func (e *Responder) traceIDOf(r *http.Request) string {
	if e.traceID != nil {
		if id := e.traceID(r.Context()); len(id) == len(zeros) && lowerHex(id) && id != zeros {
			return id
		}
	}
	return traceID(r)
}

// adoptInboundID adopts the client's ID if TrustCorrelation accepts it.
func (s *scope) adoptInboundID() {
	if trust := s.responder.trust; trust != nil && s.client != "" && trust(s.request) {
		s.id, s.client = s.client, ""
		s.line[0] = s.id
	}
}

// serveNext runs the handler, and completes the response however it ends.
func (s *scope) serveNext(next http.Handler) {
	w := s.out.wrap()
	returned := false
	defer func() {
		p := recover()
		switch {
		case p == http.ErrAbortHandler: // a wrapped ErrAbortHandler is an ordinary panic
			s.recordForeign()
			panic(p)
		case p != nil && s.responder.reportOnly:
			s.recordOnly(ErrInternal.Wrap(fmt.Errorf("panic: %v", p)).With(stackKey, stack(debug.Stack())))
			panic(p)
		case p != nil:
			s.respond(w, s.request, ErrInternal.Wrap(fmt.Errorf("panic: %v", p)).With(stackKey, stack(debug.Stack())))
		case !returned && s.responder.reportOnly:
			s.recordOnly(errGoexit.With(stackKey, stack(debug.Stack())))
		case !returned: // runtime.Goexit: net/http closes the connection
			s.goexit(w)
		}
	}()
	s.adoptInboundID() // here, because TrustCorrelation may panic
	next.ServeHTTP(w, s.request)
	returned = true
	s.replaceForeignBody()
}

var errGoexit = ErrInternal.Wrap(errors.New("runtime.Goexit in a handler"))

// recordOnly records a panic that InsecureReportOnly passes on to net/http.
func (s *scope) recordOnly(err error) {
	s.record(s.request, outcome{kind: ErrInternal, err: err, reported: true})
}

// goexit responds for a handler that ended its goroutine. net/http does not finish
// the response, so goexit sends it with its length.
func (s *scope) goexit(w http.ResponseWriter) {
	err := errGoexit.With(stackKey, stack(debug.Stack()))
	if s.out.state.Load() >= sent {
		s.record(s.request, outcome{kind: ErrInternal, err: err})
		return // net/http closes the connection without finishing the body
	}
	s.respond(lengthWriter{w, len(s.appendBody(nil, ErrInternal, err))}, s.request, err)
	_ = http.NewResponseController(w).Flush()
}

// lengthWriter sets the Content-Length of a body.
type lengthWriter struct {
	http.ResponseWriter
	length int
}

func (w lengthWriter) baseWriter() *writer { return ownWriter(w.ResponseWriter) }

func (w lengthWriter) WriteHeader(status int) {
	w.Header().Set("Content-Length", fmt.Sprint(w.length))
	w.ResponseWriter.WriteHeader(status)
}

// keepsForeignBody reports whether InsecureKeepBody keeps a foreign body.
func (s *scope) keepsForeignBody() bool {
	return s.responder.keep != nil && s.responder.keep(s.request)
}

// replaceForeignBody replaces a foreign body that was held back, and logs one that
// was not.
func (s *scope) replaceForeignBody() {
	switch s.out.state.Load() {
	case held, captured:
		err := &Error{kind: s.kindOfForeign(s.out.status, string(s.out.kept))}
		if body := string(s.out.kept); body != "" {
			if len(body) == keptBytes {
				body = wholeWords(body) + " [cut]"
			}
			err = err.With("replaced_body", body)
		}
		s.respond(s.out, s.request, err)
	case sent:
		s.recordForeign()
	case answered:
		s.dropTrailers(s.out.Header())
	}
}

// recordForeign logs a foreign response that reached the client unchanged. Below 500
// it is sampled, because clients control how often it occurs.
func (s *scope) recordForeign() {
	if !s.out.foreign.Load() || s.out.state.Load() != sent {
		return
	}
	k := s.out.kind
	if k == nil {
		k = kindOf(s.out.status)
	}
	s.record(s.request, outcome{kind: k, err: k.With("kept_body", true), sampled: k.sampled || k.status < 500, reported: s.out.replaceable || s.out.bare})
}
