package errors_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// logged returns a message as a LogHandler passes it on.
func logged(message string) string {
	var text string
	handler := slog.NewTextHandler(&strings.Builder{}, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.MessageKey {
			text = a.Value.String()
		}
		return a
	}})
	slog.New(errors.LogHandler(handler)).Info(message)
	return text
}

// CWE-532: secrets in free text.
func TestSecretsInTextAreMasked(t *testing.T) {
	const s = "hunter2-hunter2"
	for _, row := range []struct{ name, text string }{
		{name: "a cookie behind another", text: "Cookie: theme=dark; sid=" + s},
		{name: "a cookie in a dump", text: "GET / HTTP/1.1\r\nSet-Cookie: a=\"b\"; sid=" + s + "\r\nHost: a"},
		{name: "a scheme that nobody knows", text: "Authorization: Token " + s},
		{name: "a scheme with parameters", text: "authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, SignedHeaders=host, Signature=" + s},
		{name: "a short bearer token", text: "Proxy-Authorization: Bearer " + s[:4]},
		{name: "a map of headers", text: "map[Accept:[*/*] Authorization:[Token " + s + "] Cookie:[a=b; c=" + s + "]]"},
		{name: "JSON", text: `{"password":"` + s + `"}`},
		{name: "JSON with an escaped quote", text: `{"password":"a\"` + s + `"}`},
		{name: "JSON in a Go string", text: `decode "{\"password\":\"` + s + `\"}"`},
		{name: "JSON that is cut off", text: `{"password":"` + s},
		{name: "JSON with spaces", text: `{ "client_secret" : "two words ` + s + `" }`},
		{name: "a password with spaces", text: "password='two words " + s + "'"},
		{name: "a list", text: `{"tokens":["a","` + s + `"]}`},
		{name: "a CSRF token", text: "csrf_token=" + s + " xsrf: " + s},
		{name: "a signature", text: "https://bucket/x#X-Amz-Signature=" + s},
		{name: "a card", text: "cvv=" + s + "&card_number=" + s},
		{name: "an object", text: `{"password":{"old":"` + s + `","new":"` + s + `"}}`},
		{name: "a DSN of ADO", text: "Server=db;Uid=sa;Pwd=" + s + ";"},
		{name: "a DSN of MySQL", text: "connect app:" + s + "@tcp(db:3306)/x"},
		{name: "a DSN of MySQL with an at sign", text: "connect app:a@" + s + "@unix(/run/db)/x"},
		{name: "a DSN", text: "dial postgres://app:" + s + "@db/x"},
		{name: "a DSN whose password has a slash", text: `parse "postgres://app:a/` + s + `@db/x": invalid port`},
		{name: "a DSN with an at sign", text: "amqp://app:a@" + s + "@mq/"},
		{name: "a token before a host", text: "https://" + s + "@github.com/x"},
		{name: "a query without a name", text: "GET https://a.example/reset?" + s},
		{name: "a query", text: "GET /x?a=b&q=" + s},
		{name: "a private key", text: "-----BEGIN RSA PRIVATE KEY-----\n" + s + "/+\n" + s + "\n-----END RSA PRIVATE KEY-----"},
		{name: "a private key that is cut off", text: "-----BEGIN PRIVATE KEY-----\n" + s},
		{name: "a token that the bound cuts", text: strings.Repeat("a ", 4<<10-9) + " " + s + strings.Repeat("x", 60)},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := logged(row.text)
			require.NotContains(t, got, s)
			if row.name == "a short bearer token" {
				require.NotContains(t, got, s[:4])
			}
			require.Equal(t, got, logged(got), "masked once and for all")
		})
	}
}

// The value of a secret key is masked in any format and at any depth. Other
// values are not.
func TestSecretsInFieldsAreMasked(t *testing.T) {
	const s = "hunter2 ]}hunter2"
	type login struct{ User, Pass string }
	for _, tt := range []struct {
		name  string
		value any
		want  string
	}{
		{name: "a field", value: struct{ Password, Name string }{s, "ada"}, want: `{"Password":[redacted],"Name":"ada"}`},
		{name: "a short name", value: login{"ada", s}, want: `{"User":"ada","Pass":[redacted]}`},
		{name: "a struct", value: struct{ Credentials login }{login{"ada", s}}, want: `{"Credentials":[redacted]}`},
		{name: "a list", value: map[string]any{"tokens": []string{s, s}, "a": []any{1, true, nil, "x"}}, want: `{"a":[1,true,null,"x"],"tokens":[redacted]}`},
		{name: "a map in a list", value: []any{map[string]any{"secrets": map[string]any{"a": []string{s}}}, 1.50}, want: `[{"secrets":[redacted]},1.5]`},
		{name: "a number", value: map[string]any{"user_pin": 1234, "n": 12345678901234567}, want: `{"n":12345678901234567,"user_pin":[redacted]}`},
		{name: "a key of Redact", value: struct{ UserPIN string }{s}, want: `{"UserPIN":[redacted]}`},
		{name: "a key of Redact in JSON", value: []byte(`{"pin":"hunter2 hunter2","a":1}`), want: `{"pin":[redacted],"a":1}`},
		{name: "a key of Redact in JSON in a Go string", value: errors.New(`decode "{\"pin\":\"hunter2 hunter2\"}"`), want: `decode "{\"pin\":[redacted]}"`},
		{name: "a key of Redact in text", value: "pin=hunter2 a=b", want: "pin=[redacted] a=b"},
		{name: "a word of prose that has the key", value: "ping: pinned to 7", want: "ping: pinned to 7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log strings.Builder
			slog.New(errors.LogHandler(slog.NewJSONHandler(&log, nil), "pin")).Info("x", "value", tt.value)
			var record map[string]any
			require.NoError(t, json.Unmarshal([]byte(log.String()), &record))
			require.Equal(t, tt.want, record["value"])
			s, j := serve(t, errors.Options{Redact: []string{"P-I N"}}, errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
				return errNoOrder.Wrap(fmt.Errorf("%v", tt.want)).With("value", tt.value)
			}))
			do(t, s, "GET", "/", nil)
			require.NotContains(t, j.String(), "hunter2")
		})
	}
}

func TestTextWithoutSecretsIsNotMasked(t *testing.T) {
	for _, text := range []string{
		"open /etc/app/config.yaml: no such file or directory",
		"dial tcp 10.0.0.1:5432: connect: connection refused",
		"Get \"http://api.internal:8080/users/7\": context deadline exceeded",
		"invalid character 'x' looking for beginning of value",
		"token is expired by 3s",
		"what? no: the card was declined",
		"order 4bf92f3577b34da6a3ce929d0e0e4736 is gone",
		"user alice@example.com unknown",
		"pq: relation \"users\" does not exist (SQLSTATE 42P01)",
		"",
	} {
		t.Run(text, func(t *testing.T) { require.Equal(t, text, logged(text)) })
	}
}

// Only the beginning of a foreign body is logged. A secret at its end must not
// be cut, because a truncated secret is not recognized.
func TestReplacedBodyIsTruncatedAtASpace(t *testing.T) {
	const kept, secret = 4096, "postgres://app:hunter2"
	for _, body := range []string{
		strings.Repeat("a ", kept)[:kept-len(secret)-1] + " " + secret + "@db/x",
		strings.Repeat("a", kept-len(secret)) + secret + "@db/x",
	} {
		s, j := serve(t, errors.Options{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, body, 500) }))
		do(t, s, "GET", "/", nil)
		require.Contains(t, j.String(), "replaced_body")
		require.NotContains(t, j.String(), "hunter2")
	}
}

// Only a stack of this package is logged unmasked, not any attribute of that
// name.
func TestAttributeNamedStackIsMasked(t *testing.T) {
	var log strings.Builder
	logger := slog.New(errors.LogHandler(slog.NewTextHandler(&log, nil)))
	logger.Info("x", "stack", "password=hunter2")
	logger.With("stack", "password=hunter2").Info("x")
	require.NotContains(t, log.String(), "hunter2")

	s, j := serve(t, errors.Options{}, errors.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) error {
		return errNoOrder.With("stack", "password=hunter2")
	}))
	do(t, s, "GET", "/", nil)
	require.NotContains(t, j.String(), "hunter2")
}

// A stack is complete even if the Responder's logger masks its records too.
func TestStackPassesASecondMask(t *testing.T) {
	j := new(journal)
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(errors.LogHandler(slog.NewJSONHandler(j, nil)))}))
	failures.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		aFunctionWhoseNameIsLongEnoughToLookLikeATokenOfOurs()
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	require.Contains(t, j.String(), "aFunctionWhoseNameIsLongEnoughToLookLikeATokenOfOurs")
}

func aFunctionWhoseNameIsLongEnoughToLookLikeATokenOfOurs() { panic("x") }

// A random secret in any part of a request, and in any failure of a handler,
// must not be in the response, its headers or its trailers.
func TestRandomSecretsDoNotReachTheClient(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: sends thousands of requests")
	}
	failures := map[string]func(http.ResponseWriter, *http.Request, string){
		"an error": func(w http.ResponseWriter, r *http.Request, s string) { errors.Respond(w, r, fmt.Errorf("sql: %s", s)) },
		"a cause": func(w http.ResponseWriter, r *http.Request, s string) {
			errors.Respond(w, r, errNoOrder.Wrap(errors.New(s)).With(s, s))
		},
		"a joined": func(w http.ResponseWriter, r *http.Request, s string) {
			errors.Respond(w, r, errors.Join(errors.New(s), errBusy))
		},
		"a panic":              func(_ http.ResponseWriter, _ *http.Request, s string) { panic(s) },
		"an error that panics": func(_ http.ResponseWriter, _ *http.Request, s string) { panic(fmt.Errorf("x: %w", errors.New(s))) },
		"http.Error 500":       func(w http.ResponseWriter, _ *http.Request, s string) { http.Error(w, s, 500) },
		"http.Error 400":       func(w http.ResponseWriter, _ *http.Request, s string) { http.Error(w, s, 400) },
		"a JSON 503": func(w http.ResponseWriter, _ *http.Request, s string) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Disposition", s)
			w.WriteHeader(503)
			_, _ = io.WriteString(w, s)
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, s)
			w.Header().Set(http.TrailerPrefix+"X-Reason", s)
		},
		"Goexit": func(w http.ResponseWriter, _ *http.Request, s string) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, s)
			runtime.Goexit()
		},
	}
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			for _, http2 := range []bool{false, true} {
				s, _ := serveOver(t, http2, errors.Options{Details: true, Problem: http2}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					require.NoError(t, err)
					fail(w, r, string(body))
				}))
				for range 5 {
					secret := rand.Text()
					req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/"+secret+"?"+secret+"="+secret, strings.NewReader(secret))
					require.NoError(t, err)
					req.Header = http.Header{"Cookie": {"sid=" + secret}, "X-" + secret: {secret}, "X-Correlation-Id": {secret}, "Content-Type": {secret}}
					req.Close = true // after a Goexit, net/http closes the connection
					res, err := s.Client().Do(req)
					reset := name == "Goexit" && http2 // net/http resets the stream, before or after our answer arrives
					if reset && err != nil {
						continue
					}
					require.NoError(t, err)
					body, err := io.ReadAll(res.Body)
					require.True(t, err == nil || reset)
					require.NoError(t, res.Body.Close())
					require.GreaterOrEqual(t, res.StatusCode, 400)
					require.NotContains(t, strings.ToLower(fmt.Sprint(res.Status, res.Header, res.Trailer, string(body))), strings.ToLower(secret))
				}
			}
		})
	}
}
