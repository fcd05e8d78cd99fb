package errors

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/ringwall/ringwall/internal/public"
)

// kindFor returns the kind that the client sees: the first kind in the error
// tree, depth first; else the result of Options.Map; else the kind of an
// unambiguous error of the standard library; else ErrInternal. If the client
// ended the request and err comes from that, it returns that kind instead.
//
// os.ErrDeadlineExceeded is a 500, because a slow upstream causes it too.
// sql.ErrNoRows and fs.ErrNotExist are a 500, because guessing hides bugs.
func (s *scope) kindFor(r *http.Request, err error) *Kind {
	var k *Kind
	if e, ok := err.(*Error); ok && e != nil {
		k = e.kind // the result of AsType, without the slice that Unwrap allocates
	} else {
		k, _ = errors.AsType[*Kind](err)
	}
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

// describer returns the first error in the tree, depth first, that carries its
// own client message, if it comes before any kind. An error behind a kind is a
// cause, which is only logged.
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

// walk calls visit for each Error of a tree, depth first, until visit returns
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

// textOf returns err.Error(), or a description if Error panics, as it does for a
// nil pointer stored in an error.
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
