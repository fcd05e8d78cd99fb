package errors

import (
	"context"
	"log/slog"
)

// LogHandler returns a handler that treats the records of an application like those of
// a [Responder]: it masks secrets, truncates texts at 8 KiB, and adds correlation_id to
// a record that is logged with the context of a request. The keys in redact are those
// of [Options].Redact.
//
//	slog.SetDefault(slog.New(errors.LogHandler(slog.NewJSONHandler(os.Stderr, nil))))
func LogHandler(next slog.Handler, redact ...string) slog.Handler {
	return logHandler{next, newRedactor(redact), false}
}

type logHandler struct {
	slog.Handler
	redactor redactor
	secret   bool // the name of an open group is a secret key, so all values in it are masked
}

// Handle masks the record's message and attributes, and passes it to next.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	masked := slog.NewRecord(r.Time, r.Level, h.redactor.mask(r.Message), r.PC)
	id := CorrelationID(ctx)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "correlation_id" {
			id = ""
		}
		masked.AddAttrs(h.attr(a))
		return true
	})
	if id != "" {
		masked.AddAttrs(slog.String("correlation_id", id))
	}
	return h.Handler.Handle(ctx, masked)
}

// WithAttrs masks the attributes before the next handler formats them.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	masked := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		masked[i] = h.attr(a)
	}
	return logHandler{h.Handler.WithAttrs(masked), h.redactor, h.secret}
}

func (h logHandler) attr(a slog.Attr) slog.Attr {
	if h.secret {
		return slog.String(a.Key, redacted)
	}
	return h.redactor.attr(a)
}

// WithGroup opens a group in the next handler.
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name), h.redactor, h.secret || h.redactor.secret(name)}
}
