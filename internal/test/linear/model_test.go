package linear_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// The requests of a client.
const (
	login = iota
	refresh
	logout
	revokeAll
)

// input is one request. token is of a refresh or a logout, or of the session
// whose place a login takes.
type input struct {
	subject string
	what    int
	token   credential
	attempt string
	bare    bool   // the attempt is not sent: the service makes it
	cookie  string // that of the 503 which named the attempt
}

// output is its response.
type output struct {
	status int
	token  credential // of a login or a refresh that worked
}

// A credential is the content of a refresh token.
type credential struct {
	session    string
	generation uint64
}

// live is the state of a session.
type live struct {
	generation uint64
	attempt    string
}

// state has the live sessions of a subject.
type state map[string]live

func (s state) with(id string, l live) state {
	next := maps.Clone(s)
	next[id] = l
	return next
}

func (s state) without(id string) state {
	next := maps.Clone(s)
	delete(next, id)
	return next
}

// step returns the possible states after a request, or none if its response is
// impossible. A token works once; the attempt that used it last may repeat.
func step(before, in, out any) []any {
	s, i, o := before.(state), in.(input), out.(output)
	next, want := s, output{status: 200}
	session, known := s[i.token.session]
	switch {
	case i.what == login && o.status == 503:
		next = s.without(i.token.session) // a session whose token no client has does nothing
	case i.what == login && o.status != 200:
		// Its reply may have been lost, and all may have been ended before its
		// retry: then it took the place first.
		return []any{s, s.without(i.token.session)}
	case i.what == login:
		want.token = o.token
		if _, twice := s[o.token.session]; twice || o.token.generation != 0 {
			return nil
		}
		next = s.without(i.token.session).with(o.token.session, live{})
	case i.what == logout:
		want.status, next = 204, s.without(i.token.session)
	case i.what == revokeAll:
		want.status, next = 204, state{}
	case !known:
		want.status = 401
	case i.token.generation == session.generation:
		want.token = credential{i.token.session, session.generation + 1}
		next = s.with(i.token.session, live{session.generation + 1, i.attempt})
	case i.token.generation+1 == session.generation && i.attempt == session.attempt:
		want.token = credential{i.token.session, session.generation}
	default:
		want.status, next = 401, s.without(i.token.session)
	}
	if o.status == 503 {
		return []any{s, next} // it may have been done, or not
	}
	if o != want {
		return nil
	}
	return []any{next}
}

// model is for porcupine: each subject by itself.
var model = porcupine.NondeterministicModel{
	Init:  func() []any { return []any{state{}} },
	Step:  step,
	Equal: func(a, b any) bool { return maps.Equal(a.(state), b.(state)) },
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[string][]porcupine.Operation{}
		for _, op := range history {
			subject := op.Input.(input).subject
			parts[subject] = append(parts[subject], op)
		}
		return slices.Collect(maps.Values(parts))
	},
	DescribeOperation: func(in, out any) string {
		return strings.TrimSpace(fmt.Sprintf("%+v: %+v", in, out))
	},
}
