package headers

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/nethttp"
	"github.com/ringwall/ringwall/internal/route"
	"github.com/ringwall/ringwall/internal/rows"
	"github.com/ringwall/ringwall/internal/wiring"
)

// A Policy sets the security headers of every response, and holds requests to
// HTTPS. It is immutable and safe for concurrent use.
type Policy struct {
	names       []name
	values      *rows.Rows // of all names, then HSTS
	own         nethttp.RingHeaders
	ownAndHSTS  nethttp.RingHeaders
	https       HTTPS
	canonical   string
	allowed     map[string]string // by their names, as they are listed
	exempt      *route.Table
	credentials []string
	scheme      func(*http.Request) string // nil: r.TLS
	host        func(*http.Request) string
	onEvent     func(context.Context, Event)
	logger      *slog.Logger
	respond     func(http.ResponseWriter, *http.Request, error)
	warned      atomic.Int64 // the minute of the last warning
}

// A name is a header's, and where its lines end in a row of values.
type name struct {
	key string
	end int
}

// New returns a Policy. It refuses values that the standards do not know, and
// options that contradict each other. The error joins all problems.
func New(o Options) (*Policy, error) {
	exempt, err := route.Opening(nil, route.Field{Name: "headers: Exempt", Patterns: o.Exempt})
	if err := errors.Join(append(o.checkFields(), err)...); err != nil {
		return nil, err
	}
	p := &Policy{
		https: o.HTTPS, canonical: o.CanonicalHost, allowed: make(map[string]string),
		exempt: exempt, scheme: o.Scheme, host: o.Host, onEvent: o.OnEvent, logger: o.Logger, respond: o.ErrorHandler,
		credentials: []string{"Authorization", "Cookie", "X-Api-Key", "Dpop", "Proxy-Authorization"},
	}
	for _, host := range slices.Backward(o.AllowedHosts) { // the first of a name counts
		p.allowed[hostname(host)] = host
	}
	if len(p.allowed) > 0 && p.canonical != "" {
		p.allowed[hostname(p.canonical)] = p.canonical
	}
	for _, key := range o.CredentialHeaders {
		p.credentials = append(p.credentials, http.CanonicalHeaderKey(key))
	}
	if p.host == nil {
		p.host = func(r *http.Request) string { return r.Host }
	}
	if p.respond == nil {
		p.respond = errors.Respond
	}
	var values []string
	for _, l := range o.lines() {
		values = append(values, l.value)
		if n := len(p.names); n > 0 && p.names[n-1].key == l.key {
			p.names[n-1].end++
			continue
		}
		p.names = append(p.names, name{l.key, len(values)})
	}
	p.values = rows.New(append(values, o.HSTS.headerValue())...)
	start := 0
	for _, n := range p.names {
		p.own = append(p.own, nethttp.RingHeader{Name: n.key, Lines: n.end - start})
		start = n.end
	}
	p.ownAndHSTS = append(slices.Clone(p.own), nethttp.RingHeader{Name: "Strict-Transport-Security", Lines: 1})
	return p, nil
}

// Handler sets the headers before next runs, so that a handler may change
// them, and so that every answer has them: errors, redirects and preflights
// too. Of two policies, the inner one's headers win. Handler panics if next is
// nil: a service finds that when it starts.
func (p *Policy) Handler(next http.Handler) http.Handler {
	wiring.RequireNew("headers: Handler", p == nil)
	wiring.RequireHandler("headers: Handler", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure, host := p.secure(r), p.host(r)
		hsts, own := secure && mayHaveHSTS(host), &p.own
		if hsts {
			own = &p.ownAndHSTS
		}
		p.setHeaders(w.Header(), hsts)
		nethttp.KeepHeaders(w, own, 0)
		err := p.checkRequest(r, secure, host)
		if !secure {
			p.reportPlaintext(r, err != nil)
		}
		if err != nil {
			p.writeRefusal(w, r, host, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// writeRefusal answers a request that is not served.
func (p *Policy) writeRefusal(w http.ResponseWriter, r *http.Request, host string, err error) {
	if errors.Is(err, ErrHTTPSRequired) {
		if to := p.redirect(r, host); to != "" {
			w.Header().Set("Location", to)
			w.Header().Set("Cache-Control", "no-store") // it depends on the credential that is not there
			nethttp.DiscardBody(w, r, r.Body)
			w.WriteHeader(http.StatusPermanentRedirect)
			return
		}
	}
	p.respond(w, r, err)
}

// Check returns [ErrHTTPSRequired] or [ErrMisdirected] for a request that
// Handler would not serve.
func (p *Policy) Check(r *http.Request) error { return p.checkRequest(r, p.secure(r), p.host(r)) }

// setHeaders hands out lines that are this response's alone: a handler may
// change what it finds without harm to the next (rs/cors issue 198).
func (p *Policy) setHeaders(h http.Header, hsts bool) {
	row := p.values.Take()
	start := 0
	for _, n := range p.names {
		h[n.key] = row[start:n.end:n.end]
		start = n.end
	}
	if hsts {
		h["Strict-Transport-Security"] = row[start:]
	}
}

// warnMissingScheme tells the owner of a service behind TLS termination what is missing.
func (p *Policy) warnMissingScheme(r *http.Request) {
	minute := time.Now().Unix()/60 + 1
	if last := p.warned.Load(); last == minute || !p.warned.CompareAndSwap(last, minute) {
		return
	}
	logger := p.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(r.Context(), slog.LevelWarn, "Options.Scheme is not set behind a proxy",
		slog.String("peer", r.RemoteAddr))
}
