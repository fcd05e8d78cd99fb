package token_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/token"
)

func TestUnusableKeysAreIgnored_TK7(t *testing.T) {
	good := jwkOf(t, token.EdDSA)
	rsa := jwkOf(t, token.RS256)
	ec := jwkOf(t, token.ES256)
	rows := map[string]object{
		"a secret":              {"kty": "oct", "kid": "x", "k": b64(strings.Repeat("x", 32)), "alg": "HS256"},
		"for encryption":        good.with(object{"kid": "x", "use": "enc"}),
		"use is a number":       good.with(object{"kid": "x", "use": 1}),
		"signs only":            good.with(object{"kid": "x", "key_ops": []string{"sign"}}),
		"key_ops is a text":     good.with(object{"kid": "x", "key_ops": "verify"}),
		"an unknown type":       {"kty": "AKP", "kid": "x", "alg": "ML-DSA-44", "pub": "AAAA"},
		"no type":               good.with(object{"kid": "x", "kty": nil}),
		"an unknown curve":      ec.with(object{"kid": "x", "crv": "secp256k1"}),
		"X25519":                good.with(object{"kid": "x", "crv": "X25519"}),
		"off the curve":         ec.with(object{"kid": "x", "x": ec["y"]}),
		"a short coordinate":    ec.with(object{"kid": "x", "x": "AAAA"}),
		"a short Ed25519 key":   good.with(object{"kid": "x", "x": "AAAA"}),
		"ES384 for P-256":       ec.with(object{"kid": "x", "alg": "ES384"}),
		"HS256 for Ed25519":     good.with(object{"kid": "x", "alg": "HS256"}),
		"none":                  good.with(object{"kid": "x", "alg": "none"}),
		"RSA of 1024 bits":      rsa.with(object{"kid": "x", "n": b64(strings.Repeat("\xff", 128))}),
		"RSA exponent 3":        rsa.with(object{"kid": "x", "e": "Aw"}),
		"RSA exponent of 5 GiB": rsa.with(object{"kid": "x", "e": b64("\x01\x00\x00\x00\x01")}),
		"RSA without a modulus": rsa.with(object{"kid": "x", "n": nil}),
		"not base64url":         rsa.with(object{"kid": "x", "n": "+/+/"}),
		"shown with its secret": ec.with(object{"kid": "x", "d": "AAAA"}),
		"no kid":                good.with(object{"kid": nil}),
		"kid is a number":       good.with(object{"kid": 7}),
		"a kid with a line":     good.with(object{"kid": "a\nb"}),
		"members of two cases":  good.with(object{"kid": "x", "KID": "y"}),
	}
	for name, odd := range rows {
		t.Run("TK7 "+name, func(t *testing.T) {
			p := newPublisher(t, says(200, object{"keys": []any{odd, good}, "x": 1}.json()))
			s := newRemoteService(t, p)
			require.Equal(t, 200, s.ask(token.EdDSA).StatusCode, "the others work")
			require.Equal(t, 1, s.told(token.KeyIgnored))
			require.Equal(t, 401, s.askAs(t.Context(), token.EdDSA, "x").StatusCode)
			s.pass(10 * time.Second)
			require.Equal(t, 401, s.askAs(t.Context(), token.EdDSA, "x").StatusCode)
			require.EqualValues(t, 3, p.fetches.Load(), "one for each unknown kid, ten seconds apart")
			require.Equal(t, 1, s.told(token.KeyIgnored), "once for each change")
		})
	}
	t.Run("TK7 one kid for two keys: neither counts", func(t *testing.T) {
		set := object{"keys": []any{good.with(object{"kid": "x"}), ec.with(object{"kid": "x"}), rsa.with(object{"kid": "x"}), good, 7}}
		s := newRemoteService(t, newPublisher(t, says(200, set.json())))
		require.Equal(t, 200, s.ask(token.EdDSA).StatusCode)
		require.Equal(t, 401, s.askAs(t.Context(), token.EdDSA, "x").StatusCode)
		require.Equal(t, 401, s.askAs(t.Context(), token.ES256, "x").StatusCode)
		require.Equal(t, 3, s.told(token.KeyIgnored))
	})
	t.Run("TK7 an alg that is not named is the curve's, or the option's", func(t *testing.T) {
		set := object{"keys": []any{ec.with(object{"alg": nil}), rsa.with(object{"alg": nil})}}
		s := newRemoteService(t, newPublisher(t, says(200, set.json())))
		require.Equal(t, 200, s.ask(token.ES256).StatusCode)
		require.Equal(t, 200, s.ask(token.RS256).StatusCode)
		require.Equal(t, 401, s.askAs(t.Context(), token.PS256, "RS256").StatusCode)
	})
}

// jwkOf returns the published form of a key.
func jwkOf(t *testing.T, alg token.Alg) object {
	t.Helper()
	w := httptest.NewRecorder()
	publishes(alg)(w, httptest.NewRequest("GET", "/", nil))
	var set struct {
		Keys []object `json:"keys"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &set))
	return set.Keys[0]
}

// The checks of an RSA key cost as the cube of its length: 100 keys of 8192 bits
// took 44 s of a processor if they were primes, and requests waited as long.
func TestKeysThatCostTooMuchToCheckAreRefused_FT2(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: checks costly RSA keys")
	}
	modulus := func(times int64) string {
		return b64(string(new(big.Int).Exp(material().rsa.N, big.NewInt(times), nil).Bytes()))
	}
	set := func(count int, times int64) http.HandlerFunc {
		list := make([]any, count, count+1)
		for i := range list {
			list[i] = jwkOf(t, token.RS256).with(object{"kid": fmt.Sprint("k", i), "n": modulus(times)})
		}
		return says(200, object{"keys": append(list, jwkOf(t, token.EdDSA))}.json())
	}
	for _, row := range []struct {
		name         string
		count        int
		times        int64
		status, fail int
	}{
		{name: "99 keys of 2048 bits", count: 99, times: 1, status: 200, fail: 0},
		{name: "42 keys of 4096 bits", count: 42, times: 2, status: 200, fail: 0},
		{name: "43 keys of 4096 bits", count: 43, times: 2, status: 503, fail: 1},
		{name: "99 keys of 8192 bits", count: 99, times: 4, status: 503, fail: 1},
		{name: "99 keys of 16384 bits, which cost nothing", count: 99, times: 8, status: 200, fail: 0},
	} {
		t.Run("FT2 "+row.name, func(t *testing.T) {
			s := newRemoteService(t, newPublisher(t, set(row.count, row.times)))
			require.Equal(t, row.status, s.ask(token.EdDSA).StatusCode)
			require.Equal(t, row.fail, s.told(token.FetchFailed))
			if row.fail > 0 {
				require.ErrorContains(t, s.events[0].Err, "the RSA keys of the set cost too much to check: more than 42 of 4096 bits do, or 5 of 8192")
			}
		})
	}
}
