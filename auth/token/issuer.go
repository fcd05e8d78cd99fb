package token

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// IssuerOptions configures an [Issuer]. Keys, Issuer and Audience are
// required.
type IssuerOptions struct {
	// Keys must have a key that signs at every time.
	Keys *Keys
	// Issuer is the iss of the tokens, and Audience their aud.
	Issuer   string
	Audience []string
	// TTL is the lifetime of a token, in whole seconds, at most 1 h. 0 means 5 min.
	TTL time.Duration
	// InsecureClaims lists claims that are issued although their names are
	// sensitive. Every holder of the token can read its payload.
	InsecureClaims []string
}

// An Issuer issues access tokens as JWTs (RFC 9068). It is immutable and safe
// for concurrent use.
type Issuer struct {
	keys     *Keys
	issuer   string
	audience []string
	ttl      time.Duration
	allowed  []string // folded names of sensitive claims
	now      func() time.Time
}

// NewIssuer returns an Issuer. It reports all invalid options, joined.
func NewIssuer(o IssuerOptions) (*Issuer, error) {
	var problems []error
	refuse := func(problem string) { problems = append(problems, errors.New("token: "+problem)) }
	if !o.Keys.usable() {
		refuse("Keys: must not be nil or zero; did you mean NewKeys?")
	} else if !slices.ContainsFunc(o.Keys.currentKeys(), (*Key).canSign) {
		refuse("Keys: contain no key that signs; did you mean NewKey instead of NewPublicKey?")
	}
	problems = append(problems, checkNames(o.Issuer, o.Audience))
	for i, name := range o.InsecureClaims {
		place := "InsecureClaims[" + strconv.Itoa(i) + "] " + strconv.Quote(name)
		switch {
		case isReserved(name):
			refuse(place + ": is the issuer's own claim, and never issued from a Grant's Claims")
		case !isSensitive(name):
			refuse(place + ": is not a sensitive name, so it is issued anyway; did you mistype it?")
		}
	}
	if o.Issuer == "" {
		refuse(`Issuer: must not be empty; did you mean "https://api.example.com"?`)
	}
	if len(o.Audience) == 0 || len(o.Audience) > maxElements || slices.Contains(o.Audience, "") {
		refuse("Audience: must have 1 to 100 entries, none of them empty")
	}
	if o.TTL < 0 || o.TTL > time.Hour || o.TTL%time.Second != 0 {
		refuse("TTL " + o.TTL.String() + ": must be whole seconds, at most 1h; for a longer login, use package session")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	i := &Issuer{keys: o.Keys, issuer: o.Issuer, audience: slices.Clone(o.Audience), ttl: orDefault(o.TTL, 5*time.Minute), now: time.Now}
	for _, name := range o.InsecureClaims {
		i.allowed = append(i.allowed, fold(name))
	}
	return i, nil
}

// A Grant has the claims of a token. Strings must be UTF-8. Subject is required.
type Grant struct {
	// Subject is the ID of the caller, at most 256 bytes.
	Subject string
	// SessionID is the ID of the login that the token belongs to, at most 256
	// bytes.
	SessionID string
	// ClientID is the client that the token is issued to. A client that acts for
	// itself has its ClientID as the Subject, and becomes an [auth.Program]. The
	// Subject of a person must not be the ID of a client (RFC 9068, section 5).
	ClientID string
	// Scope and Roles are the granted names. A scope must not have spaces (RFC
	// 6749, section 3.3).
	Scope, Roles []string
	// Thumbprint binds the token to a key, so that each request needs a proof by it: see
	// [DPoP.Prove]. Empty means a bearer token.
	Thumbprint string
	// AuthTime is the time of the login. Zero means that the token has none.
	AuthTime time.Time
	// Claims is a struct or a map with the application's own claims, which become
	// members of the payload. Names of registered claims and of secrets are
	// refused.
	Claims any
}

// payload has the claims of every token.
type payload struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	ID       string   `json:"jti"`
	Session  string   `json:"sid,omitempty"`
	Client   string   `json:"client_id,omitempty"`
	Scope    string   `json:"scope,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	AuthTime int64    `json:"auth_time,omitempty"`
	Bound    *bound   `json:"cnf,omitempty"`
}

// bound is the cnf of RFC 9449, section 6.1.
type bound struct {
	Thumbprint string `json:"jkt"`
}

// Issue signs a token and returns it with its expiry. It returns an error for a
// grant that no verifier would accept, for a claim with a sensitive name, and
// [auth.ErrUnavailable] if no key signs now.
func (i *Issuer) Issue(ctx context.Context, g Grant) (token string, expires time.Time, err error) {
	return i.issue(ctx, g, time.Time{})
}

// issue signs a token that expires at until at the latest, unless until is zero.
func (i *Issuer) issue(_ context.Context, g Grant, until time.Time) (token string, expires time.Time, err error) {
	if i == nil || i.now == nil {
		return "", time.Time{}, auth.ErrUnavailable.With("reason", "the issuer was not made by NewIssuer")
	}
	now := i.now().Truncate(time.Second)
	expires = now.Add(i.ttl)
	if !until.IsZero() && until.Before(expires) {
		expires = until.Truncate(time.Second)
	}
	if !expires.After(now) {
		return "", time.Time{}, errors.New("token: the session ends within this second")
	}
	key, err := i.keys.signing(now)
	if err != nil {
		return "", time.Time{}, err
	}
	if err := g.checkFields(); err != nil {
		return "", time.Time{}, err
	}
	p := payload{
		Issuer: i.issuer, Subject: g.Subject, Audience: i.audience, Expires: expires.Unix(), Issued: now.Unix(), ID: rand.Text(),
		Session: g.SessionID, Client: g.ClientID, Scope: strings.Join(g.Scope, " "), Roles: g.Roles,
	}
	if !g.AuthTime.IsZero() {
		p.AuthTime = g.AuthTime.Unix()
	}
	if g.Thumbprint != "" {
		p.Bound = &bound{g.Thumbprint}
	}
	body, err := i.encode(p, g.Claims)
	if err != nil {
		return "", time.Time{}, err
	}
	head, err := json.Marshal(struct {
		Alg Alg    `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ"`
	}{key.alg, key.kid, accessTokenType})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("encode header: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	input := encode(head) + "." + encode(body)
	signature, err := key.sign(input)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign token: %w", err)
	}
	return input + "." + encode(signature), expires, nil
}

// ForSession issues a token for a session. It expires at the latest with the
// session, because an ended session cannot be revoked. It fits
// session.Options.Issue.
func (i *Issuer) ForSession(ctx context.Context, s session.Session) (string, time.Time, error) {
	return i.issue(ctx, Grant{Subject: s.Subject, SessionID: s.ID, Scope: s.Scope, Roles: s.Roles, AuthTime: s.AuthTime}, s.Expires)
}

// checkFields reports the fields that a verifier would refuse, or read differently.
func (g *Grant) checkFields() error {
	if g.Subject == "" || len(g.Subject) > 256 {
		return errors.New("token: Grant: Subject must have 1 to 256 bytes")
	}
	if len(g.SessionID) > 256 {
		return errors.New("token: Grant: SessionID has more than 256 bytes")
	}
	// encoding/json writes U+FFFD for every byte that is not UTF-8, so one
	// subject would become another.
	for _, name := range [...]struct{ what, text string }{
		{"Subject", g.Subject}, {"SessionID", g.SessionID}, {"ClientID", g.ClientID}, {"a role", strings.Join(g.Roles, "\n")},
	} {
		if !utf8.ValidString(name.text) {
			return errors.New("token: Grant: " + name.what + " is not UTF-8")
		}
	}
	for _, scope := range g.Scope {
		if scope == "" || !isVisible(scope) || strings.ContainsAny(scope, `"\`) {
			return errors.New("token: Grant: Scope " + strconv.Quote(scope) + ": is not a scope-token of RFC 6749")
		}
	}
	if len(g.Roles) > maxElements {
		return errors.New("token: Grant: Roles has more than 100 entries")
	}
	return nil
}

// maxPayload keeps a token below the 8 KiB that a [Verifier] takes.
const maxPayload = 5 << 10

// encode returns the payload: the registered claims and those of the application.
func (i *Issuer) encode(p payload, own any) ([]byte, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode claims: %w", err)
	}
	if own != nil {
		extra, err := json.Marshal(own)
		if err != nil {
			return nil, fmt.Errorf("encode claims: %w", err)
		}
		if err := i.checkOwn(extra); err != nil {
			return nil, err
		}
		if len(extra) > len("{}") {
			body = append(append(body[:len(body)-1], ','), extra[1:]...)
		}
	}
	if len(body) > maxPayload {
		return nil, errors.New("token: Grant: the claims have " + strconv.Itoa(len(body)) + " bytes; the maximum is 5120")
	}
	list, ok := members(string(body), nil, maxClaims)
	if !ok {
		return nil, errors.New("token: Grant: a verifier would refuse the payload")
	}
	if _, wrong := parseClaims(list, false); wrong != "" {
		return nil, errors.New("token: Grant: a verifier would refuse the claim " + strconv.Quote(wrong))
	}
	return body, nil
}
