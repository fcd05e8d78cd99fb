package cors_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
)

func Example() {
	origins := errors.Must(cors.New(cors.Options{
		Origins:     []string{"https://app.example.com"},
		Credentials: true,
		Methods:     []string{"DELETE"},
		Headers:     []string{"Authorization"},
	}))
	mux := http.NewServeMux()
	mux.HandleFunc("DELETE /orders/{id}", func(w http.ResponseWriter, r *http.Request) { fmt.Println("deleted", r.PathValue("id")) })
	handler := origins.Handler(mux)

	for _, origin := range []string{"https://app.example.com", "https://evil.example"} {
		preflight := httptest.NewRequest("OPTIONS", "/orders/7", nil)
		preflight.Header.Set("Origin", origin)
		preflight.Header.Set("Access-Control-Request-Method", "DELETE")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, preflight)
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("Access-Control-Allow-Methods"))

		remove := httptest.NewRequest("DELETE", "/orders/7", nil)
		remove.Header.Set("Origin", origin)
		w = httptest.NewRecorder()
		handler.ServeHTTP(w, remove)
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("Access-Control-Allow-Origin"))
	}
	// Output:
	// 204 "DELETE"
	// deleted 7
	// 200 "https://app.example.com"
	// 403 ""
	// 403 ""
}

// A common mistake is cors inside of authentication. A preflight has no
// credentials, so it is refused, and the page cannot send its request.
func Example_incorrect() {
	origins := errors.Must(cors.New(cors.Options{Origins: []string{"https://app.example.com"}, Headers: []string{"Authorization"}}))
	authenticate := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	preflight := httptest.NewRequest("OPTIONS", "/me", nil)
	preflight.Header.Set("Origin", "https://app.example.com")
	preflight.Header.Set("Access-Control-Request-Method", "GET")
	preflight.Header.Set("Access-Control-Request-Headers", "authorization")

	w := httptest.NewRecorder()
	authenticate(origins.Handler(http.NotFoundHandler())).ServeHTTP(w, preflight)
	fmt.Println("wrong:", w.Code)
	w = httptest.NewRecorder()
	origins.Handler(authenticate(http.NotFoundHandler())).ServeHTTP(w, preflight)
	fmt.Println("right:", w.Code)
	// Output:
	// wrong: 401
	// right: 204
}
