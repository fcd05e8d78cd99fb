package main

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"runtime"
	"sync"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

var (
	errCredentials = errors.Define(401, "bad_credentials", "The email address or password is wrong.")
	errBusy        = errors.Define(503, "login_busy", "Too many logins at once. Try again in a moment.")
)

// user is an account. A real service keeps it in its database.
type user struct {
	id           string // the subject of tokens, without personal data
	scope, roles []string
	salt, hash   []byte
}

// users are the accounts.
type users struct {
	byEmail map[string]*user
	byID    map[string]*user
	nobody  user          // its hash is compared for unknown email addresses, so that they take as long
	rounds  int           // of the password hash
	hashing chan struct{} // limits concurrent hashes to the number of processors
}

// demoUsers lists the accounts of the demo. Their passwords are printed at start.
var demoUsers = []struct {
	id, email, password string
	scope, roles        []string
}{
	{"ada", "ada@example.com", "correct horse battery staple", []string{"orders:read", "orders:write"}, nil},
	{"eve", "eve@example.com", "open sesame open sesame", []string{"orders:read"}, nil},
	{"root", "root@example.com", "trust but verify always", []string{"orders:read"}, []string{"admin"}},
}

func newUsers(rounds int) *users {
	u := &users{rounds: rounds, byEmail: make(map[string]*user), byID: make(map[string]*user), hashing: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
	var wg sync.WaitGroup
	for _, demo := range demoUsers {
		account := &user{id: demo.id, scope: demo.scope, roles: demo.roles, salt: []byte(rand.Text())}
		u.byEmail[demo.email], u.byID[demo.id] = account, account
		wg.Go(func() { account.hash = u.hash(demo.password, account.salt) })
	}
	u.nobody.salt = []byte(rand.Text())
	wg.Go(func() { u.nobody.hash = u.hash(rand.Text(), u.nobody.salt) })
	wg.Wait()
	return u
}

// hashRounds is the number of rounds that OWASP recommends for PBKDF2 with SHA-512.
const hashRounds = 210_000

func (u *users) hash(password string, salt []byte) []byte {
	return errors.Must(pbkdf2.Key(sha512.New, password, salt, u.rounds, sha512.Size))
}

// check returns the account of an email address and a password. It takes the same time
// whether or not the account exists. If all processors are hashing, it returns errBusy
// instead of waiting.
func (u *users) check(email, password string) (*user, error) {
	select {
	case u.hashing <- struct{}{}:
		defer func() { <-u.hashing }()
	default:
		return nil, errBusy.Header("Retry-After", "1")
	}
	account, known := u.byEmail[email]
	if !known {
		account = &u.nobody
	}
	same := subtle.ConstantTimeCompare(u.hash(password, account.salt), account.hash) == 1
	if !known || !same {
		return nil, errCredentials
	}
	return account, nil
}

// current returns a session with the present rights of its subject. It is called on every
// refresh, so a change of rights takes effect when the access token expires.
func (u *users) current(_ context.Context, s session.Session) (session.Session, error) {
	account := u.byID[s.Subject]
	if account == nil {
		return s, auth.ErrRevoked
	}
	s.Scope, s.Roles = account.scope, account.roles
	return s, nil
}
