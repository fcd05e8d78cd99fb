package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

func get(h http.Handler, target, token string) {
	r := httptest.NewRequest("GET", target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, _, _ := strings.Cut(w.Body.String(), `,"correlation_id"`)
	fmt.Println(w.Code, body)
}

// Authentication wraps the router; authorization stands at the route.
func Example() {
	callers := errors.Must(auth.New(auth.Options{
		Authenticators: []auth.Authenticator{bearer}, // a *token.Verifier, for instance
		Public:         []string{"GET /healthz"},
	}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })
	mux.Handle("GET /orders", auth.Require(auth.Scopes("orders:read"))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := auth.From(r.Context())
		fmt.Fprint(w, "orders of ", p.Subject())
	})))
	handler := callers.Handler(mux)

	get(handler, "/healthz", "")
	get(handler, "/orders", "")
	get(handler, "/orders", "ada")
	// Output:
	// 200 ok
	// 401 {"code":"auth_required","message":"This request needs credentials."
	// 200 orders of ada
}

// The classic mistake: a route that asks who is calling, and not whether the
// object is theirs (OWASP API1:2023).
func Example_incorrect() {
	type Invoice struct{ Number, Owner string }
	invoices := map[string]Invoice{"7": {"7", "eve"}}
	noInvoice := errors.Define(404, "invoice_not_found", "No such invoice.")

	wrong := auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, invoices[r.PathValue("id")])
	}))
	right := auth.Require(auth.Object(noInvoice,
		func(r *http.Request) (Invoice, error) {
			invoice, ok := invoices[r.PathValue("id")]
			if !ok {
				return Invoice{}, noInvoice
			}
			return invoice, nil
		},
		func(_ context.Context, p *auth.Principal, i Invoice) bool { return i.Owner == p.Subject() },
	))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		invoice, _ := auth.ObjectFrom[Invoice](r.Context())
		fmt.Fprint(w, invoice)
	}))

	mux := http.NewServeMux()
	mux.Handle("GET /wrong/{id}", wrong)
	mux.Handle("GET /right/{id}", right)
	handler := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{bearer}})).Handler(mux)
	get(handler, "/wrong/7", "ada")
	get(handler, "/right/7", "ada")
	get(handler, "/right/7", "eve")
	// Output:
	// 200 {7 eve}
	// 404 {"code":"invoice_not_found","message":"No such invoice."
	// 200 {7 eve}
}
