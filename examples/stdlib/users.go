package main

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

var (
	errCredentials = errors.Define(401, "bad_credentials", "The email address or password is wrong.")
	errBusy        = errors.Define(503, "login_busy", "Too many logins at once. Try again in a moment.")
)

// credentials is the body of POST /auth/login.
type credentials struct {
	Email    string `json:"email" validate:"required,email,max=254"`
	Password string `json:"password" validate:"required,max=128"`
}

// users has the accounts. A real service keeps them in its database.
type users struct {
	accounts map[string]account // by e-mail address
	nobody   account            // compared for unknown addresses, so that they take as long
	hashing  chan struct{}      // limits the concurrent hashes
}

type account struct {
	subject    string
	scope      []string
	salt, hash []byte
}

const demoPassword = "correct horse battery staple" // of the demo

func newUsers() *users {
	return &users{
		accounts: map[string]account{
			"ada@example.com": newAccount("ada", demoPassword, "orders:read", "orders:write"),
			"eve@example.com": newAccount("eve", demoPassword, "orders:read"),
		},
		nobody:  newAccount("", rand.Text()),
		hashing: make(chan struct{}, 4),
	}
}

func newAccount(subject, password string, scope ...string) account {
	salt := []byte(rand.Text())
	return account{subject, scope, salt, hash(password, salt)}
}

// hash has the number of rounds that OWASP recommends for PBKDF2 with SHA-512.
func hash(password string, salt []byte) []byte {
	return errors.Must(pbkdf2.Key(sha512.New, password, salt, 210_000, sha512.Size))
}

// check takes the same time whether or not the account exists. If four hashes are running,
// it returns errBusy instead of waiting.
func (u *users) check(email, password string) (account, error) {
	select {
	case u.hashing <- struct{}{}:
		defer func() { <-u.hashing }()
	default:
		return account{}, errBusy.Header("Retry-After", "1")
	}
	a, known := u.accounts[email]
	if !known {
		a = u.nobody
	}
	if same := subtle.ConstantTimeCompare(hash(password, a.salt), a.hash) == 1; !known || !same {
		return account{}, errCredentials
	}
	return a, nil
}

// login responds with an access token, and sets the refresh cookie. An account
// accepts 10 failures in 15 minutes, from all addresses together.
func (u *users) login(sessions *session.Manager, failed *ratelimit.Limiter) func(http.ResponseWriter, *http.Request, *credentials) error {
	return func(w http.ResponseWriter, r *http.Request, in *credentials) error {
		email := strings.ToLower(in.Email)
		try, err := failed.Take(r.Context(), "account", email, 1)
		if err != nil {
			return err
		}
		begun := time.Now() // a change of the password after this ends the new session too
		a, err := u.check(email, in.Password)
		if err == nil || errors.Is(err, errBusy) {
			try.Refund(r.Context()) // only failures count
		}
		if err != nil {
			return err
		}
		t, err := sessions.Login(w, r, session.Session{Subject: a.subject, Scope: a.scope, AuthTime: begun})
		if err != nil {
			return err
		}
		return write(w, http.StatusOK, t)
	}
}

// current returns a session with the present rights of its subject. It is called on every
// refresh.
func (u *users) current(_ context.Context, s session.Session) (session.Session, error) {
	for _, a := range u.accounts {
		if a.subject == s.Subject {
			s.Scope = a.scope
			return s, nil
		}
	}
	return s, auth.ErrRevoked
}

// newAccountLimits returns the limit of failed logins for each account, from all addresses
// together. The cost is that ten wrong guesses of any client lock out the owner for 15
// minutes. Sessions continue. Offer another way to log in, such as a link by email.
func newAccountLimits() *ratelimit.Limiter {
	return errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "account", Limits: []ratelimit.Limit{{Requests: 10, Window: 15 * time.Minute}}},
	}}))
}
