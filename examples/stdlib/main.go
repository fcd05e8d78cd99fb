// Stdlib is a small service with every ring around http.ServeMux.
//
//	go run ./examples/stdlib
package main

import (
	"log"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/validate"
)

const self, page = "http://127.0.0.1:8081", "http://localhost:3000"

var (
	errCredentials = errors.Define(401, "bad_credentials", "Name or password are wrong.")
	errNoNote      = errors.Define(404, "note_not_found", "No such note.")
)

type login struct {
	Name     string `json:"name" validate:"required,alphanum,max=32"`
	Password string `json:"password" validate:"required,max=128"`
}

type noteRef struct {
	ID int `path:"id" validate:"min=1,max=1000000"`
}

type note struct {
	ID    int    `json:"id"`
	Owner string `json:"-"`
	Text  string `json:"text"`
}

var notes = []note{{1, "ada", "Buy a drawbridge."}, {2, "eve", "Find a ladder."}}

// handler builds the service. check tells whether a password is right.
func handler(check func(name, password string) bool) http.Handler {
	// Who is calling.
	keys := errors.Must(token.NewKeys(errors.Must(token.GenerateKey(token.Schedule{}))))
	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: keys, Issuer: self, Audience: []string{"notes"}}))
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Issuer: self, Audience: []string{"notes"}}))

	// The rings, from the outside in.
	failures := errors.Must(errors.NewResponder(errors.Options{}))
	secure := errors.Must(headers.New(headers.Options{InsecureAllowHTTP: true})) // on this machine alone
	origins := errors.Must(cors.New(cors.Options{Origins: []string{page}, Headers: []string{"Authorization", "Content-Type"}}))
	limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "login", Routes: []string{"POST /login"}, Limits: ratelimit.Login()},
		{Name: "reads", Routes: []string{"GET /"}, Limits: ratelimit.Reads()},
		{Name: "writes", Limits: ratelimit.Writes()}, // all the rest
	}}))
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens}, Public: []string{"POST /login"}}))

	// The routes.
	signIn := errors.Must(validate.Handle(func(w http.ResponseWriter, r *http.Request, in *login) error {
		if !check(in.Name, in.Password) {
			return errCredentials
		}
		text, _, err := issuer.Issue(r.Context(), token.Grant{Subject: in.Name, Scope: []string{"notes:read"}, AuthTime: time.Now()})
		if err != nil {
			return err
		}
		return write(w, map[string]string{"access_token": text, "token_type": "Bearer"})
	}))
	show := errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		n, _ := auth.ObjectFrom[note](r.Context())
		return write(w, n)
	})
	reads := auth.Require(auth.Scopes("notes:read"))
	ref := errors.Must(validate.Input[noteRef]())
	own := auth.Require(auth.Object(errNoNote, load, owns))

	mux := http.NewServeMux()
	mux.Handle("POST /login", signIn)
	mux.Handle("GET /notes/{id}", reads(ref(own(show))))
	return failures.Handler(secure.Handler(origins.Handler(limits.Handler(callers.Handler(mux)))))
}

func main() {
	srv := &http.Server{
		Addr: "127.0.0.1:8081", Handler: handler(func(name, password string) bool { return name == "ada" && password == "drawbridge" }),
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
	log.Println("try: curl -d '{\"name\":\"ada\",\"password\":\"drawbridge\"}' -H 'Content-Type: application/json' " + self + "/login")
	log.Fatal(srv.ListenAndServe())
}
