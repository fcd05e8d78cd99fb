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

// Options configures a [Responder]. The zero value is the recommended set-up.
type Options struct {
	// Logger gets one record for each failed request: 5xx at Error, the rest
	// at Info, and at Debug a request that its client canceled, or whose body
	// did not arrive. Secrets are masked before it sees them, and texts cut at
	// 8 KiB. nil: slog.Default() at the time of the request.
	Logger *slog.Logger

	// CorrelationHeader names the response header that carries the
	// correlation ID. "": X-Correlation-ID. A header with a meaning of its
	// own, such as Content-Type, is refused.
	CorrelationHeader string

	// TrustCorrelation reports whether the peer may choose the correlation
	// ID by sending CorrelationHeader. Even then the ID must match
	// ^[A-Za-z0-9._-]{1,64}$. nil: nobody may; an ID that matches is logged
	// as client_correlation_id.
	TrustCorrelation func(*http.Request) bool

	// Map gives a kind to errors that have none, such as sql.ErrNoRows. It
	// returns nil for those that it does not know.
	Map func(error) *Kind

	// Problem answers with application/problem+json (RFC 9457): the same
	// facts, with title, status and detail.
	Problem bool

	// Details adds the list of a validation's problems to the response:
	// "errors":[{"pointer":"/items/3/qty","code":"max"}]. It holds places and
	// rules, never values.
	Details bool

	// Redact names further keys whose values are masked in the log, beside
	// authorization, cookie, password, token, secret and their like: "pin"
	// masks the attribute user_pin, a field or member UserPIN at any depth,
	// and in text "pin":"..." and pin=... . Keys are found as substrings, so
	// "pin" masks shipping too; case, "_", "-", "." and spaces do not count.
	Redact []string

	// InsecureKeepBody reports whether the error bodies that handlers write
	// by themselves reach the client as they are, for this request. The record
	// then has the status, and not the text. nil: a 5xx, an http.Error and a
	// bare 404 or 405 are replaced, and their text goes to the log.
	InsecureKeepBody func(*http.Request) bool
}

// A Responder is the outermost ring. It gives every request a correlation ID,
// recovers panics, and makes sure that no error leaves in any other shape than
// that of [Respond]. It is immutable and safe for concurrent use.
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
	own      nethttp.RingHeaders // what Handler sets
}

// NewResponder returns a Responder. It refuses a CorrelationHeader or a Redact
// key that is no name, and a program in which one code was defined with two
// statuses. The error joins all problems.
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
	}, nil
}

// taken are headers that an ID would spoil: those that Respond and net/http set
// themselves, and those that caches and browsers act on.
var taken = [...]string{
	"Cache-Control", "Connection", "Content-Length", "Content-Type", "Date", "Location", "Set-Cookie", "Transfer-Encoding", "Vary",
	"X-Content-Type-Options",
}

func (e *Responder) contentType() string {
	if e.problem {
		return "application/problem+json"
	}
	return "application/json"
}

func validName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}

// scope is what Respond knows about a request.
type scope struct {
	responder *Responder
	request   *http.Request // the one that the handler got
	out       *writer       // nil without a Responder
	id        string
	client    string // the ID that the client sent, when it is not ours
	trace     string
	body      requestBody
	line      [1]string // the header line of the ID, so that it costs nothing
}

// served is a scope with its writer, in one allocation. Respond without a
// Responder needs no writer.
type served struct {
	scope
	writer writer
}

type scopeKey struct{}

// CorrelationID returns the correlation ID of the request that the context
// belongs to, or "" outside of a [Responder].
func CorrelationID(ctx context.Context) string {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		return s.id
	}
	return ""
}

// Handler wraps the whole service: all other rings, and the router. Inside
// another Responder it passes requests through unchanged. Handler panics if next
// is nil: a service finds that when it starts.
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
	s.responder, s.id, s.client, s.trace, s.out = e, newID(), inboundID(r, e.header), traceID(r), &x.writer
	s.line[0] = s.id
	return s
}

// adoptInboundID takes the client's ID for ours where the application trusts its peer.
func (s *scope) adoptInboundID() {
	if trust := s.responder.trust; trust != nil && s.client != "" && trust(s.request) {
		s.id, s.client = s.client, ""
		s.line[0] = s.id
	}
}

// serveNext runs the handler and answers for whatever way it ends.
func (s *scope) serveNext(next http.Handler) {
	w := s.out.wrap()
	returned := false
	defer func() {
		p := recover()
		switch {
		case p == http.ErrAbortHandler: // this very error: wrapped, it is a panic like others
			s.recordForeign()
			panic(p)
		case p != nil:
			s.respond(w, s.request, ErrInternal.Wrap(fmt.Errorf("panic: %v", p)).With(stackKey, stack(debug.Stack())))
		case !returned: // runtime.Goexit: net/http closes the connection
			s.goexit(w)
		}
	}()
	s.adoptInboundID() // in here, since it may panic
	next.ServeHTTP(w, s.request)
	returned = true
	s.replaceForeignBody()
}

// goexit answers for a handler that ended its goroutine. net/http will not
// finish the response, so it is sent here, with its length.
func (s *scope) goexit(w http.ResponseWriter) {
	err := ErrInternal.Wrap(errors.New("runtime.Goexit in a handler")).With(stackKey, stack(debug.Stack()))
	if s.out.state.Load() >= sent {
		s.record(s.request, ErrInternal, err, false)
		return // net/http closes the connection without finishing the body
	}
	s.respond(lengthWriter{w, len(s.appendBody(nil, ErrInternal, err))}, s.request, err)
	_ = http.NewResponseController(w).Flush()
}

// lengthWriter announces the length of a body, and is no middleware.
type lengthWriter struct {
	http.ResponseWriter
	length int
}

func (w lengthWriter) baseWriter() *writer { return ownWriter(w.ResponseWriter) }

func (w lengthWriter) WriteHeader(status int) {
	w.Header().Set("Content-Length", fmt.Sprint(w.length))
	w.ResponseWriter.WriteHeader(status)
}

// keepsForeignBody reports whether foreign bodies may reach the client.
func (s *scope) keepsForeignBody() bool {
	return s.responder.keep != nil && s.responder.keep(s.request)
}

// replaceForeignBody answers in our shape for a foreign body that was held back.
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

// recordForeign logs a response that a handler wrote by itself and that the
// client got as it is. Below 500 it is sampled: the handler decides what is a
// failure, and the client how often.
func (s *scope) recordForeign() {
	if !s.out.foreign.Load() || s.out.state.Load() != sent {
		return
	}
	k := s.out.kind
	if k == nil {
		k = kindOf(s.out.status)
	}
	s.record(s.request, k, k.With("kept_body", true), k.sampled || k.status < 500)
}
