package errors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"strings"

	"github.com/ringwall/ringwall/internal/public"
)

// kindFor decides what an error is to the client: the first kind in the error
// tree, depth first; else what the application's mapping says; else one of
// the few errors of the standard library that mean one thing only. What comes
// from a client that ended its request has no other kind.
//
// os.ErrDeadlineExceeded stays 500, since a slow upstream looks the same, and
// so do sql.ErrNoRows and fs.ErrNotExist: guessing hides bugs. Methods such as
// StatusCode of other packages' errors are never looked at: their status is
// about their conversation, not about ours.
func (s *scope) kindFor(r *http.Request, err error) *Kind {
	k, _ := errors.AsType[*Kind](err)
	if mapping := s.responder.mapping; k == nil && mapping != nil && err != nil {
		k = mapping(err)
	}
	if ended := s.kindOfHangUp(r, err, k); ended != nil {
		return ended
	}
	if k != nil {
		return k
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return ErrTooLarge
	}
	if r.Context().Err() == context.DeadlineExceeded && errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	return ErrInternal
}

// headersOf returns the response headers of the first Error of kind k.
func headersOf(err error, k *Kind) http.Header {
	var header http.Header
	walk(err, func(e *Error) bool {
		if e.kind == k {
			header = e.header
		}
		return header == nil
	})
	return header
}

// describer returns the error that has a message of its own for the client. It
// stands in the tree before any kind, depth first; what stands behind one is a
// cause, and for the log.
func describer(err error) (d public.Describer, decided bool) {
	switch e := err.(type) {
	case public.Describer:
		return e, true
	case *Kind, *Error:
		return nil, true
	case interface{ Unwrap() error }:
		return describer(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if d, decided = describer(inner); decided {
				return d, true
			}
		}
	}
	return nil, false
}

// attrsOf returns the attributes of every Error in the tree.
func attrsOf(err error) []slog.Attr {
	var attrs []slog.Attr
	walk(err, func(e *Error) bool {
		attrs = append(attrs, e.attrs...)
		return true
	})
	return attrs
}

// walk calls visit for each Error of a tree, depth first, until it returns
// false.
func walk(err error, visit func(*Error) bool) bool {
	if e, ok := err.(*Error); ok && e != nil {
		return visit(e) && (e.cause == nil || walk(e.cause, visit))
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return walk(e.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if !walk(inner, visit) {
				return false
			}
		}
	}
	return true
}

// textOf returns the text of an error, also of a nil pointer that was returned
// as an error, whose Error method panics.
func textOf(err error) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprintf("%T whose Error method panics: %v", err, p)
		}
	}()
	if err == nil {
		return "Respond was called without an error"
	}
	return err.Error()
}

// routeOf names the route for the log: the pattern when the router told, else
// the cleaned path, without the query.
func routeOf(r *http.Request) string {
	if r.Pattern != "" {
		return r.Pattern
	}
	p := r.URL.Path
	if len(p) > 1024 {
		p = p[:strings.LastIndexByte(p[:1024], '/')+1] // whole segments: a secret that is cut has no shape
	}
	p = mask(path.Clean("/" + p))
	return p[:min(len(p), 256)]
}
