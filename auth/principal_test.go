package auth_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

func TestPrincipalIsImmutable(t *testing.T) {
	id := auth.Identity{CallerType: auth.Person, Subject: "ada", Scope: []string{"read"}, Roles: []string{"user"}, Claims: []byte(`{"a":1}`)}
	p, err := auth.NewPrincipal(id)
	require.NoError(t, err)
	for _, change := range []func(){
		func() { id.Scope[0], id.Roles[0], id.Claims[2] = "write", "admin", 'b' },
		func() { p.Scope()[0], p.Roles()[0], p.Claims()[2] = "write", "admin", 'b' },
	} {
		change()
		require.True(t, p.HasScope("read") && p.HasRole("user") && !p.HasScope("write") && !p.HasRole("admin"))
		require.Equal(t, `{"a":1}`, string(p.Claims()))
	}
}

func TestNewPrincipalRefuses(t *testing.T) {
	_, err := auth.NewPrincipal(auth.Identity{CallerType: "robot"})
	require.EqualError(t, err, "auth: CallerType \"robot\": is unknown; did you mean auth.Person, auth.Program or auth.Unknown?\nauth: Subject: must not be empty")
}

func TestPrincipalPrintsNoClaims(t *testing.T) {
	p := errors.Must(auth.NewPrincipal(auth.Identity{CallerType: auth.Person, Subject: "ada", SessionID: "s1", CredentialID: "c1", Claims: []byte(`{"hidden":true}`)}))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("called", "principal", p)
	require.Contains(t, log.String(), "principal.caller_type=person principal.subject=ada principal.session_id=s1 principal.credential_id=c1")
	require.Equal(t, "person ada person ada person ada", fmt.Sprintf("%v %+v %#v", p, p, p))
}

func TestClaimsDecodesIntoAType(t *testing.T) {
	type own struct {
		Plan string `json:"plan"`
	}
	with := func(claims string) (own, error) {
		p := errors.Must(auth.NewPrincipal(auth.Identity{CallerType: auth.Person, Subject: "ada", Claims: []byte(claims)}))
		return auth.Claims[own](auth.NewContext(t.Context(), p))
	}
	claims, err := with(`{"plan":"gold"}`)
	require.NoError(t, err)
	require.Equal(t, own{"gold"}, claims)

	_, err = with("")
	require.ErrorIs(t, err, auth.ErrMissing)
	_, err = with(`{"plan":1}`)
	require.ErrorContains(t, err, "decode claims: ")
	_, err = auth.Claims[own](t.Context())
	require.ErrorIs(t, err, auth.ErrMissing)
}

func TestFromReturnsNilWithoutMiddleware(t *testing.T) {
	p, ok := auth.From(t.Context())
	require.False(t, ok)
	require.Nil(t, p)
	p, ok = auth.From(auth.NewContext(t.Context(), nil))
	require.False(t, ok)
	require.Nil(t, p)
}

func TestRevocationsRevokeTokensAndSessions(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 5e8, time.UTC)
	r := errors.Must(auth.NewRevocations(auth.RevocationsOptions{MaxEntries: 3}))
	r.SetClock(func() time.Time { return now })
	ctx, until := t.Context(), now.Add(5*time.Minute)
	require.NoError(t, r.RevokeToken(ctx, "t1", until))
	require.NoError(t, r.RevokeSession(ctx, "s1", until))
	require.NoError(t, r.RevokeSubject(ctx, "u1", now, until))
	second := now.Truncate(time.Second)
	for _, row := range []struct {
		name, token, session, subject string
		issued                        time.Time
		want                          error
	}{
		{name: "token", token: "t1", session: "s9", subject: "u9", issued: now, want: auth.ErrRevoked},
		{name: "session", token: "t9", session: "s1", subject: "u9", issued: now, want: auth.ErrRevoked},
		{name: "subject, issued before", token: "t9", subject: "u1", issued: second.Add(-time.Second), want: auth.ErrRevoked},
		{name: "subject, issued in the same second", token: "t9", subject: "u1", issued: second, want: auth.ErrRevoked},
		{name: "subject, issued after", token: "t9", subject: "u1", issued: second.Add(time.Second)},
		{name: "subject, but of a session", token: "t9", session: "s9", subject: "u1", issued: second.Add(-time.Second)},
		{name: "a token's ID as a session", token: "s1", session: "t1", subject: "t1", issued: now},
		{name: "no names at all", issued: now},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, row.want, r.Check(ctx, row.token, row.session, row.subject, row.issued))
		})
	}

	t.Run("what does not fit closes all, until it would have ended", func(t *testing.T) {
		require.ErrorIs(t, r.RevokeToken(ctx, "t2", until), auth.ErrUnavailable)
		require.ErrorIs(t, r.Check(ctx, "t9", "s9", "u9", now), auth.ErrUnavailable)
		require.Equal(t, auth.ErrRevoked, r.Check(ctx, "t1", "", "", now))
		require.NoError(t, r.RevokeToken(ctx, "t1", until), "what is there can be revoked again")
		now = until.Add(65*time.Second - time.Nanosecond)
		require.ErrorIs(t, r.Check(ctx, "t9", "s9", "u9", now), auth.ErrUnavailable)
		require.Equal(t, auth.ErrRevoked, r.Check(ctx, "t1", "", "", now), "an entry outlives its token by the leeway")
		now = now.Add(time.Nanosecond)
		require.NoError(t, r.Check(ctx, "t1", "", "", now))
		require.NoError(t, r.RevokeToken(ctx, "t2", now.Add(time.Minute)), "dead entries make room")
		require.Equal(t, 1, r.Len())
	})
	t.Run("refuses IDs without a bound, and times that are zero", func(t *testing.T) {
		require.Error(t, r.RevokeToken(ctx, "", until))
		require.Error(t, r.RevokeToken(ctx, "t3", time.Time{}), "nothing would be revoked")
		require.Error(t, r.RevokeSession(ctx, "s3", time.Time{}), "nothing would be revoked")
		require.Error(t, r.RevokeSubject(ctx, "u3", time.Time{}, until), "nothing would be revoked")
		require.Error(t, r.RevokeSession(ctx, string(make([]byte, 257)), until))
		_, err := auth.NewRevocations(auth.RevocationsOptions{MaxEntries: -1})
		require.EqualError(t, err, "auth: MaxEntries: is negative; did you mean 0, for the default?")
	})
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = r.Check(ctx, "t9", "s9", "u9", now) }))
}
