package redisauth

import (
	"fmt"
	"time"

	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// A reader reads the values of replies. It stores its first error, and returns an empty
// value for each value of another type.
type reader struct{ err error }

// joinError joins the reader's error, if any, with err.
func (r *reader) joinError(err error) error {
	if r.err != nil {
		return errors.Join(unavailableError(r.err), err)
	}
	return err
}

func (r *reader) fail(v any, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("redisauth: a reply has %T instead of %s", v, want)
	}
}

func (r *reader) asList(v any) []any {
	list, ok := v.([]any)
	if !ok {
		r.fail(v, "a list")
	}
	return list
}

func (r *reader) at(list []any, i int) any {
	if i >= len(list) {
		r.fail(nil, "an element")
		return nil
	}
	return list[i]
}

func (r *reader) textAt(list []any, i int) string {
	v := r.at(list, i)
	text, ok := v.(string)
	if !ok {
		r.fail(v, "a text")
	}
	return text
}

func (r *reader) numberAt(list []any, i int) int64 {
	v := r.at(list, i)
	n, ok := v.(int64)
	if !ok {
		r.fail(v, "a number")
	}
	return n
}

func (r *reader) time(list []any, i int) time.Time { return time.UnixMicro(r.numberAt(list, i)).UTC() }

// record reads the reply of the Lua function reply.
func (r *reader) record(v any) session.Record {
	f := r.asList(v)
	return session.Record{
		ID: r.textAt(f, 0), Generation: uint64(r.numberAt(f, 1)), Created: r.time(f, 2), LastUsed: r.time(f, 3), Expires: r.time(f, 4), Value: []byte(r.textAt(f, 5)),
	}
}
