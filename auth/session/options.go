package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/wiring"
)

const day = 24 * time.Hour

// Options configures a [Manager]. Issue, Account and Revocations are required.
type Options struct {
	// Issue returns an access token for a session, and its expiry: at most one
	// hour from now, and not after the session's Expires, as ForSession of a
	// token.Issuer does. A later expiry is refused with 503, because an ended
	// session cannot be revoked. An error or a panic is a 503; a panic is logged.
	Issue func(context.Context, Session) (token string, expires time.Time, err error)

	// Account is called on each refresh, with the scope and roles of the login. It
	// returns the session with the current scope, roles and data of its subject,
	// for this access token only; other fields are ignored. If the account is
	// locked or deleted, it must return an error of kind auth.ErrRevoked, which
	// ends the session. Any other error, and a panic, is a 503; the session
	// continues, and a panic is logged.
	Account func(context.Context, Session) (Session, error)

	// Revocations receives the sessions that end, so that their access tokens are
	// refused. It must be the verifier's.
	Revocations *auth.Revocations

	// Store keeps the sessions. nil means the memory of this process, so that a
	// restart ends all sessions.
	Store Store

	// Keys authenticate the refresh tokens. They are required with a Store. Empty
	// means a random key, which is lost with the process.
	Keys []Key

	// Idle is the maximum time between two refreshes of a session (ASVS 5.0
	// 7.3.1), at least one minute. 0 means 7 days.
	Idle time.Duration

	// Absolute is the maximum lifetime of a session (ASVS 5.0 7.3.2); no refresh
	// extends it. It is at least Idle, and at most 400 days, the longest that
	// browsers keep a cookie. 0 means 30 days.
	Absolute time.Duration

	// MaxSessions is the maximum number of sessions per subject, at most 1000. A
	// login above it ends the least recently used session. 0 means 50.
	MaxSessions int

	// Grace is the time for which the token before the current one gets the same
	// successor again, for any client, at most 60 s. An older token is reuse even
	// within Grace, because its successor was presented. 0 means that only the
	// same attempt may repeat; see Retries in the package documentation.
	Grace time.Duration

	// Cookie changes the name and the lifetime of the cookie. The zero value means
	// __Host-refresh; Path=/; Secure; HttpOnly; SameSite=Strict, with a Max-Age.
	Cookie Cookie

	// Scheme returns "https" for an HTTPS request, and Host the host that the
	// client used. Together they are the service's own origin. nil means r.TLS and
	// r.Host.
	Scheme, Host func(*http.Request) string

	// AllowsOrigin reports whether the request's Origin, if it is not the service's
	// own, may log in, refresh and log out. It is called if there is exactly one
	// Origin header and it is not "null". nil means that no other origin may.
	AllowsOrigin func(*http.Request) bool

	// NativeClients lets a client that is not a browser keep the refresh token
	// itself, if it sends [TokenHeader]. It gets the next token in the body, as
	// refresh_token, and no cookie. A 503 may have the next token in TokenHeader,
	// because the previous one is used. A request with a header that browsers add,
	// and scripts cannot remove, is refused, so that a script cannot read a token.
	NativeClients bool

	// OnEvent is called after a token is reused, the store is found to have lost
	// writes, or a session ends without a logout. It must not block. A panic is
	// logged. If it is nil, reuse and lost writes are logged as warnings.
	OnEvent func(context.Context, Event)

	// Logger receives these warnings, and an error if a function of the
	// application panics. nil means slog.Default().
	Logger *slog.Logger

	// ErrorHandler responds to refused requests. nil means errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)

	// InsecureStaticGrants accepts Options without Account: a session keeps the
	// scope and roles of its login until it ends.
	InsecureStaticGrants bool

	// InsecureNoRevocations accepts Options without Revocations: the access tokens
	// of an ended session, also after theft, are accepted until they expire.
	InsecureNoRevocations bool

	// InsecureCookie names the cookie refresh and omits Secure, for development
	// over plain HTTP.
	InsecureCookie bool
}

// New returns a Manager. It reports all invalid options, joined. Among them are
// limits that contradict each other, weak keys, and keys of which none signs now.
func New(o Options) (*Manager, error) {
	problems := o.checkFields()
	cookie, more := o.cookie()
	problems = append(problems, more...)
	keys, more := newKeyring(o.Keys, time.Now())
	problems = append(problems, more...)
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	m := &Manager{
		issue: o.Issue, account: o.Account, revocations: o.Revocations, store: o.Store, keys: keys,
		idle: o.idle(), absolute: o.absolute(), grace: o.Grace, maxSessions: o.MaxSessions,
		cookie: cookie, transient: o.Cookie.Transient, native: o.NativeClients, challenge: `Cookie cookie-name="` + cookie.Name + `"`,
		scheme: o.Scheme, host: o.Host, allowsOrigin: o.AllowsOrigin,
		onEvent: o.OnEvent, logger: o.Logger, respond: o.ErrorHandler,
	}
	if m.store == nil {
		m.store = NewMemory()
	}
	if len(m.keys) == 0 {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails (crypto/rand)
		m.keys = keyring{{Secret: secret}}
	}
	if m.maxSessions == 0 {
		m.maxSessions = 50
	}
	if m.respond == nil {
		m.respond = errors.Respond
	}
	return m, nil
}

func (o *Options) idle() time.Duration {
	if o.Idle == 0 {
		return 7 * day
	}
	return o.Idle
}

func (o *Options) absolute() time.Duration {
	if o.Absolute == 0 {
		return 30 * day
	}
	return o.Absolute
}

// checkFields returns the problems of all but Cookie and Keys.
func (o *Options) checkFields() []error {
	var problems []error
	refuse := func(bad bool, text string) {
		if bad {
			problems = append(problems, errors.New("session: "+text))
		}
	}
	refuse(o.Issue == nil, "Issue: must not be nil; did you mean the ForSession of a token.Issuer?")
	refuse(o.Account == nil && !o.InsecureStaticGrants, "Account: must not be nil; did you mean a function that looks up the subject?")
	refuse(o.Account != nil && o.InsecureStaticGrants, "InsecureStaticGrants: contradicts Account; did you mean to leave one out?")
	refuse(o.Revocations == nil && !o.InsecureNoRevocations, "Revocations: must not be nil; did you mean those of the verifier?")
	refuse(o.Revocations != nil && o.InsecureNoRevocations, "InsecureNoRevocations: contradicts Revocations; did you mean to leave one out?")
	refuse(o.Store != nil && wiring.IsNil(o.Store), "Store: must not be a nil pointer; did you mean to check the error of its New?")
	refuse(o.Store != nil && len(o.Keys) == 0, "Keys: must not be empty, because Store outlives the process; did you mean one key of 32 random bytes?")
	refuse(o.idle() < time.Minute, "Idle "+o.Idle.String()+": must be at least 1m")
	refuse(o.absolute() < o.idle(), "Absolute "+o.absolute().String()+": must be at least Idle, "+o.idle().String())
	refuse(o.absolute() > 400*day, "Absolute "+o.Absolute.String()+": must be at most 400 days")
	refuse(o.MaxSessions < 0 || o.MaxSessions > 1000, "MaxSessions "+strconv.Itoa(o.MaxSessions)+": must be between 1 and 1000; did you mean 0, for the default?")
	refuse(o.Grace < 0 || o.Grace > time.Minute, "Grace "+o.Grace.String()+": must be between 0 and 60s")
	return problems
}

// cookie returns the refresh cookie without a value and a Max-Age.
func (o *Options) cookie() (http.Cookie, []error) {
	// SameSite=Strict, because only the service's own pages refresh. The prefix
	// __Host- requires Path=/, and keeps a sibling domain from setting the cookie
	// (RFC 6265bis, section 4.1.3.2).
	c := http.Cookie{Name: "__Host-refresh", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if o.InsecureCookie {
		c.Name, c.Secure = "refresh", false
		if o.Cookie.Name != "" {
			return c, []error{errors.New("session: Cookie.Name: contradicts InsecureCookie; did you mean to leave one out?")}
		}
		return c, nil
	}
	if name := o.Cookie.Name; name != "" {
		c.Name = name
		if !strings.HasPrefix(name, "__Host-") || len(name) == len("__Host-") || c.Valid() != nil {
			return c, []error{errors.New("session: Cookie.Name " + strconv.Quote(name) + `: must be a cookie name that begins with __Host-; did you mean "__Host-refresh"?`)}
		}
		if first, ok := strings.CutSuffix(name, attemptSuffix); ok {
			return c, []error{fmt.Errorf("session: Cookie.Name %q: is the name of the attempt cookie of %q; did you mean %q?", name, first, first+"-2")}
		}
	}
	return c, nil
}
