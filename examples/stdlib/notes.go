package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/validate"
)

// load finds the note that the checked path names.
func load(r *http.Request) (note, error) {
	id := validate.From[noteRef](r).ID
	for _, n := range notes {
		if n.ID == id {
			return n, nil
		}
	}
	return note{}, errNoNote
}

func owns(_ context.Context, p *auth.Principal, n note) bool { return n.Owner == p.Subject() }

func write(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}
