package session

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// A Session is one login of one subject in one client.
type Session struct {
	// ID is public: it is the sid of access tokens, and is in lists and logs. Login
	// creates it.
	ID string
	// Subject is the ID of the user, 1 to 256 bytes.
	Subject string
	// Scope and Roles are those of the login. Account returns the current ones on
	// each refresh.
	Scope, Roles []string
	// AuthTime is the time of the authentication. Zero at Login means now. Take it
	// before the password is checked, so that a concurrent RevokeAll ends this
	// login too, if the login takes less than [EpochWindow]. It is compared exactly,
	// except for the time that a call needs to reach the store.
	AuthTime time.Time
	// Created, LastUsed and Expires are set by the [Manager]. LastUsed is the time
	// of the last refresh. Expires is the time at which the session ends if it is
	// not refreshed.
	Created, LastUsed, Expires time.Time
	// Client describes the client, for a list of sessions.
	Client Client
	// Data belongs to the application. Issue and Account receive it; the client, the
	// log and the JSON of a Session do not have it. The session has at most 16 KiB,
	// Data included.
	Data []byte `json:"-"`
}

// A Client describes the device of a session, so that users can recognize it
// (ASVS 5.0 7.5.2). No decision depends on it.
type Client struct {
	// Name is a text of the application's choice, such as a place.
	Name string
	// Address is the client's address, if the application stores such.
	Address string
	// UserAgent is the User-Agent of the login, its first 256 bytes. Login
	// fills it in when it is empty.
	UserAgent string
}

// maxValue bounds the memory of a session, in bytes.
const maxValue = 16 << 10

// maxAccess is the maximum lifetime of an access token, and of its revocation.
const maxAccess = time.Hour

// maxIssue is the maximum time between a rotation and the issue of its access token.
const maxIssue = time.Minute

// storeTimeout bounds each call of the store.
const storeTimeout = 5 * time.Second

// stored is the JSON of a session in a Store.
type stored struct {
	Subject  string    `json:"sub"`
	Scope    []string  `json:"scope,omitempty"`
	Roles    []string  `json:"roles,omitempty"`
	AuthTime time.Time `json:"auth_time"`
	Client   Client    `json:"client"`
	Data     []byte    `json:"data,omitempty"`
}

// encode returns the value of a record. It refuses a session that JSON would change.
func (s *Session) encode() ([]byte, error) {
	if s.Subject == "" || len(s.Subject) > 256 {
		return nil, errors.New("session: Subject has " + strconv.Itoa(len(s.Subject)) + " bytes; it must have 1 to 256")
	}
	for _, text := range slices.Concat([]string{s.Subject}, s.Scope, s.Roles) {
		if !utf8.ValidString(text) {
			return nil, errors.New("session: Subject, Scope and Roles must be UTF-8")
		}
	}
	value, err := json.Marshal(stored{s.Subject, s.Scope, s.Roles, s.AuthTime, s.Client, s.Data})
	if err != nil {
		return nil, err
	}
	if len(value) > maxValue {
		return nil, errors.New("session: the session has " + strconv.Itoa(len(value)) + " bytes; did you mean to keep less in Data?")
	}
	return value, nil
}

// decode returns the session of a record.
func decode(r Record) (Session, error) {
	var v stored
	if err := json.Unmarshal(r.Value, &v); err != nil {
		return Session{ID: r.ID}, err
	}
	return Session{
		ID: r.ID, Subject: v.Subject, Scope: v.Scope, Roles: v.Roles, AuthTime: v.AuthTime, Client: v.Client, Data: v.Data,
		Created: r.Created, LastUsed: r.LastUsed, Expires: r.Expires,
	}, nil
}

// Tokens is the body of the response to a login or a refresh (RFC 6749, section
// 5.1). It has no refresh token for a browser, which gets that in the cookie.
type Tokens struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`      // Bearer
	ExpiresIn   int    `json:"expires_in"`      // whole seconds, rounded down
	Scope       string `json:"scope,omitempty"` // separated by single spaces
	// RefreshToken is for a client that keeps it itself: see
	// [Options].NativeClients.
	RefreshToken string `json:"refresh_token,omitempty"`
}

// A Manager starts, refreshes and ends sessions. It is immutable and safe for
// concurrent use.
type Manager struct {
	issue       func(context.Context, Session) (string, time.Time, error)
	account     func(context.Context, Session) (Session, error)
	revocations *auth.Revocations
	store       Store
	keys        keyring

	idle, absolute, grace time.Duration
	maxSessions           int

	cookie       http.Cookie // without a value and an age
	transient    bool
	native       bool
	challenge    string
	scheme, host func(*http.Request) string
	allowsOrigin func(*http.Request) bool

	onEvent func(context.Context, Event)
	logger  *slog.Logger
	respond func(http.ResponseWriter, *http.Request, error)
}
