package session

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/sameorigin"
	"github.com/ringwall/ringwall/internal/wiring"
)

// Refresh returns the handler that exchanges the refresh cookie for its successor and
// a new access token.
//
// It responds with 401 to a token that is missing, forged, expired or used, and with
// 503 if the store fails. Neither changes the refresh cookie, so that a late request
// cannot delete a newer one's cookie. It responds with 400 to two refresh cookies,
// with 403 to another origin, and with 405 to a method other than POST.
//
// If Account or Issue fails, or a failover may undo the rotation, the 503 has the
// successor: in its cookie, or in [TokenHeader] for a native client. If it is unknown
// whether the store has rotated, the 503 has the attempt cookie, unless the request
// has an [AttemptHeader]. A repeat with all cookies is then the same attempt.
func (m *Manager) Refresh() http.Handler {
	wiring.RequireNew("session: Refresh", m == nil)
	return m.handler(func(w http.ResponseWriter, r *http.Request) error {
		arrived := wallNow()
		c, s, token, err := m.rotateToken(w, r)
		if err != nil {
			return err
		}
		tokens, err := m.refreshedTokens(r.Context(), s, arrived)
		if errors.Is(err, auth.ErrRevoked) {
			m.clearSuccessor(w)
			// The session was live at its rotation, so its tokens are revoked even
			// if the store no longer has it.
			err = errors.Join(err, m.revoke(r.Context(), Ended{ID: s.ID}), m.endSession(r.Context(), c.ownerID(), s.ID))
			m.notifyHook(r.Context(), Event{Reason: AccountRevoked, Session: s})
		}
		if err != nil {
			return err
		}
		if m.isNative(r) {
			w.Header().Del(TokenHeader)
			tokens.RefreshToken = token
		}
		body, err := json.Marshal(tokens)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n')) // the client may have disconnected
		return nil
	})
}

// rotateToken rotates the request's token, and sets its successor before any later step
// can fail. A reuse is revoked, reported and returned as an error.
func (m *Manager) rotateToken(w http.ResponseWriter, r *http.Request) (credential, Session, string, error) {
	c, rotated, failed := m.rotateInStore(w, r)
	if failed != nil && rotated.Outcome == Gone {
		return c, Session{}, "", failed
	}
	s, undecoded := decode(rotated.Record)
	switch rotated.Outcome {
	case Advanced, Repeated, RolledBack:
	case Reused:
		theft := Event{Reason: TokenReused, Session: s, Age: rotated.Age}
		if newest := rotated.Record.Generation; newest > c.generation {
			theft.GenerationsBack = newest - c.generation
		}
		err := auth.ErrRevoked.With("reason", "reuse", "session_id", s.ID, "generations_back", theft.GenerationsBack, "age", theft.Age)
		if failed = errors.Join(failed, m.revoke(r.Context(), Ended{ID: s.ID})); failed != nil {
			err = err.Wrap(errors.Opaque(failed))
		}
		m.notifyHook(r.Context(), theft)
		return c, s, "", err
	default:
		return c, s, "", auth.ErrInvalid.With("reason", "the session has ended", "session_id", c.sessionID())
	}
	c.generation = rotated.Record.Generation
	now := wallNow()
	token, err := m.keys.makeToken(c, now)
	if err != nil {
		return c, s, "", unavailableError(err)
	}
	m.setSuccessor(w, r, token, rotated.Record.Expires, now)
	if rotated.Outcome == RolledBack {
		m.notifyHook(r.Context(), Event{Reason: StoreRolledBack, Session: s})
	}
	if undecoded != nil {
		failed = errors.Join(failed, unavailableError(undecoded))
	}
	return c, s, token, failed
}

// rotateInStore rotates the request's token in the store. An error with an
// outcome means that a failover may undo the rotation. The client gets the successor
// nevertheless, because its token is used. An error without an outcome means that it is
// unknown whether the token was used. A browser then gets the attempt cookie for a retry.
func (m *Manager) rotateInStore(w http.ResponseWriter, r *http.Request) (credential, Rotated, error) {
	c, err := m.credential(r)
	if err != nil {
		return c, Rotated{}, err
	}
	a, err := m.attemptOf(r, c)
	if err != nil {
		return c, Rotated{}, err
	}
	ctx, cancel := withStoreTimeout(r.Context())
	defer cancel()
	rotated, err := m.store.Rotate(ctx, Rotation{
		Owner: c.ownerID(), ID: c.sessionID(), Generation: c.generation, Attempt: a.hash, Idle: m.idle, Grace: m.grace,
	})
	if err != nil {
		err = unavailableError(err)
	}
	switch rotated.Outcome {
	case Gone:
		if err != nil {
			m.offerAttempt(w, a, c)
		}
	case Advanced, Repeated, RolledBack:
		if a.repeated {
			m.clearAttempt(w)
		}
	}
	return c, rotated, err
}

// Logout returns the handler that ends the session of the refresh cookie, clears the
// cookie and responds with 204. It also clears the cookie if it is missing, expired or
// invalid, or if its session has already ended. A used token ends its session too.
// Only Logout and [Manager.LogoutAll] clear the cookie.
func (m *Manager) Logout() http.Handler {
	wiring.RequireNew("session: Logout", m == nil)
	return m.handler(func(w http.ResponseWriter, r *http.Request) error {
		c, err := m.credential(r)
		if errors.Is(err, auth.ErrMalformed) || errors.Is(err, auth.ErrDenied) {
			return err
		}
		if err == nil {
			if err := m.endSession(r.Context(), c.ownerID(), c.sessionID()); err != nil {
				return err
			}
		}
		if !m.isNative(r) {
			m.clearCookie(w, r)
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// LogoutAll returns the handler that ends all sessions of the refresh cookie's
// subject, clears the cookie and responds with 204. Like [Manager.Refresh], it
// requires a current token: a used one is reuse, and gets 401.
func (m *Manager) LogoutAll() http.Handler {
	wiring.RequireNew("session: LogoutAll", m == nil)
	return m.handler(func(w http.ResponseWriter, r *http.Request) error {
		c, s, _, err := m.rotateToken(w, r)
		if err != nil {
			return err
		}
		// The client's session ends last, and after its access tokens are revoked. If a
		// step before fails, the client can retry with the successor.
		if err := m.RevokeAll(r.Context(), s.Subject, s.ID); err != nil {
			return err
		}
		if err := m.revoke(r.Context(), Ended{ID: s.ID}); err != nil {
			return err
		}
		if err := m.endSession(r.Context(), c.ownerID(), s.ID); err != nil {
			return err
		}
		if m.isNative(r) {
			w.Header().Del(TokenHeader)
		} else {
			m.clearCookie(w, r)
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// handler wraps Refresh, Logout and LogoutAll: it checks method and origin, and writes
// errors with a challenge.
func (m *Manager) handler(serve errors.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		err := m.checkRequest(r)
		if err == nil {
			err = serve(w, r)
		}
		if err == nil {
			return
		}
		if errors.Is(err, auth.ErrMissing) || errors.Is(err, auth.ErrInvalid) || errors.Is(err, auth.ErrRevoked) {
			// A 401 must have a challenge (RFC 9110, section 15.5.2). It is not
			// Bearer, because a client that refreshes after a Bearer challenge would
			// refresh in a loop.
			w.Header().Set("WWW-Authenticate", m.challenge)
		}
		m.respond(w, r, err)
	})
}

// checkRequest returns an error unless the request is a POST from an allowed origin.
func (m *Manager) checkRequest(r *http.Request) error {
	if r.Method != http.MethodPost {
		return errors.ErrMethodNotAllowed.Header("Allow", http.MethodPost)
	}
	return m.checkOrigin(r)
}

// unavailableError returns the error for a failure of the store or the application. It
// hides the kind of err, which must not decide the response.
func unavailableError(err error) error {
	return auth.ErrUnavailable.Wrap(errors.Opaque(err)).Header("Retry-After", "1").With("reason", "session")
}

// withStoreTimeout returns a context for a store call. A client that disconnects does
// not cancel it, because a change must not be left half done.
func withStoreTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}

// checkOrigin refuses a request that a page of another origin made (ASVS 5.0 3.5.1).
// SameSite is not enough, because a sibling domain is the same site. Package cors has
// the same rule.
func (m *Manager) checkOrigin(r *http.Request) error {
	service := sameorigin.Service{Scheme: m.scheme, Host: m.host, Lists: m.allowsOrigin}
	switch verdict := service.Check(r); {
	case verdict.IsAllowed():
		return nil
	case verdict == sameorigin.SeveralOrigins || verdict == sameorigin.SeveralSites:
		return auth.ErrDenied.With("reason", "Sec-Fetch-Site or Origin is repeated")
	}
	return auth.ErrDenied.With("reason", "the request comes from another origin")
}
