package session

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// Login starts a session for a subject that the caller has authenticated. It sets
// the refresh cookie, and returns the body for the client, which is encoded as
// JSON. It reads Subject, Scope, Roles, AuthTime, Client and Data of s. The
// session's ID is always new. A session whose cookie the request has ends, so
// that a planted session does not continue (ASVS 5.0 7.2.4). It continues if the
// new one cannot be stored.
//
// Login returns an error, which the caller must return, for a request that is not
// a POST (405), comes from another origin ([auth.ErrDenied]), or has several
// refresh cookies ([auth.ErrMalformed]). It returns [auth.ErrStepUp] for a login
// that began before a RevokeAll, and [auth.ErrUnavailable] if the store or Issue
// fails; then no cookie is set.
func (m *Manager) Login(w http.ResponseWriter, r *http.Request, s Session) (Tokens, error) {
	w.Header().Set("Cache-Control", "no-store") // RFC 6749, section 5.1
	if err := m.checkRequest(r); err != nil {
		return Tokens{}, err
	}
	old, err := m.credential(r)
	if errors.Is(err, auth.ErrMalformed) || errors.Is(err, auth.ErrDenied) {
		return Tokens{}, err
	}
	arrived, proved := wallNow(), s.AuthTime
	if proved.IsZero() {
		proved, s.AuthTime = time.Now(), arrived
	}
	if s.Client.UserAgent == "" {
		s.Client.UserAgent = r.UserAgent()
	}
	s.Client.UserAgent = clip(s.Client.UserAgent)
	value, unfit := s.encode()
	if unfit != nil {
		return Tokens{}, unfit
	}
	c := newCredential(s.Subject)
	creation := Creation{
		Owner: c.ownerID(), ID: c.sessionID(), Value: value, Idle: m.idle, Absolute: m.absolute, Max: m.maxSessions,
		Age: max(0, time.Since(proved)), // a time.Now of this process has a monotonic reading
	}
	if err != nil {
		old = credential{}
	} else if old.owner == c.owner {
		creation.Replaces, old = old.sessionID(), credential{}
	}
	return m.startSession(w, r, c, creation, old, arrived)
}

// startSession stores a session and returns its first tokens. After any failure
// it returns none and sets no cookie. The old session is zero, or that of another
// subject, which cannot be replaced: it ends after the new one is stored.
func (m *Manager) startSession(w http.ResponseWriter, r *http.Request, c credential, creation Creation, old credential, arrived time.Time) (Tokens, error) {
	record, err := m.create(r.Context(), creation)
	if err == nil && old != (credential{}) {
		err = m.endSession(r.Context(), old.ownerID(), old.sessionID())
	}
	if err == nil {
		var tokens Tokens
		if tokens, err = m.issueTokens(w, r, c, record, arrived); err == nil {
			return tokens, nil
		}
	}
	if errors.Is(err, auth.ErrStepUp) {
		w.Header().Set("WWW-Authenticate", m.challenge) // a 401 has one (RFC 9110, section 15.5.2)
	}
	// No client has a token of this session, so there is nothing to revoke.
	_, undone := m.deleteSession(r.Context(), c.ownerID(), c.sessionID())
	return Tokens{}, errors.Join(err, errors.Opaque(undone))
}

// clip returns at most 256 bytes of s, without invalid UTF-8.
func clip(s string) string {
	if len(s) > 256 {
		s = s[:256]
	}
	return strings.ToValidUTF8(s, "")
}

// create stores a session. It revokes the access tokens of the sessions that this ends:
// the replaced one, and those above the maximum number.
func (m *Manager) create(ctx context.Context, c Creation) (Record, error) {
	store, cancel := withStoreTimeout(ctx)
	defer cancel()
	created, err := m.store.Create(store, c)
	if err != nil {
		err = unavailableError(err)
	}
	if created.Superseded {
		err = errors.Join(err, auth.ErrStepUp.With("reason", "all sessions of the subject were ended during the login"))
	}
	var ended []Ended
	if c.Replaces != "" && created.Record.ID != "" {
		ended = append(ended, Ended{ID: c.Replaces})
	}
	for _, evicted := range created.Evicted {
		ended = append(ended, Ended{ID: evicted.ID})
	}
	many, stop := context.WithTimeout(context.WithoutCancel(ctx), manyTimeout)
	defer stop()
	err = errors.Join(err, m.revokeEach(many, ended))
	for _, evicted := range created.Evicted {
		if evicted.ID == c.Replaces {
			continue // the client has ended it
		}
		s, _ := decode(evicted) // ID is set even if decode fails
		m.notifyHook(ctx, Event{Reason: SessionEvicted, Session: s})
	}
	return created.Record, err
}

// issueTokens issues the access token, and then the refresh token. If Issue fails, no
// cookie is set.
func (m *Manager) issueTokens(w http.ResponseWriter, r *http.Request, c credential, record Record, arrived time.Time) (Tokens, error) {
	s, err := decode(record)
	if err != nil {
		return Tokens{}, unavailableError(err)
	}
	tokens, err := m.issueAccessToken(r.Context(), s, arrived)
	if err != nil {
		return Tokens{}, err
	}
	now := wallNow()
	token, err := m.keys.makeToken(c, now)
	if err != nil {
		return Tokens{}, unavailableError(err)
	}
	if m.isNative(r) {
		tokens.RefreshToken = token
	} else {
		m.setCookie(w, token, record.Expires, now)
	}
	return tokens, nil
}

// issueAccessToken issues an access token. A revocation is stored for maxAccess+maxIssue,
// so a token that expires later is refused. A token that expires after its session is
// refused too: an expired session cannot be revoked, and the token would extend Absolute.
// Issue must return a shorter token.
func (m *Manager) issueAccessToken(ctx context.Context, s Session, arrived time.Time) (Tokens, error) {
	var token string
	var expires time.Time
	err := m.callApplication(ctx, "session: Issue", func() (err error) {
		token, expires, err = m.issue(ctx, s)
		return err
	})
	if err != nil {
		return Tokens{}, unavailableError(err)
	}
	now := wallNow()
	if token == "" || !expires.After(now) || expires.Sub(arrived) > maxAccess+maxIssue {
		return Tokens{}, unavailableError(errors.New("session: Issue: no token, or one that does not expire within an hour"))
	}
	if late := expires.Sub(s.Expires); late > 0 {
		return Tokens{}, unavailableError(errors.New("session: Issue: the token expires " + late.String() + " after its session; did you mean the earlier of the two times?"))
	}
	return Tokens{AccessToken: token, TokenType: "Bearer", ExpiresIn: int(expires.Sub(now) / time.Second), Scope: strings.Join(s.Scope, " ")}, nil
}

// refreshedTokens calls Account, and issues an access token with the session that it
// returns. Only Account causes an error of the kind auth.ErrRevoked.
func (m *Manager) refreshedTokens(ctx context.Context, s Session, arrived time.Time) (Tokens, error) {
	if m.account != nil {
		var today Session
		err := m.callApplication(ctx, "session: Account", func() (err error) {
			today, err = m.account(ctx, s)
			return err
		})
		if errors.Is(err, auth.ErrRevoked) {
			return Tokens{}, auth.ErrRevoked.Wrap(err)
		}
		if err != nil {
			return Tokens{}, unavailableError(err)
		}
		s.Scope, s.Roles, s.Data = today.Scope, today.Roles, today.Data
	}
	return m.issueAccessToken(ctx, s, arrived)
}

// callApplication calls a function of the application whose result is needed. A
// panic is logged, and returned as an error: at a refresh the client's token is
// used, so the client must get the successor. [http.ErrAbortHandler] aborts the
// response.
func (m *Manager) callApplication(ctx context.Context, name string, f func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler {
			panic(v)
		}
		m.log(ctx, slog.LevelError, "hook panicked", slog.String("hook", name), slog.Any("panic", v))
		err = errors.New(name + " panicked")
	}()
	return f()
}

// setSuccessor sets the successor before any later step can fail. A browser gets it in
// the refresh cookie, and a native client in TokenHeader. A successful response to a
// native client has the token in its body instead of the header.
func (m *Manager) setSuccessor(w http.ResponseWriter, r *http.Request, token string, expires, now time.Time) {
	if m.isNative(r) {
		w.Header().Set(TokenHeader, token)
		return
	}
	m.setCookie(w, token, expires, now)
}

// clearSuccessor removes the successor from the response.
func (m *Manager) clearSuccessor(w http.ResponseWriter) {
	w.Header().Del(TokenHeader)
	withdrawCookie(w, m.cookie.Name)
}

// setCookie sets the refresh cookie. It expires with the session.
func (m *Manager) setCookie(w http.ResponseWriter, token string, expires, now time.Time) {
	c := m.cookie
	c.Value = token
	if !m.transient {
		c.MaxAge = max(1, int(expires.Sub(now)/time.Second)) // http.Cookie takes 0 for no Max-Age
	}
	replaceCookie(w, &c)
}

// replaceCookie sets a cookie in place of one with the same name, so that a
// response sets it once.
func replaceCookie(w http.ResponseWriter, c *http.Cookie) {
	withdrawCookie(w, c.Name)
	http.SetCookie(w, c)
}

// withdrawCookie removes a cookie that this response sets. Other cookies stay.
func withdrawCookie(w http.ResponseWriter, name string) {
	h := w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, name+"=") })
	if len(h["Set-Cookie"]) == 0 {
		delete(h, "Set-Cookie")
	}
}
