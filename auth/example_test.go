package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

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
	// 401 {"code":"auth_required","message":"Authentication is required."
	// 200 orders of ada
}

// Tokens that are taken back before their time, for one process. Several share
// a Feed, and start Run.
func ExampleNewRevocations() {
	revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
	ctx, now := context.Background(), time.Now()
	err := revoked.RevokeSession(ctx, "session-1", now.Add(5*time.Minute)) // its last token has expired by then
	fmt.Println(err)
	fmt.Println(revoked.Check(ctx, "token-1", "session-1", "ada", now))
	fmt.Println(revoked.Check(ctx, "token-2", "session-2", "ada", now))
	// Output:
	// <nil>
	// auth_revoked: The credentials have been revoked.
	// <nil>
}

// A principal, as an authenticator of one's own makes it.
func ExampleNewPrincipal() {
	p, err := auth.NewPrincipal(auth.Identity{CallerType: auth.Program, Subject: "billing", Scope: []string{"invoices:write"}})
	fmt.Println(p, p.HasScope("invoices:write"), err)
	_, err = auth.NewPrincipal(auth.Identity{Subject: "billing"})
	fmt.Println(err)
	// Output:
	// program billing true <nil>
	// auth: CallerType "": is unknown; did you mean auth.Person, auth.Program or auth.Unknown?
}

// What needs a login that is not long ago.
func ExampleMaxAuthAge() {
	pay := auth.Require(auth.MaxAuthAge(10 * time.Minute))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "paid") }))
	for _, login := range []time.Time{time.Now(), time.Now().Add(-time.Hour), {}} {
		p := errors.Must(auth.NewPrincipal(auth.Identity{CallerType: auth.Person, Subject: "ada", AuthTime: login}))
		r := httptest.NewRequest("POST", "/pay", nil)
		w := httptest.NewRecorder()
		pay.ServeHTTP(w, r.WithContext(auth.NewContext(r.Context(), p)))
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 401
	// 401
}

// The classic mistake: a route that authenticates the caller, and does not check
// whether the object is theirs (OWASP API1:2023).
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
