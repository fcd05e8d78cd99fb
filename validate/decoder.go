package validate

import (
	"context"
	"reflect"
)

// A Decoder decodes JSON that is not the body of a request, such as a message of a queue, a
// frame of a WebSocket or a line of a file, as strictly as [JSON] decodes a body. It is safe
// for concurrent use.
type Decoder[T any] struct{ p *plan }

// NewDecoder returns a Decoder for T, which may be of any type that JSON can be decoded into,
// except a pointer. It accepts at most one Options, of which Types, PathValue, IgnoreQuery,
// Gzip, ErrorHandler and InsecureReportOnly must not be set, because they are about requests. It reports all
// problems of T and of the options, joined.
func NewDecoder[T any](options ...Options) (*Decoder[T], error) {
	p, err := compileType(reflect.TypeFor[T](), decoderOnly, options)
	if err != nil {
		return nil, err
	}
	return &Decoder[T]{p}, nil
}

// checkDecoderOptions reports options that a Decoder does not use.
func (l *linter) checkDecoderOptions(o Options) {
	for name, isSet := range map[string]bool{
		"Types": o.Types != nil, "PathValue": o.PathValue != nil, "IgnoreQuery": o.IgnoreQuery != nil, "Gzip": o.Gzip, "ErrorHandler": o.ErrorHandler != nil, "InsecureReportOnly": o.InsecureReportOnly,
	} {
		if isSet {
			l.problem(name, "is not used by a Decoder")
		}
	}
}

// Decode decodes a text and checks it against the rules of T. Limits.Body bounds the text.
// The errors are those of a request: [ErrMalformed], [ErrInputTooLarge] and [ErrInvalid],
// whose problems [ProblemsOf] returns. The value has no reference to data.
func (d *Decoder[T]) Decode(ctx context.Context, data []byte) (*T, error) {
	c := d.p.c
	if int64(len(data)) > c.limits.Body {
		return nil, ErrInputTooLarge.With("limit", c.limits.Body)
	}
	s := c.scratches.Get().(*scratch)
	defer c.release(s)
	s.counter.beginText(&c.limits)
	if over := s.counter.write(data); over != "" {
		return nil, bodyRefusal(ErrInputTooLarge, over)
	}
	v := new(T)
	if err := c.decodeBody(data, &s.counter, reflect.ValueOf(v), d.p.node); err != nil {
		return nil, err
	}
	s.walker.ctx = ctx
	if err := d.p.checkRules(reflect.ValueOf(v).Elem(), &s.walker); err != nil {
		return nil, err
	}
	return v, nil
}

// Check checks a value that was not decoded against the rules of T, for example one that the
// application has changed. A nil pointer is [ErrInvalid].
func (d *Decoder[T]) Check(ctx context.Context, v *T) error {
	if v == nil {
		return newRefusal(ErrInvalid, "the body", "", "required", "is required")
	}
	s := d.p.c.scratches.Get().(*scratch)
	defer d.p.c.release(s)
	s.walker.ctx = ctx
	return d.p.checkRules(reflect.ValueOf(v).Elem(), &s.walker)
}
