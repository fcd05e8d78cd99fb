package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

var (
	errNoOrder = errors.Define(404, "order_not_found", "No such order.")
	errFull    = errors.Define(507, "orders_full", "No more orders are accepted right now.")
)

// newOrder is the body of POST /orders.
type newOrder struct {
	SKU  string `json:"sku" validate:"required,alphanum,max=32"`
	Qty  int    `json:"qty" validate:"min=1,max=10"`
	Note string `json:"note" validate:"max=500"`
}

type orderRef struct {
	ID string `path:"id" validate:"required,len=26,alphanum"`
}

type order struct {
	ID    string `json:"id"`
	Owner string `json:"-"`
	newOrder
}

// orders are kept in memory. A real service keeps them in its database.
type orders struct {
	mu   sync.Mutex
	byID map[string]order
}

func (o *orders) place(w http.ResponseWriter, r *http.Request, in *newOrder) error {
	p, _ := auth.From(r.Context())
	placed := order{ID: rand.Text(), Owner: p.Subject(), newOrder: *in}
	if !o.add(placed) {
		return errFull
	}
	w.Header().Set("Location", "/orders/"+placed.ID)
	return write(w, http.StatusCreated, placed)
}

func (o *orders) add(placed order) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byID == nil {
		o.byID = make(map[string]order)
	}
	if len(o.byID) >= 10_000 {
		return false
	}
	o.byID[placed.ID] = placed
	return true
}

// load finds the order that the checked path names.
func (o *orders) load(r *http.Request) (order, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, ok := o.byID[validate.From[orderRef](r.Context()).ID]
	if !ok {
		return order{}, errNoOrder
	}
	return found, nil
}

func isOwner(_ context.Context, p *auth.Principal, o order) bool { return o.Owner == p.Subject() }

// show responds with the order that own has checked, because a second load may
// find another one.
func show(w http.ResponseWriter, r *http.Request) error {
	o, _ := auth.ObjectFrom[order](r.Context())
	return write(w, http.StatusOK, o)
}

func write(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}
