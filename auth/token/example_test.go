package token_test

import (
	"context"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

func Example() {
	keys := errors.Must(token.NewKeys(errors.Must(token.GenerateKey())))
	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: keys, Issuer: "https://api.example.com", Audience: []string{"api"}}))
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Issuer: "https://api.example.com", Audience: []string{"api"}}))

	ctx := context.Background()
	text, expires, err := issuer.Issue(ctx, token.Grant{Subject: "ada", Scope: []string{"orders:read"}})
	fmt.Println(err, time.Until(expires) > 4*time.Minute)
	p, err := tokens.Verify(ctx, text)
	fmt.Println(err, p, p.Scope())
	_, err = tokens.Verify(ctx, text[:len(text)-2])
	fmt.Println(errors.Is(err, auth.ErrInvalid))
	// Output:
	// <nil> true
	// <nil> person ada [orders:read]
	// true
}

// The classic mistake: a verifier that takes any token that our issuer signed.
// Here it is one for another audience, and of another type.
func Example_incorrect() {
	secret := material().secret
	foreign, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": "https://api.example.com", "aud": "newsletter", "sub": "ada", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	}).SignedString(secret)

	_, err := jwt.Parse(foreign, func(*jwt.Token) (any, error) { return secret, nil })
	fmt.Println("wrong:", err)

	keys := errors.Must(token.NewKeys(errors.Must(token.NewSecret("2026", token.HS256, secret))))
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Issuer: "https://api.example.com", Audience: []string{"api"}}))
	_, err = tokens.Verify(context.Background(), foreign)
	fmt.Println("right:", errors.Is(err, auth.ErrInvalid))
	// Output:
	// wrong: <nil>
	// right: true
}
