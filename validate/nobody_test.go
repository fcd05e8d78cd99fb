package validate_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type limited struct {
	Limit int `query:"limit" validate:"max=9"`
}

// TestEmptyBodiesAreAccepted_FV8 sends requests like proxies, over a socket. The
// connection stays open after an empty body and is closed after another one.
func TestEmptyBodiesAreAccepted_FV8(t *testing.T) {
	srv := serve[limited](t, validate.Options{Limits: validate.Limits{BodyTimeout: 100 * time.Millisecond}})
	for _, row := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"FV8 no body", "GET /?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""},
		{"FV8 a length of 0", "GET /?limit=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 200, ""},
		{"FV8 an empty chunked body", "GET /?limit=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, ""},
		{"FV8 an empty chunked body of a POST with a type", "POST /?limit=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, ""},
		{"FV8 an empty chunked body with a trailer", "DELETE /?limit=1 HTTP/1.1\r\nHost: x\r\nTrailer: X-A\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n\r\n", 200, ""},
		{"FV8 one byte", "GET /?limit=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 400, "unexpected_body"},
		{"FV8 one byte with its length", "GET /?limit=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", 400, "unexpected_body"},
		{"FV8 a length, and nothing yet", "GET /?limit=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", 400, "unexpected_body"},
		{"FV8 chunks that do not come", "GET /?limit=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 408, "body_timeout"},
		{"FV8 what is no chunk", "GET /?limit=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "malformed_input"},
		{"FV8 a parameter is checked first", "GET /?limit=10 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 422, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
			require.NoError(t, err)
			defer func() { require.NoError(t, conn.Close()) }()
			require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
			reader := bufio.NewReader(conn)
			for range 2 { // the second shows whether the first has left anything unread
				_, err = io.WriteString(conn, row.request)
				require.NoError(t, err)
				res, err := http.ReadResponse(reader, nil)
				require.NoError(t, err)
				body, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				require.Equal(t, row.status, res.StatusCode, "%s", body)
				if row.code != "" {
					require.Contains(t, string(body), row.code)
					require.True(t, res.Close, "the connection must not be used again")
					return
				}
			}
		})
	}
}

// Over HTTP/2 a body of unknown length that is empty is an empty DATA frame.
func TestEmptyBodiesAreAcceptedOverHTTP2_FV8(t *testing.T) {
	h := errors.Must(validate.Handle(func(_ http.ResponseWriter, r *http.Request, _ *limited) error {
		if r.ContentLength != -1 {
			return errors.New("the request has a length: this test shows nothing")
		}
		return nil
	}, validate.Options{Logger: quiet, Limits: validate.Limits{BodyTimeout: 100 * time.Millisecond}}))
	srv := httptest.NewUnstartedServer(quietly(h))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	never, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	for _, row := range []struct {
		name   string
		body   io.Reader
		status int
		code   string
	}{
		{"FV8 an empty DATA frame", io.MultiReader(), 200, ""},
		{"FV8 one byte", io.MultiReader(strings.NewReader("a")), 400, "unexpected_body"},
		{"FV8 frames that do not come", never, 408, "body_timeout"},
		{"FV8 and the connection goes on", io.MultiReader(), 200, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := http.NewRequest("POST", srv.URL, row.body)
			require.NoError(t, err)
			res, err := srv.Client().Do(r)
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, 2, res.ProtoMajor)
			require.Equal(t, row.status, res.StatusCode, "%s", body)
			require.Contains(t, string(body), row.code)
		})
	}
}
