package redislimit_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

// Nothing listens at this address: the limits hold nevertheless, within this
// process.
func ExampleNew() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1})
	defer func() { _ = client.Close() }()
	store := errors.Must(redislimit.New(client, redislimit.Options{Secret: []byte("32 bytes of crypto/rand, not this")}))
	limits := errors.Must(ratelimit.New(ratelimit.Options{Store: store, Tiers: []ratelimit.Tier{
		{Name: "all", Limits: []ratelimit.Limit{{Requests: 2, Window: time.Hour}}},
	}}))
	handler := limits.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for range 3 {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 200
	// 429
}

// The classic mistake: no secret, so that a reader of Redis finds the addresses
// of all clients by trying them.
func Example_incorrect() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer func() { _ = client.Close() }()
	_, err := redislimit.New(client, redislimit.Options{})
	fmt.Println(err)
	// Output: redislimit: Secret: has 0 bytes; the minimum is 16; did you mean 32 bytes of crypto/rand?
}
