package token_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	ringerrors "github.com/ringwall/ringwall/errors"
)

type refusal struct {
	text string
	kind error
	want auth.Reason
}

// refusals has a token for each reason.
func refusals() map[string]refusal {
	good, claims := goodHeader(), goodClaims()
	with := func(changes object) string { return sign(good.json(), claims.with(changes).json()) }
	signed := sign(good.json(), claims.json())
	return map[string]refusal{
		"too long":                    {text: strings.Repeat("a", 9<<10), kind: auth.ErrInvalid, want: token.ReasonSize},
		"two parts":                   {text: "a.b", kind: auth.ErrInvalid, want: token.ReasonParts},
		"encrypted":                   {text: "a.b.c.d.e", kind: auth.ErrInvalid, want: token.ReasonParts},
		"a line break":                {text: signed[:10] + "\n" + signed[10:], kind: auth.ErrInvalid, want: token.ReasonEncoding},
		"not base64url":               {text: "!" + signed, kind: auth.ErrInvalid, want: token.ReasonEncoding},
		"no signature":                {text: signed[:strings.LastIndexByte(signed, '.')+1], kind: auth.ErrInvalid, want: token.ReasonSignature},
		"another signature":           {text: signed[:len(signed)-86] + b64(strings.Repeat("x", 64)), kind: auth.ErrInvalid, want: token.ReasonSignature},
		"a header that is no JSON":    {text: sign("x", claims.json()), kind: auth.ErrInvalid, want: token.ReasonHeader},
		"crit":                        {text: sign(good.with(object{"crit": []string{"x"}}).json(), claims.json()), kind: auth.ErrInvalid, want: token.ReasonHeader},
		"no typ":                      {text: sign(good.with(object{"typ": nil}).json(), claims.json()), kind: auth.ErrInvalid, want: token.ReasonType},
		"another typ":                 {text: sign(good.with(object{"typ": "JWT"}).json(), claims.json()), kind: auth.ErrInvalid, want: token.ReasonType},
		"no kid":                      {text: sign(good.with(object{"kid": nil}).json(), claims.json()), kind: auth.ErrInvalid, want: token.ReasonKey},
		"an unknown kid":              {text: sign(good.with(object{"kid": "x"}).json(), claims.json()), kind: auth.ErrInvalid, want: token.ReasonKey},
		"no alg":                      {text: sign(good.with(object{"alg": nil}).json(), claims.json()), kind: auth.ErrInvalid, want: token.ReasonAlgorithm},
		"alg none":                    {text: sign(good.with(object{"alg": "none"}).json(), claims.json()), kind: auth.ErrInvalid, want: token.ReasonAlgorithm},
		"a payload that is no JSON":   {text: sign(good.json(), "x"), kind: auth.ErrInvalid, want: token.ReasonPayload},
		"a payload with a name twice": {text: sign(good.json(), `{"a":1,"a":2}`), kind: auth.ErrInvalid, want: token.ReasonPayload},
		"another issuer":              {text: with(object{"iss": "https://evil.example"}), kind: auth.ErrInvalid, want: token.ReasonIssuer},
		"no iss":                      {text: with(object{"iss": nil}), kind: auth.ErrInvalid, want: token.ReasonIssuer},
		"iss of another type":         {text: with(object{"iss": 1}), kind: auth.ErrInvalid, want: token.ReasonIssuer},
		"another audience":            {text: with(object{"aud": "other"}), kind: auth.ErrInvalid, want: token.ReasonAudience},
		"no aud":                      {text: with(object{"aud": nil}), kind: auth.ErrInvalid, want: token.ReasonAudience},
		"aud of another type":         {text: with(object{"aud": 1}), kind: auth.ErrInvalid, want: token.ReasonAudience},
		"AUD instead of aud":          {text: with(object{"aud": nil, "AUD": audience}), kind: auth.ErrInvalid, want: token.ReasonAudience},
		"AUD beside aud":              {text: with(object{"AUD": audience}), kind: auth.ErrInvalid, want: token.ReasonPayload},
		"no exp":                      {text: with(object{"exp": nil}), kind: auth.ErrInvalid, want: token.ReasonExpiry},
		"too long a life":             {text: with(object{"exp": noon.Add(2 * time.Hour).Unix()}), kind: auth.ErrInvalid, want: token.ReasonLifetime},
		"no iat":                      {text: with(object{"iat": nil}), kind: auth.ErrInvalid, want: token.ReasonIssuedAt},
		"issued in the future":        {text: with(object{"iat": noon.Add(time.Minute).Unix()}), kind: auth.ErrInvalid, want: token.ReasonIssuedAt},
		"not valid yet":               {text: with(object{"nbf": noon.Add(time.Minute).Unix()}), kind: auth.ErrInvalid, want: token.ReasonNotBefore},
		"nbf of another type":         {text: with(object{"nbf": "x"}), kind: auth.ErrInvalid, want: token.ReasonNotBefore},
		"no sub":                      {text: with(object{"sub": nil}), kind: auth.ErrInvalid, want: token.ReasonSubject},
		"bound to a key":              {text: with(object{"cnf": object{"jkt": "x"}}), kind: auth.ErrInvalid, want: token.ReasonBound},
		"scope of another type":       {text: with(object{"scope": []string{"a"}}), kind: auth.ErrInvalid, want: token.ReasonClaim},
		"roles of another type":       {text: with(object{"roles": "a"}), kind: auth.ErrInvalid, want: token.ReasonClaim},
		"expired":                     {text: with(object{"iat": noon.Add(-time.Hour).Unix(), "exp": noon.Add(-time.Minute).Unix()}), kind: auth.ErrExpired, want: token.ReasonExpiry},
	}
}

// Code reads the reason outside HTTP; the kind stays.
func TestReasonsAreReadableByCode_FT8(t *testing.T) {
	v := verifier(t, nil)
	for name, row := range refusals() {
		t.Run("FT8 "+name, func(t *testing.T) {
			for range 2 {
				_, err := v.Verify(t.Context(), row.text)
				require.ErrorIs(t, err, row.kind)
				require.ErrorIs(t, err, row.want, "errors.Is")
				var reason auth.Reason
				require.True(t, errors.As(err, &reason), "errors.As")
				require.Equal(t, row.want, reason)
				require.Equal(t, row.want, auth.ReasonOf(err))
				require.Contains(t, err.Error(), string(row.want), "the log")
			}
		})
	}
	t.Run("FT8 several issuers", func(t *testing.T) {
		all := ringerrors.Must(token.ByIssuer(v))
		for text, want := range map[string]auth.Reason{
			strings.Repeat("a", 9<<10): token.ReasonSize, "a.b": token.ReasonParts, "a.!.c": token.ReasonEncoding, "a." + b64("x") + ".c": token.ReasonPayload,
			"a." + b64("{}") + ".c": token.ReasonIssuer, "a." + b64(`{"iss":"x"}`) + ".c": token.ReasonIssuer,
		} {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+text)
			_, err := all.Authenticate(r)
			require.Equal(t, want, auth.ReasonOf(err))
		}
	})
	t.Run("FT8 an error without a reason", func(t *testing.T) {
		for _, err := range []error{nil, auth.ErrMissing, io.EOF} {
			require.Empty(t, auth.ReasonOf(err))
		}
	})
	t.Run("FT8 a good token", func(t *testing.T) {
		_, err := v.Verify(t.Context(), sign(goodHeader().json(), goodClaims().json()))
		require.NoError(t, err)
	})
}

// OnEvent has the reason, and the client has none of it.
func TestReasonsStayInTheLog_FT8(t *testing.T) {
	var mu sync.Mutex
	var events []auth.Event
	callers := ringerrors.Must(auth.New(auth.Options{
		Authenticators: []auth.Authenticator{verifier(t, nil)},
		OnEvent: func(_ context.Context, e auth.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		},
	}))
	failures := ringerrors.Must(ringerrors.NewResponder(ringerrors.Options{Logger: slog.New(slog.DiscardHandler)}))
	srv := httptest.NewServer(failures.Handler(callers.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))))
	t.Cleanup(srv.Close)
	ask := func(t *testing.T, query string, lines ...string) (status int, challenge, body string, event auth.Event) {
		t.Helper()
		r, err := http.NewRequest("GET", srv.URL+"/"+query, nil)
		require.NoError(t, err)
		r.Header["Authorization"] = lines
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		mu.Lock()
		defer mu.Unlock()
		require.Len(t, events, 1)
		event, events = events[0], nil
		body, _, _ = strings.Cut(string(b), `,"correlation_id"`)
		return res.StatusCode, res.Header.Get("Www-Authenticate"), body, event
	}
	rows := refusals()
	delete(rows, "a line break") // net/http does not send it
	for name, row := range rows {
		t.Run("FT8 "+name, func(t *testing.T) {
			status, challenge, body, event := ask(t, "", "Bearer "+row.text)
			require.Equal(t, 401, status)
			require.Equal(t, `Bearer realm="api", error="invalid_token"`, challenge)
			want := `{"code":"auth_invalid","message":"` + auth.ErrInvalid.Message() + `"`
			if row.kind == auth.ErrExpired {
				want = `{"code":"auth_expired","message":"` + auth.ErrExpired.Message() + `"`
			}
			require.Equal(t, want, body)
			require.Equal(t, auth.CredentialRefused, event.Reason)
			require.Equal(t, row.want, event.Cause)
		})
	}
	good := "Bearer " + sign(goodHeader().json(), goodClaims().json())
	for name, row := range map[string]struct {
		query string
		lines []string
		want  auth.Reason
	}{
		"FT8 two headers":          {lines: []string{good, good}, want: token.ReasonRepeated},
		"FT8 two words":            {lines: []string{"Bearer a b"}, want: token.ReasonForm},
		"FT8 a token in the query": {query: "?access_token=x", lines: []string{good}, want: token.ReasonQuery},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, body, event := ask(t, row.query, row.lines...)
			require.Equal(t, 400, status)
			require.Equal(t, `{"code":"auth_malformed","message":"`+auth.ErrMalformed.Message()+`"`, body)
			require.Equal(t, row.want, event.Cause)
		})
	}
	t.Run("FT8 another scheme", func(t *testing.T) {
		_, _, _, event := ask(t, "", "Basic eDp5")
		require.Equal(t, auth.UnknownScheme, event.Cause)
	})
	t.Run("FT8 no credential", func(t *testing.T) {
		_, _, _, event := ask(t, "")
		require.Empty(t, event.Cause)
		require.ErrorIs(t, event.Err, auth.ErrMissing)
	})
}

// A flood of bad tokens makes no more garbage than the decoder does.
func TestRefusalsAllocateNothing_FT8(t *testing.T) {
	v := verifier(t, nil)
	for name, text := range map[string]string{"size": strings.Repeat("a", 9<<10), "parts": "a.b"} {
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = v.Verify(t.Context(), text) }), name)
	}
}
