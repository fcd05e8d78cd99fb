package main

import (
	"crypto/rand"
	"slices"
	"sync"

	"github.com/ringwall/ringwall/errors"
)

var errNoOrder = errors.Define(404, "order_not_found", "No such order.")

// product is what the shop sells.
type product struct {
	SKU     string `json:"sku"`
	Name    string `json:"name"`
	Picture string `json:"picture,omitempty"`
	Alt     string `json:"alt,omitempty"`
}

var products = []product{{SKU: "RAM1", Name: "Rampart"}, {SKU: "GAT1", Name: "Gate"}, {SKU: "TOW1", Name: "Tower"}, {SKU: "MOA1", Name: "Moat"}}

// newOrder is the body of POST /orders.
type newOrder struct {
	Items  []orderItem `json:"items" validate:"required,min=1,max=50"`
	Note   string      `json:"note" validate:"max=500"`
	ShipTo address     `json:"ship_to"`
}

type orderItem struct {
	SKU string `json:"sku" validate:"required,alphanum,max=32"`
	Qty int    `json:"qty" validate:"min=1,max=10"`
}

type address struct {
	Name     string `json:"name" validate:"required,max=100"`
	Street   string `json:"street" validate:"required,max=100"`
	City     string `json:"city" validate:"required,max=100"`
	Postcode string `json:"postcode" validate:"required,alphanum,max=10"`
	Country  string `json:"country" validate:"required,len=2,alpha"`
}

// order is a stored order.
type order struct {
	ID       string `json:"id"`
	Owner    string `json:"-"`
	Refunded bool   `json:"refunded"`
	newOrder
}

// orders are kept in memory, the last thousand of each owner.
type orders struct {
	mu   sync.Mutex
	list []order
}

const keptOrders = 1000

func (o *orders) add(owner string, in newOrder) order {
	placed := order{ID: rand.Text(), Owner: owner, newOrder: in}
	o.mu.Lock()
	defer o.mu.Unlock()
	own := 0
	for _, stored := range o.list {
		if stored.Owner == owner {
			own++
		}
	}
	if own >= keptOrders {
		i := slices.IndexFunc(o.list, func(stored order) bool { return stored.Owner == owner })
		o.list = slices.Delete(o.list, i, i+1)
	}
	o.list = append(o.list, placed)
	return placed
}

func (o *orders) find(id string) (order, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.list, func(stored order) bool { return stored.ID == id })
	if i < 0 {
		return order{}, errNoOrder
	}
	return o.list[i], nil
}

// of returns an owner's orders, the last ones first.
func (o *orders) of(owner string, limit int) []order {
	o.mu.Lock()
	defer o.mu.Unlock()
	own := []order{}
	for _, stored := range slices.Backward(o.list) {
		if stored.Owner == owner && len(own) < limit {
			own = append(own, stored)
		}
	}
	return own
}

// change changes an owner's order.
func (o *orders) change(id, owner string, f func(*order)) (order, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.list, func(stored order) bool { return stored.ID == id && stored.Owner == owner })
	if i < 0 {
		return order{}, errNoOrder
	}
	f(&o.list[i])
	return o.list[i], nil
}

func (o *orders) refund(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.list {
		if o.list[i].ID == id {
			o.list[i].Refunded = true
		}
	}
}
