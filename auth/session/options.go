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
	// Issue makes an access token for a session, and says when it expires: at
	// most an hour from now, and no later than the session's Expires, as
	// ForSession of a token.Issuer sees to. A later one is refused, with a 503
	// whose cause says so, since only live sessions can be ended: the token
	// would work until it expires, whatever is called. An error is a 503, and
	// so is a panic, which is logged.
	Issue func(context.Context, Session) (token string, expires time.Time, err error)

	// Account runs on every refresh. It returns the session with the scope,
	// the roles and the data that its subject has today, for this access token
	// alone; other fields that it changes are ignored. What it is given has the
	// scope and roles of the login, for those who gave less than they could.
	// It is where a locked or deleted account is noticed: an error of kind
	// auth.ErrRevoked ends the session. Any other error is a 503, as is a panic,
	// which is logged; the session goes on.
	Account func(context.Context, Session) (Session, error)

	// Revocations are told of sessions that end, so that their access tokens
	// die too. They are those of the verifier.
	Revocations *auth.Revocations

	// Store keeps the sessions. nil: in the memory of this process, so that
	// a restart ends them all.
	Store Store

	// Keys make the refresh tokens. Required with a Store. None: a random key
	// that New makes, and that dies with the process as the sessions do.
	Keys []Key

	// Idle is how long a session lives without a refresh (ASVS 5.0 7.3.1).
	// 0: 7 days. At least a minute.
	Idle time.Duration

	// Absolute is how long a session lives at all (ASVS 5.0 7.3.2); no refresh
	// extends it. 0: 30 days. At least Idle, at most 400 days, which is the
	// longest that browsers keep a cookie.
	Absolute time.Duration

	// MaxSessions bounds the sessions of one subject. A login that makes one
	// too many ends the one that was idle for the longest. 0: 50. At most 1000.
	MaxSessions int

	// Grace lets the token before the current one, if that was rotated out less
	// than this ago, get the same successor, whoever presents it. An older token
	// is reuse, however young it is: its successor was presented. 0: a token is
	// used once, and only the same attempt may repeat; see the package's text. At
	// most 60 s.
	Grace time.Duration

	// Cookie changes the cookie; its fields only tighten it. Zero:
	// __Host-refresh; Path=/; Secure; HttpOnly; SameSite=Strict, with a Max-Age.
	Cookie Cookie

	// Scheme returns "https" for a request that came over HTTPS, and Host the
	// host that the client asked for. They make the origin that is our own.
	// nil: by r.TLS, and r.Host.
	Scheme, Host func(*http.Request) string

	// AllowsOrigin reports whether the request's Origin may log in, refresh and
	// log out, beside our own. It is asked when there is exactly one Origin,
	// which is not "null". nil: no other may.
	AllowsOrigin func(*http.Request) bool

	// NativeClients lets a client that is no browser keep the refresh token
	// itself: one that sends [TokenHeader]. It gets the next one in the body,
	// as refresh_token, and no cookie; an answer of 503 may have it in the
	// header TokenHeader, since the one before is used up. A request with a
	// header that browsers add, and scripts cannot keep away, is refused, so
	// that a script never gets hold of a token.
	NativeClients bool

	// OnEvent is told of theft, and of sessions that end without a logout,
	// after the fact. It must not block. Where it is nil, theft and lost
	// writes are logged as warnings.
	OnEvent func(context.Context, Event)

	// Logger gets those warnings, and an error when a function panics. nil:
	// slog.Default().
	Logger *slog.Logger

	// ErrorHandler answers refused requests. nil: errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)

	// InsecureStaticGrants does without Account: a session keeps what Login
	// gave it, until it ends.
	InsecureStaticGrants bool

	// InsecureNoRevocations does without Revocations: the access tokens of a
	// session that ended, by theft too, live until they expire.
	InsecureNoRevocations bool

	// InsecureCookie names the cookie refresh and sends it in clear too: for
	// development over plain HTTP.
	InsecureCookie bool
}

// New returns a Manager. It refuses a set-up without the required options,
// bounds that contradict each other, and keys that are weak or sign nothing.
// The error joins all problems.
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

// cookie returns the cookie without a value and an age.
func (o *Options) cookie() (http.Cookie, []error) {
	// SameSite=Strict: no link from elsewhere needs it, since only our own
	// pages refresh. Path=/ is what the __Host- prefix asks for, which in turn
	// keeps a sibling domain from setting it (RFC 6265bis, section 4.1.3.2).
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
