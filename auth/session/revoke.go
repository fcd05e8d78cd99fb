package session

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// List returns the live sessions of a subject, the most recently used first. An error
// is of kind [auth.ErrUnavailable].
func (m *Manager) List(ctx context.Context, subject string) ([]Session, error) {
	limited, cancel := withStoreTimeout(ctx)
	defer cancel()
	records, err := m.store.List(limited, ownerID(subject))
	if err != nil {
		return nil, unavailableError(err)
	}
	sessions := make([]Session, 0, len(records))
	for _, record := range records {
		s, err := decode(record)
		if err != nil {
			return nil, unavailableError(err)
		}
		sessions = append(sessions, s)
	}
	slices.SortFunc(sessions, func(a, b Session) int { return b.LastUsed.Compare(a.LastUsed) })
	return sessions, nil
}

// Revoke ends one session of a subject. Other processes refuse its access tokens as
// after [Manager.RevokeAll]. It has no effect if the subject has no session with this
// ID. An error is of kind [auth.ErrUnavailable]; call Revoke again to complete it.
func (m *Manager) Revoke(ctx context.Context, subject, id string) error {
	if raw, err := hex.DecodeString(id); err != nil || hex.EncodeToString(raw) != id || len(raw) != idSize {
		return nil // a store has only IDs
	}
	return m.endSession(ctx, ownerID(subject), id)
}

// RevokeAll ends all sessions of a subject, except those with the given IDs, and
// revokes the subject's access tokens without a session. When it has returned nil, the
// refresh tokens of the ended sessions are refused, this process refuses their access
// tokens, and a login that began before creates no session: see [Session].AuthTime.
//
// Another process accepts the access tokens until it has read the feed of Revocations,
// for at most its MaxStale: see [auth.Revocations]. Change a password before calling
// RevokeAll. It takes at most 10 s and one call of the store or the feed. An error is
// of kind [auth.ErrUnavailable], even if only the time was too short; call RevokeAll
// again.
func (m *Manager) RevokeAll(ctx context.Context, subject string, except ...string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), manyTimeout)
	defer cancel()
	var failed error
	if m.revocations != nil {
		now := time.Now()
		if err := m.revocations.RevokeSubject(ctx, subject, now, now.Add(maxAccess+maxIssue)); err != nil {
			failed = unavailableError(err)
		}
	}
	limited, stop := withStoreTimeout(ctx)
	defer stop()
	ended, err := m.store.DeleteAll(limited, ownerID(subject), except...)
	if err != nil {
		failed = errors.Join(failed, unavailableError(err))
	}
	return errors.Join(failed, m.revokeEach(ctx, ended))
}

// endSession deletes a session and revokes its access tokens, including tokens that
// concurrent requests are about to issue, because they have the same session ID. A
// session that ended long ago adds no revocation, because collected tokens of ended
// sessions, sent all at once, would fill the revocations.
func (m *Manager) endSession(ctx context.Context, owner, id string) error {
	ended, err := m.deleteSession(ctx, owner, id)
	return errors.Join(err, m.revokeEach(context.WithoutCancel(ctx), ended))
}

func (m *Manager) deleteSession(ctx context.Context, owner, id string) ([]Ended, error) {
	ctx, cancel := withStoreTimeout(ctx)
	defer cancel()
	ended, err := m.store.Delete(ctx, owner, id)
	if err != nil {
		err = unavailableError(err)
	}
	return ended, err
}

const (
	// manyTimeout bounds the revocation of many sessions, because each may wait for a
	// Redis that confirms late.
	manyTimeout = 10 * time.Second
	// atOnce is the number of sessions that are revoked concurrently, for the same
	// reason.
	atOnce = 8
)

// revokeEach revokes all sessions until ctx ends, even if some fail.
func (m *Manager) revokeEach(ctx context.Context, ended []Ended) error {
	failed := make([]error, len(ended)+1)
	for first := 0; first < len(ended); first += atOnce {
		if err := ctx.Err(); err != nil {
			failed[len(ended)] = unavailableError(fmt.Errorf("revoke the access tokens of %d more sessions: %w", len(ended)-first, err))
			break
		}
		var group sync.WaitGroup
		for i := first; i < min(first+atOnce, len(ended)); i++ {
			group.Go(func() { failed[i] = m.revoke(ctx, ended[i]) })
		}
		group.Wait()
	}
	return errors.Join(failed...)
}

// revoke adds an ended session to the revocations, at most once a minute:
// [auth.Revocations] adds nothing that it has already, so repeats do not fill the
// feed.
func (m *Manager) revoke(ctx context.Context, s Ended) error {
	if m.revocations == nil {
		return nil
	}
	limited, cancel := withStoreTimeout(ctx)
	defer cancel()
	until := time.Now().Add(maxAccess + maxIssue + time.Minute - s.Ago).Truncate(time.Minute)
	if err := m.revocations.RevokeSession(limited, s.ID, until); err != nil {
		return unavailableError(err)
	}
	return nil
}
