package token

import (
	"fmt"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// logoutEvent is the member of events in a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// maxLogoutBody bounds the body of a logout request, in bytes.
const maxLogoutBody = 64 << 10

// LogoutOptions configures [BackChannelLogout]. Keys, Issuer, Audience and Revocations are
// required; Issuer may be empty for a [Remote] with an Issuer.
type LogoutOptions struct {
	// Keys has the keys of the provider, and Issuer is its iss.
	Keys   KeySource
	Issuer string
	// Audience lists the client IDs under which users log in at the provider. Logout
	// tokens are for clients, unlike access tokens.
	Audience []string
	// Revocations receives the sessions and the subjects that end. It must be the
	// verifier's.
	Revocations *auth.Revocations
	// MaxAge is the longest lifetime of the access tokens, for which a revocation must
	// last, at most 24 h. 0 means 1 h.
	MaxAge time.Duration
}

// A logout is the handler of BackChannelLogout.
type logout struct {
	verifier    *Verifier
	revocations *auth.Revocations
	maxAge      time.Duration
}

// BackChannelLogout returns a handler for the logout tokens that an OpenID provider sends
// when a session ends there (OpenID Connect Back-Channel Logout 1.0). It revokes the
// access tokens of the session (sid). A logout token without sid revokes those of the
// subject up to now that have no sid themselves, as [auth.Revocations.RevokeSubject]
// does: let Identity clear the SessionID if the provider sends logout tokens without sid.
// Register its URL at the provider as backchannel_logout_uri, and serve it without
// authentication. It accepts
// POST, and responds with 204, with 400 to an invalid token, and with 503 if the
// revocation may not reach other processes, so that the provider repeats the call. It
// reports all invalid options, joined.
func BackChannelLogout(o LogoutOptions) (http.Handler, error) {
	var problems []error
	if o.Revocations == nil {
		problems = append(problems, errors.New("token: Revocations: must not be nil; did you mean those of the verifier?"))
	}
	v, err := NewVerifier(VerifierOptions{
		Keys: o.Keys, Issuer: o.Issuer, Audience: o.Audience, Type: "logout+jwt", AllowTypes: []string{"JWT"}, InsecureNoType: true,
		MaxAge: o.MaxAge, CacheEntries: -1, Identity: identifyLogout,
	})
	if err := errors.Join(append(problems, err)...); err != nil {
		return nil, err
	}
	v.logout = true
	return &logout{v, o.Revocations, orDefault(o.MaxAge, time.Hour)}, nil
}

// identifyLogout accepts a token without a subject, and checks its event.
func identifyLogout(p Payload, id auth.Identity) (auth.Identity, error) {
	if _, ok := p.find([]string{"events", logoutEvent}); !ok {
		return id, errors.New("the token has no event of a logout")
	}
	if id.Subject == "" {
		id.Subject, id.CallerType = "-", auth.Unknown // only the session is known
		if id.SessionID == "" {
			return id, errors.New("the token has neither sub nor sid")
		}
		return id, nil
	}
	id.CallerType = auth.Person
	return id, nil
}

// ServeHTTP verifies the logout token of a form.
func (l *logout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := l.serve(w, r); err != nil {
		errors.Respond(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (l *logout) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return errors.ErrMethodNotAllowed.Header("Allow", "POST")
	}
	w.Header().Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutBody)
	if err := r.ParseForm(); err != nil {
		return auth.ErrMalformed.Wrap(fmt.Errorf("read the form: %w", err))
	}
	if len(r.PostForm["logout_token"]) != 1 {
		return auth.ErrMalformed.With("reason", "the form must have one logout_token")
	}
	p, err := l.verifier.Verify(r.Context(), r.PostForm.Get("logout_token"))
	switch {
	case errors.Is(err, auth.ErrUnavailable):
		return err
	case err != nil:
		return auth.ErrMalformed.Wrap(errors.Opaque(err)).With("reason", string(auth.ReasonOf(err)))
	}
	until := time.Now().Add(l.maxAge + maxLeeway) // a verifier adds its Leeway to MaxAge
	if p.SessionID() != "" {
		return l.revocations.RevokeSession(r.Context(), p.SessionID(), until)
	}
	return l.revocations.RevokeSubject(r.Context(), p.Subject(), time.Now(), until)
}
