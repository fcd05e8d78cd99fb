package session_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// TestPanicAfterTheRotationKeepsTheSuccessor checks that a panic of the application after the rotation is a
// failure like any other: the client gets the successor of its used token.
func TestPanicAfterTheRotationKeepsTheSuccessor(t *testing.T) {
	for _, hook := range []string{"session: Account", "session: Issue"} {
		t.Run(hook, func(t *testing.T) {
			var mistake any
			var log bytes.Buffer
			d := newDesk(t, func(o *session.Options) {
				account, issue := o.Account, o.Issue
				o.Account = func(ctx context.Context, s session.Session) (session.Session, error) {
					if hook == "session: Account" && mistake != nil {
						panic(mistake)
					}
					return account(ctx, s)
				}
				o.Issue = func(ctx context.Context, s session.Session) (string, time.Time, error) {
					if hook == "session: Issue" && mistake != nil {
						panic(mistake)
					}
					return issue(ctx, s)
				}
				o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			})
			token := d.login()
			mistake = "a mistake"
			w := d.post(d.Refresh(), token)
			require.Equal(t, auth.ErrUnavailable.Code(), codeOf(t, w))
			require.Equal(t, "1", w.Header().Get("Retry-After"))
			require.NotContains(t, w.Body.String(), "mistake")
			require.Contains(t, log.String(), `level=ERROR msg="hook panicked" hook="`+hook+`" panic="a mistake"`)
			successor := cookieOf(t, w)
			require.NotEmpty(t, successor)

			if hook == "session: Issue" {
				w := d.post(errors.HandlerFunc(d.Login), "")
				require.Equal(t, auth.ErrUnavailable.Code(), codeOf(t, w), "a login")
				require.Empty(t, cookieOf(t, w))
				list, err := d.List(t.Context(), "ann")
				require.NoError(t, err)
				require.Len(t, list, 1, "it leaves no session behind")
			}

			mistake = nil
			w = d.post(d.Refresh(), successor)
			require.Equal(t, 200, w.Code)
			log.Reset()
			mistake = http.ErrAbortHandler
			require.PanicsWithValue(t, http.ErrAbortHandler, func() { d.post(d.Refresh(), cookieOf(t, w)) })
			require.Empty(t, log.String())
			require.Empty(t, d.events)
		})
	}
}
