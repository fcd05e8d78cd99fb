package token_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/token"
)

const (
	digits  = "0123456789"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	symbols = "!#$%&()*+,-./:;<=>?@[]^_{|}~"
)

// Secrets of a generator are taken, in each alphabet that generators use. The
// source of randomness is fixed, so that the result is the same in each run.
func TestRandomSecretsAreTaken_FT6(t *testing.T) {
	source := rand.NewChaCha8([32]byte{6})
	random := rand.New(source)
	from := func(alphabet string, n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return b
	}
	raw := func(n int) []byte {
		b := make([]byte, n)
		_, _ = source.Read(b)
		return b
	}
	for name, row := range map[string]struct {
		alg  token.Alg
		make func() []byte
	}{
		"FT6 32 letters and digits":          {alg: token.HS256, make: func() []byte { return from(lower+upper+digits, 32) }},
		"FT6 40 letters and digits":          {alg: token.HS256, make: func() []byte { return from(lower+upper+digits, 40) }},
		"FT6 40 small letters and digits":    {alg: token.HS256, make: func() []byte { return from(lower+digits, 40) }},
		"FT6 32 letters, digits and symbols": {alg: token.HS256, make: func() []byte { return from(lower+upper+digits+symbols, 32) }},
		"FT6 32 bytes":                       {alg: token.HS256, make: func() []byte { return raw(32) }},
		"FT6 32 bytes in hex":                {alg: token.HS256, make: func() []byte { return []byte(hex.EncodeToString(raw(32))) }},
		"FT6 32 bytes in base32":             {alg: token.HS256, make: func() []byte { return []byte(base32.StdEncoding.EncodeToString(raw(32))) }},
		"FT6 two UUIDs": {alg: token.HS256, make: func() []byte {
			b := raw(32)
			return fmt.Appendf(nil, "%x-%x-%x-%x-%x-%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16], b[16:20], b[20:22], b[22:24], b[24:26], b[26:])
		}},
		"FT6 24 bytes in base64":                      {alg: token.HS256, make: func() []byte { return []byte(base64.StdEncoding.EncodeToString(raw(24))) }},
		"FT6 32 bytes in base64":                      {alg: token.HS256, make: func() []byte { return []byte(base64.RawURLEncoding.EncodeToString(raw(32))) }},
		"FT6 48 letters and digits for HS384":         {alg: token.HS384, make: func() []byte { return from(lower+upper+digits, 48) }},
		"FT6 48 small letters and digits for HS384":   {alg: token.HS384, make: func() []byte { return from(lower+digits, 48) }},
		"FT6 64 letters and digits for HS512":         {alg: token.HS512, make: func() []byte { return from(lower+upper+digits, 64) }},
		"FT6 64 capital letters and digits for HS512": {alg: token.HS512, make: func() []byte { return from(upper+digits, 64) }},
		"FT6 64 bytes for HS512":                      {alg: token.HS512, make: func() []byte { return raw(64) }},
		"FT6 64 bytes in hex for HS512":               {alg: token.HS512, make: func() []byte { return []byte(hex.EncodeToString(raw(64))) }},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2000 {
				secret := row.make()
				_, err := token.NewSecret("k", row.alg, secret)
				require.NoError(t, err, "%q", secret)
			}
		})
	}
}

// Secrets that a person types are refused, however many characters they have.
func TestTypedSecretsAreRefused_FT6(t *testing.T) {
	for name, secret := range map[string]string{
		"FT6 a sentence":                          "this is my very secret signing key!!",
		"FT6 a sentence with a number":            "My secret key for JWT tokens in 2026",
		"FT6 a sentence without blanks":           "thisismyverysecretsigningkeyforjwts",
		"FT6 a sentence with dashes":              "this-is-my-very-secret-signing-key-x",
		"FT6 the secret of a tutorial":            "a-string-secret-at-least-256-bits-long",
		"FT6 the secret of a template":            "your-super-secret-jwt-token-with-at-least-32-characters-long",
		"FT6 a long sentence":                     "this is my very secret signing key for the tokens of 2026",
		"FT6 words with underscores":              "MY_VERY_SECRET_SIGNING_KEY_2026_PRODUCTION",
		"FT6 a UUID, which has 122 bits":          "8f14e45f-ceea-467f-9575-1e0a3d0c8b9a",
		"FT6 capitals alone":                      "THISISMYVERYSECRETSIGNINGKEYFORJWTS",
		"FT6 a keyboard":                          "qwertyuiopasdfghjklzxcvbnmqwertyuiop",
		"FT6 the alphabet":                        lower + lower,
		"FT6 the alphabet and digits":             lower + digits,
		"FT6 digits and the alphabet":             digits + lower + upper,
		"FT6 digits, again and again":             strings.Repeat(digits, 4),
		"FT6 an alphabet downwards":               "zyxwvutsrqponmlkjihgfedcba9876543210",
		"FT6 a word, again and again":             strings.Repeat("Secret1!", 6),
		"FT6 changeme":                            strings.Repeat("changeme", 8),
		"FT6 one character":                       strings.Repeat("x", 64),
		"FT6 16 bytes in hex, which are 128 bits": "0f8e1d7c2b6a5948372615043f2e1d0c",
		"FT6 bytes that count":                    string([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31}),
		"FT6 zeros":                               string(make([]byte, 32)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := token.NewSecret("k", token.HS256, []byte(secret))
			require.EqualError(t, err, `token: key "k": the secret does not look random; take 32 bytes from crypto/rand`)
		})
	}
}
