package ratelimit

import (
	"net/http"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/nethttp"
	"github.com/ringwall/ringwall/internal/wiring"
)

// Handler calls next if the limits of the request's tier allow the request. Inside
// another Limiter, it adds its members to the fields of the outer one. Handler panics
// if next is nil.
func (l *Limiter) Handler(next http.Handler) http.Handler {
	wiring.RequireNew("ratelimit: Handler", l == nil)
	wiring.RequireHandler("ratelimit: Handler", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := l.tierOf(r)
		if t == nil {
			next.ServeHTTP(w, r)
			return
		}
		b := l.batches.Get().(*batch)
		l.buildCharges(t, b, r)
		deadline := l.storeDeadline() // after Key, Cost and Scale, which may be slow
		var d Decision
		err := l.decideRequest(r.Context(), w.Header(), t, b, &d)
		mayRefund, shadow := t.failures && err == nil && !d.open, b.shadow
		if !mayRefund {
			l.batches.Put(b) // next may be slow
		}
		if err != nil {
			l.respond(w, r, err)
			return
		}
		if shadow != "" {
			errors.Report(r, t.limited.With("limit", shadow))
		}
		if mayRefund {
			l.warnHiddenStatus(w, r, t)
		}
		if t.published && l.fields != NoFields {
			nethttp.KeepHeaders(w, &ownHeaders[l.fields], 0)
		}
		served := l.storeDeadline()
		next.ServeHTTP(w, r)
		if mayRefund {
			l.refundSuccess(w, r, t, b, &d, deadline, served)
			l.batches.Put(b)
		}
	})
}

// Charge makes the decision that Handler makes about a request, for tests and other
// frameworks. A denial is an error, as in [Limiter.Take]. Charge never refunds, not
// even the limits with FailuresOnly. A request that no tier matches is allowed.
func (l *Limiter) Charge(r *http.Request) (Decision, error) {
	t := l.tierOf(r)
	if t == nil {
		return Decision{Allowed: true}, nil
	}
	b := l.batches.Get().(*batch)
	defer l.batches.Put(b)
	l.buildCharges(t, b, r)
	var d Decision
	if err := l.decide(r.Context(), t, b, &d); err != nil {
		return d, err
	}
	return d, d.denial()
}

func (l *Limiter) tierOf(r *http.Request) *tier {
	i, ok := l.routes.FindPattern(r)
	if ok && !l.matched[i].Load() {
		l.matched[i].Store(true)
	}
	if !l.reviewed.Load() {
		l.reviewPatterns(r.Context())
	}
	if !ok {
		return l.rest
	}
	return l.tiers[l.routes.FieldOf(i)]
}

// refundSuccess refunds the limits with FailuresOnly if the response is not a failure.
// The decision and the refund share one Timeout: the deadline is that of the decision,
// plus the duration of the handler.
func (l *Limiter) refundSuccess(w http.ResponseWriter, r *http.Request, t *tier, b *batch, d *Decision, deadline, served int64) {
	status, ok := errors.Status(w)
	if !ok || status >= 400 || r.Context().Err() != nil {
		return
	}
	inHandler := l.storeDeadline() - served
	if err := l.refundCharges(r.Context(), t, b, d, true, deadline+inHandler); err != nil {
		l.logRefund(r.Context(), t, err)
	}
}
