package headers

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/headerlines"
	"github.com/ringwall/ringwall/internal/hook"
	"github.com/ringwall/ringwall/internal/nethttp"
	"github.com/ringwall/ringwall/internal/route"
	"github.com/ringwall/ringwall/internal/wiring"
)

// A Policy sets the security headers of every response, and refuses plain HTTP
// requests. It is immutable and safe for concurrent use.
type Policy struct {
	names       []name
	values      *headerlines.Constant // of all names, then HSTS
	own         nethttp.RingHeaders
	ownAndHSTS  nethttp.RingHeaders
	https       HTTPS
	canonical   string
	allowed     map[string]string // maps a host name to its entry in AllowedHosts
	exempt      *route.Table
	credentials []string
	scheme      func(*http.Request) string // nil means r.TLS
	host        func(*http.Request) string
	reportOnly  bool
	// resourcePolicy is the Cross-Origin-Resource-Policy, or "" for none.
	resourcePolicy string
	onEvent        func(context.Context, Event)
	logger         *slog.Logger
	respond        func(http.ResponseWriter, *http.Request, error)
	warned         hook.OncePerMinute
}

// A name is the name of a header, and the end of its lines in a row of values.
type name struct {
	key string
	end int
}

// New returns a Policy. It reports all invalid options, joined: values that the
// standards do not define, policies that browsers would not read as intended,
// and contradictions.
func New(o Options) (*Policy, error) {
	exempt, err := route.Opening(nil, route.Field{Name: "headers: Exempt", Patterns: o.Exempt})
	if err := errors.Join(append(o.checkFields(), err)...); err != nil {
		return nil, err
	}
	p := &Policy{
		https: o.HTTPS, canonical: o.CanonicalHost, allowed: make(map[string]string),
		exempt: exempt, scheme: o.Scheme, host: o.Host, reportOnly: o.InsecureReportOnly, resourcePolicy: strings.Replace(orDefault(o.ResourcePolicy, "same-origin"), InsecureOmit, "", 1), onEvent: o.OnEvent, logger: o.Logger, respond: o.ErrorHandler,
		credentials: []string{"Authorization", "Cookie", "X-Api-Key", "Dpop", "Proxy-Authorization"},
	}
	for _, host := range slices.Backward(o.AllowedHosts) { // the first entry of a name wins
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
	p.values = headerlines.NewConstant(append(values, o.HSTS.headerValue())...)
	start := 0
	for _, n := range p.names {
		p.own = append(p.own, nethttp.RingHeader{Name: n.key, Lines: n.end - start})
		start = n.end
	}
	p.ownAndHSTS = append(slices.Clone(p.own), nethttp.RingHeader{Name: "Strict-Transport-Security", Lines: 1})
	return p, nil
}

// Handler sets the headers before next runs, so that every response has them and
// a handler may change them. The headers of an inner Policy replace those of an
// outer one. It panics if next is nil.
func (p *Policy) Handler(next http.Handler) http.Handler {
	wiring.RequireNew("headers: Handler", p == nil)
	wiring.RequireHandler("headers: Handler", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.reportOnly {
			p.report(r)
			next.ServeHTTP(w, r)
			return
		}
		secure, host := p.isHTTPS(r), p.host(r)
		hsts, own := secure && mayHaveHSTS(host), &p.own
		if hsts {
			own = &p.ownAndHSTS
		}
		p.setHeaders(w.Header(), hsts)
		nethttp.KeepHeaders(w, own, 0)
		err := p.checkRequest(r, secure, host)
		if !secure || err != nil && p.onEvent != nil {
			p.reportRequest(r, secure, Event{Refused: err != nil}, err)
		}
		if err != nil {
			p.writeRefusal(w, r, host, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// writeRefusal redirects or refuses a request.
func (p *Policy) writeRefusal(w http.ResponseWriter, r *http.Request, host string, err error) {
	if errors.Is(err, ErrHTTPSRequired) {
		if to := p.redirectTarget(r, host); to != "" {
			w.Header().Set("Location", to)
			w.Header().Set("Cache-Control", "no-store") // because a request with a credential is refused
			nethttp.DiscardBody(w, r, r.Body)
			w.WriteHeader(http.StatusPermanentRedirect)
			return
		}
	}
	p.respond(w, r, err)
}

// Check returns [ErrHTTPSRequired] or [ErrMisdirected] for a request that
// Handler refuses or redirects.
func (p *Policy) Check(r *http.Request) error { return p.checkRequest(r, p.isHTTPS(r), p.host(r)) }

// setHeaders sets value slices that no other response shares, so a handler may
// modify them (rs/cors issue 198).
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

// warnMissingScheme logs, at most once a minute, that Scheme is probably missing
// behind a proxy that terminates TLS.
func (p *Policy) warnMissingScheme(r *http.Request) {
	if !p.warned.Allow(time.Now()) {
		return
	}
	hook.LoggerOrDefault(p.logger).LogAttrs(r.Context(), slog.LevelWarn, "Options.Scheme is not set behind a proxy",
		slog.String("peer", r.RemoteAddr))
}
