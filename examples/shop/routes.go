package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// The inputs of the routes. A handler receives only values that satisfy the tags.
type (
	login struct {
		Email    string `json:"email" validate:"required,email,max=254"`
		Password string `json:"password" validate:"required,max=128"`
	}
	page struct {
		Limit int `query:"limit" validate:"min=1,max=100" default:"20"`
	}
	search struct {
		Q     string `query:"q" validate:"max=50"`
		Limit int    `query:"limit" validate:"min=1,max=100" default:"20"`
	}
	orderRef struct {
		ID string `path:"id" validate:"required,len=26,alphanum"`
	}
	changeOrder struct {
		ID   string `path:"id" validate:"required,len=26,alphanum"`
		Body struct {
			Note validate.Opt[string] `json:"note" validate:"max=500"`
		} `body:"json"`
	}
	sessionRef struct {
		ID string `path:"id" validate:"required,max=64"`
	}
)

func (s *service) routes(mux *http.ServeMux) {
	signedIn, readsOrders, writesOrders := auth.Require(), auth.Require(auth.Scopes("orders:read")), auth.Require(auth.Scopes("orders:write"))
	admin := auth.Require(auth.Role("admin"), auth.MaxAuthAge(15*time.Minute))
	ref := errors.Must(validate.Input[orderRef]())
	change := errors.Must(validate.Input[changeOrder]())
	own := auth.Require(auth.Object(errNoOrder, s.loadOrder, ownsOrder))
	ownChanged := auth.Require(auth.Object(errNoOrder, s.loadChanged, ownsOrder))
	anybodys := auth.Require(auth.Object(errNoOrder, s.loadOrder, anyOrder))

	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { _ = write(w, 200, map[string]string{"status": "ok"}) })
	mux.Handle("GET /readyz", errors.HandlerFunc(s.readyz))
	mux.Handle("GET /products", errors.Must(validate.Handle(s.listProducts)))
	mux.Handle("GET /products/{sku}/picture", errors.Must(validate.Handle(s.showPicture)))
	mux.Handle("PUT /products/{sku}/picture", admin(errors.Must(validate.Handle(s.putPicture, validate.Options{Limits: pictureLimits}))))
	mux.Handle("GET /.well-known/jwks.json", s.keys.JWKS())

	mux.Handle("POST /auth/login", errors.Must(validate.Handle(s.login)))
	mux.Handle("/auth/refresh", s.sessions.Refresh())
	mux.Handle("/auth/logout", s.sessions.Logout())
	mux.Handle("GET /auth/sessions", signedIn(errors.HandlerFunc(s.listSessions)))
	mux.Handle("DELETE /auth/sessions/{id}", signedIn(errors.Must(validate.Handle(s.endSession))))
	mux.Handle("POST /auth/logout-all", signedIn(errors.HandlerFunc(s.logoutAll)))

	mux.Handle("GET /me", signedIn(errors.HandlerFunc(me)))
	mux.Handle("GET /orders", readsOrders(errors.Must(validate.Handle(s.listOrders))))
	mux.Handle("POST /orders", writesOrders(errors.Must(validate.Handle(s.placeOrder, orderOptions))))
	mux.Handle("GET /orders/{id}", readsOrders(ref(own(errors.HandlerFunc(showOrder)))))
	mux.Handle("PATCH /orders/{id}", writesOrders(change(ownChanged(errors.HandlerFunc(s.changeOrder)))))
	mux.Handle("POST /events/ticket", readsOrders(errors.HandlerFunc(s.giveTicket)))
	mux.Handle("GET /events", readsOrders(errors.HandlerFunc(s.events)))
	mux.Handle("GET /socket", readsOrders(errors.HandlerFunc(s.socket)))
	stock := auth.Require(auth.CallerTypes(auth.Program), auth.Scopes("stock:read"))
	mux.Handle("GET /partner/stock", stock(errors.HandlerFunc(listStock)))
	mux.Handle("POST /partner/keys/rotate", auth.Require(auth.CallerTypes(auth.Program))(errors.HandlerFunc(s.rotateKey)))
	mux.Handle("POST /admin/refund/{id}", admin(ref(anybodys(errors.HandlerFunc(s.refund)))))
}

var errNotReady = errors.Define(503, "not_ready", "The shop is not ready. Try again later.")

// readyz responds with 503 while Redis is unavailable, so that a load balancer avoids this
// shop. /healthz stays 200, because a restart would not help. The Redis of the limits is not
// checked, because without it each shop counts alone.
func (s *service) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := errors.Join(s.ready(r.Context()), s.revoked.Ready(r.Context())); err != nil {
		return errNotReady.Wrap(err).Header("Retry-After", "1")
	}
	return write(w, 200, map[string]string{"status": "ready"})
}

func write(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}

func (s *service) listProducts(w http.ResponseWriter, r *http.Request, in *search) error {
	found := []product{}
	for _, p := range products {
		if strings.Contains(strings.ToLower(p.Name), strings.ToLower(in.Q)) && len(found) < in.Limit {
			var err error
			if p.Alt, err = s.pictures.alt(r.Context(), p.SKU); err != nil {
				return err
			}
			if p.Alt != "" {
				p.Picture = "/products/" + p.SKU + "/picture"
			}
			found = append(found, p)
		}
	}
	return write(w, 200, map[string]any{"products": found})
}

func (s *service) login(w http.ResponseWriter, r *http.Request, in *login) error {
	email := strings.ToLower(in.Email)
	try, err := s.accounts.Take(r.Context(), "account", email, 1)
	if err != nil {
		return err
	}
	begun := time.Now() // a change of the password after this ends the new session too
	account, err := s.users.check(email, in.Password)
	if err == nil || errors.Is(err, errBusy) {
		try.Refund(r.Context()) // only failures count
	}
	if err != nil {
		return err
	}
	tokens, err := s.sessions.Login(w, r, session.Session{Subject: account.id, Scope: account.scope, Roles: account.roles, AuthTime: begun})
	if err != nil {
		return err
	}
	return write(w, 200, tokens)
}

func (s *service) listSessions(w http.ResponseWriter, r *http.Request) error {
	p, _ := auth.From(r.Context())
	list, err := s.sessions.List(r.Context(), p.Subject())
	if err != nil {
		return err
	}
	type device struct {
		ID       string    `json:"id"`
		Current  bool      `json:"current"`
		Agent    string    `json:"user_agent"`
		LastUsed time.Time `json:"last_used"`
	}
	devices := []device{}
	for _, one := range list {
		devices = append(devices, device{one.ID, one.ID == p.SessionID(), one.Client.UserAgent, one.LastUsed})
	}
	return write(w, 200, map[string]any{"sessions": devices})
}

func (s *service) endSession(w http.ResponseWriter, r *http.Request, in *sessionRef) error {
	p, _ := auth.From(r.Context())
	if err := s.sessions.Revoke(r.Context(), p.Subject(), in.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *service) logoutAll(w http.ResponseWriter, r *http.Request) error {
	p, _ := auth.From(r.Context())
	if err := s.sessions.RevokeAll(r.Context(), p.Subject()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func me(w http.ResponseWriter, r *http.Request) error {
	p, _ := auth.From(r.Context())
	return write(w, 200, map[string]any{"subject": p.Subject(), "scopes": p.Scope()})
}

func (s *service) listOrders(w http.ResponseWriter, r *http.Request, in *page) error {
	p, _ := auth.From(r.Context())
	own, err := s.orders.of(r.Context(), p.Subject(), in.Limit)
	if err != nil {
		return err
	}
	return write(w, 200, map[string]any{"orders": own})
}

func (s *service) placeOrder(w http.ResponseWriter, r *http.Request, in *newOrder) error {
	p, _ := auth.From(r.Context())
	// The tag of SKU checks its form. It cannot check whether the product exists.
	if slices.ContainsFunc(in.Items, func(item orderItem) bool { return !known(item.SKU) }) {
		return errNotSold
	}
	placed, err := s.orders.add(r.Context(), p.Subject(), *in)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/orders/"+placed.ID)
	return write(w, 201, placed)
}

func (s *service) loadOrder(r *http.Request) (order, error) {
	return s.orders.find(r.Context(), validate.From[orderRef](r.Context()).ID)
}

func (s *service) loadChanged(r *http.Request) (order, error) {
	return s.orders.find(r.Context(), validate.From[changeOrder](r.Context()).ID)
}

func ownsOrder(_ context.Context, p *auth.Principal, o order) bool { return o.Owner == p.Subject() }

// anyOrder allows access to the orders of all owners. Its route requires the role admin.
func anyOrder(context.Context, *auth.Principal, order) bool { return true }

func showOrder(w http.ResponseWriter, r *http.Request) error {
	o, _ := auth.ObjectFrom[order](r.Context())
	return write(w, 200, o)
}

// changeOrder applies a merge patch (RFC 7396): an absent note stays, and null removes it.
// The write checks the owner again (ASVS 5.0 15.4.2).
func (s *service) changeOrder(w http.ResponseWriter, r *http.Request) error {
	p, _ := auth.From(r.Context())
	in := validate.From[changeOrder](r.Context())
	changed, err := s.orders.change(r.Context(), in.ID, func(o *order) error {
		if !ownsOrder(r.Context(), p, *o) {
			return errNoOrder
		}
		if in.Body.Note.Set {
			o.Note = in.Body.Note.Value
		}
		return nil
	})
	if err != nil {
		return err
	}
	return write(w, 200, changed)
}

func (s *service) refund(w http.ResponseWriter, r *http.Request) error {
	o, _ := auth.ObjectFrom[order](r.Context())
	refunded, err := s.orders.change(r.Context(), o.ID, func(o *order) error {
		if o.Refunded {
			return errRefunded
		}
		o.Refunded = true
		return nil
	})
	if err != nil {
		return err
	}
	return write(w, 200, map[string]any{"id": refunded.ID, "refunded": refunded.Refunded})
}

func listStock(w http.ResponseWriter, r *http.Request) error {
	stock := make(map[string]int)
	for i, p := range products {
		stock[p.SKU] = 10 * (i + 1)
	}
	return write(w, 200, map[string]any{"stock": stock})
}

// rotateKey creates a new secret for the caller's API key. The old secret works until a day
// after the first use of the new one.
func (s *service) rotateKey(w http.ResponseWriter, r *http.Request) error {
	p, _ := auth.From(r.Context())
	text, err := s.partners.Rotate(r.Context(), p.CredentialID())
	if err != nil {
		return err
	}
	return write(w, 200, map[string]string{"api_key": text})
}

// demoRoutes adds two handlers with mistakes that clients do not see.
func demoRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /boom", func(http.ResponseWriter, *http.Request) { panic("index out of range [7] in orders.go") })
	mux.HandleFunc("GET /leak", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "pq: relation \"users\" does not exist at 10.0.0.7:5432", http.StatusInternalServerError)
	})
}
