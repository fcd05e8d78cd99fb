package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

var (
	errNoOrder  = errors.Define(404, "order_not_found", "No such order.")
	errRefunded = errors.Define(409, "order_refunded", "The order was already refunded.")
	errNotSold  = errors.Define(422, "product_unknown", "The order contains a product that is not sold here.")
)

// A product is sold by the shop.
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

// orderOptions defines the pattern postcode: words of letters and digits, with one space
// or hyphen between two, as in "N1 9GU", "1012 AB" and "12345-6789". The rule alphanum would
// refuse most postcodes.
var orderOptions = validate.Options{Patterns: map[string]string{"postcode": "[A-Za-z0-9]+([ -][A-Za-z0-9]+)*"}}

type address struct {
	Name     string `json:"name" validate:"required,max=100"`
	Street   string `json:"street" validate:"required,max=100"`
	City     string `json:"city" validate:"required,max=100"`
	Postcode string `json:"postcode" validate:"omitempty,max=10,pattern=postcode"` // Hong Kong has no postcodes
	Country  string `json:"country" validate:"required,len=2,alpha"`
}

// An order is a stored order.
type order struct {
	ID       string `json:"id"`
	Owner    string `json:"-"`
	Refunded bool   `json:"refunded"`
	newOrder
}

// onShelf is an order with its owner. No response contains the owner.
type onShelf struct {
	Owner string `json:"owner"`
	Order order  `json:"order"`
}

// orders stores the last 1000 orders of each owner.
type orders struct{ shelf shelf }

const keptOrders = 1000

func (o orders) add(ctx context.Context, owner string, in newOrder) (order, error) {
	placed := order{ID: rand.Text(), Owner: owner, newOrder: in}
	key := "order:" + placed.ID
	err := o.shelf.update(ctx, key, func([]byte) ([]byte, error) { return json.Marshal(onShelf{owner, placed}) })
	if err != nil {
		return order{}, err
	}
	return placed, o.shelf.list(ctx, "orders:"+owner, key, keptOrders)
}

func (o orders) find(ctx context.Context, id string) (order, error) {
	content, err := o.shelf.get(ctx, "order:"+id)
	if err != nil {
		return order{}, err
	}
	return unpack(content)
}

func unpack(content []byte) (order, error) {
	if content == nil {
		return order{}, errNoOrder
	}
	var stored onShelf
	if err := json.Unmarshal(content, &stored); err != nil {
		return order{}, fmt.Errorf("read order: %w", err)
	}
	stored.Order.Owner = stored.Owner
	return stored.Order, nil
}

// of returns the orders of an owner, the newest first.
func (o orders) of(ctx context.Context, owner string, limit int) ([]order, error) {
	keys, err := o.shelf.head(ctx, "orders:"+owner, limit)
	if err != nil {
		return nil, err
	}
	own := []order{}
	for _, key := range keys {
		found, err := o.find(ctx, strings.TrimPrefix(key, "order:"))
		if errors.Is(err, errNoOrder) {
			continue // deleted since the list was read
		}
		if err != nil {
			return nil, err
		}
		own = append(own, found)
	}
	return own, nil
}

// change changes an order in one step, unless f returns an error. No other change happens
// between the check of f and the write.
func (o orders) change(ctx context.Context, id string, f func(*order) error) (order, error) {
	var changed order
	err := o.shelf.update(ctx, "order:"+id, func(content []byte) (_ []byte, err error) {
		if changed, err = unpack(content); err != nil {
			return nil, err
		}
		if err := f(&changed); err != nil {
			return nil, err
		}
		return json.Marshal(onShelf{changed.Owner, changed})
	})
	if err != nil {
		return order{}, err
	}
	return changed, nil
}
