package redisauth_test

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// nowhere is a client of a Redis that does not exist.
func nowhere() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
}

// If Redis does not reply, the response is a 503, and never a logout.
func ExampleNewSessionStore() {
	client := nowhere()
	defer func() { _ = client.Close() }()
	store := errors.Must(redisauth.NewSessionStore(client, redisauth.Options{Timeout: 100 * time.Millisecond}))
	manager := errors.Must(session.New(session.Options{
		Issue: issueAccess, Account: today, Revocations: errors.Must(auth.NewRevocations(auth.RevocationsOptions{})),
		Store: store, Keys: []session.Key{{ID: 1, Secret: []byte("32 bytes of the same random secret")}},
	}))
	_, err := manager.List(context.Background(), "ann")
	fmt.Println(errors.Is(err, auth.ErrUnavailable))
	fmt.Println(errors.Is(store.Ready(context.Background()), auth.ErrUnavailable))
	// Output:
	// true
	// true
}

func ExampleNewKeyStore() {
	client := nowhere()
	defer func() { _ = client.Close() }()
	store := errors.Must(redisauth.NewKeyStore(client, redisauth.Options{Timeout: 100 * time.Millisecond}))
	partners := errors.Must(apikey.New(apikey.Options{Prefix: "acme", Store: store, ClientIP: headers.PeerIP, Routes: []string{"/partner/"}}))
	_, _, err := partners.Create(context.Background(), apikey.Key{Name: "warehouse", Subject: "warehouse", Networks: nets("192.0.2.0/24")})
	fmt.Println(errors.Is(err, auth.ErrUnavailable))
	// Output: true
}

// A process that has not read the revocations refuses every token.
func ExampleRevocations() {
	client := nowhere()
	defer func() { _ = client.Close() }()
	feed := errors.Must(redisauth.NewRevocationFeed(client, redisauth.Options{}))
	revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: feed}))
	// go revoked.Run(ctx)
	fmt.Println(revoked.Check(context.Background(), "", "a session", "", time.Now()))
	// Output: auth_unavailable: Credentials cannot be checked at the moment. Try again later.
}

// The classic mistake: processes share the sessions, and each makes a key of
// its own, so that a token is good at one of them. New refuses it.
func Example_incorrect() {
	client := nowhere()
	defer func() { _ = client.Close() }()
	_, err := session.New(session.Options{
		Issue: issueAccess, Account: today, Revocations: errors.Must(auth.NewRevocations(auth.RevocationsOptions{})),
		Store: errors.Must(redisauth.NewSessionStore(client, redisauth.Options{})),
	})
	fmt.Println(err)
	// Output: session: Keys: must not be empty, because Store outlives the process; did you mean one key of 32 random bytes?
}

// issueAccess stands for the ForSession of a token.Issuer.
func issueAccess(context.Context, session.Session) (string, time.Time, error) {
	return "an access token", time.Now().Add(5 * time.Minute), nil
}

// today stands for a look into the table of accounts.
func today(_ context.Context, s session.Session) (session.Session, error) { return s, nil }
