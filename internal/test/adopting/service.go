// Package adopting has a service as teams write it without Ringwall, on chi, with 27 routes,
// and a record of requests to it. Its tests switch on one ring after the other: report-only,
// which changes no response, and enforced, which changes those that docs/adopting.md lists.
package adopting

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
)

// An article is what the service stores.
type article struct {
	Slug  string `json:"slug"`
	Title string `json:"title"`
	Body  string `json:"body"`
}

// NewService returns the service. It has no state, so that its responses can be compared.
func NewService() http.Handler {
	r := chi.NewRouter()
	r.Get("/healthz", text("ok"))
	r.Get("/metrics", text("requests_total 7\n"))
	r.Get("/version", text("1.2.3"))
	r.Get("/robots.txt", text("User-agent: *\n"))
	r.Post("/hooks/payment", echo)
	r.Post("/oidc/callback", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, withQuery("/", "state", r.PostFormValue("state")), http.StatusSeeOther)
	})
	r.Route("/api", func(r chi.Router) {
		r.Post("/users", register)
		r.Post("/users/login", text(`{"name":"ada"}`))
		r.Post("/users/refresh", text(`{"name":"ada"}`))
		r.Post("/users/logout", status(http.StatusNoContent))
		r.Get("/tags", text(`["go","http"]`))
		r.Get("/articles", list)
		r.Get("/articles/{slug}", show)
		r.Get("/articles/{slug}/comments", text(`[]`))
		r.Get("/profiles/{name}", text(`{"name":"ada"}`))
		r.Group(func(r chi.Router) {
			r.Use(ownAuth)
			r.Get("/user", text(`{"name":"ada"}`))
			r.Put("/user", text(`{"name":"ada"}`))
			r.Post("/articles", create)
			r.Put("/articles/{slug}", create)
			r.Delete("/articles/{slug}", status(http.StatusNoContent))
			r.Post("/articles/{slug}/comments", echo)
			r.Delete("/articles/{slug}/comments/{id}", status(http.StatusNoContent))
			r.Post("/articles/{slug}/favorite", status(http.StatusNoContent))
			r.Post("/profiles/{name}/follow", status(http.StatusNoContent))
			r.Post("/uploads", echo)
			r.Get("/stream", stream)
		})
	})
	r.Get("/images/{name}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = io.WriteString(w, "\x89PNG\r\n\x1a\n")
	})
	return r
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// fail writes an error in the service's own shape.
func fail(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body)
}

// echo writes the body back.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	_, _ = io.Copy(w, r.Body)
}

// ownAuth accepts the one token of the service, also in the query: EventSource cannot send a
// header.
func ownAuth(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if token == "" {
			token = r.URL.Query().Get("token")
		}
		if token != "good" {
			fail(w, http.StatusUnauthorized, `{"error":"log in first"}`)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func register(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name string }
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		http.Error(w, "the body is not JSON", http.StatusBadRequest)
		return
	}
	if in.Name == "ada" {
		http.Error(w, "the name is taken", http.StatusConflict) // the page shows this text
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, `{"name":%q}`, in.Name)
}

// create accepts names in any case and unknown members, as encoding/json does.
func create(w http.ResponseWriter, r *http.Request) {
	var in article
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Title == "" {
		fail(w, http.StatusUnprocessableEntity, `{"errors":{"title":["can't be empty"]}}`)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(in)
}

func list(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("limit") == "boom" {
		fail(w, http.StatusInternalServerError, `{"error":"pq: relation \"articles\" does not exist"}`)
		return
	}
	_ = json.NewEncoder(w).Encode([]article{{Slug: "a", Title: "A"}})
}

func show(w http.ResponseWriter, r *http.Request) {
	if chi.URLParam(r, "slug") != "a" {
		fail(w, http.StatusNotFound, `{"error":"no such article"}`)
		return
	}
	_ = json.NewEncoder(w).Encode(article{Slug: "a", Title: "A"})
}

func stream(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "data: hello\n\n")
}
