package session

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// List returns the live sessions of a subject, the last used first. An error
// is of kind [auth.ErrUnavailable].
func (m *Manager) List(ctx context.Context, subject string) ([]Session, error) {
	records, err := m.records(ctx, ownerID(subject))
	if err != nil {
		return nil, err
	}
	sessions := make([]Session, 0, len(records))
	for _, record := range records {
		s, err := decode(record)
		if err != nil {
			return nil, unavailable(err)
		}
		sessions = append(sessions, s)
	}
	slices.SortFunc(sessions, func(a, b Session) int { return b.LastUsed.Compare(a.LastUsed) })
	return sessions, nil
}

func (m *Manager) records(ctx context.Context, owner string) ([]Record, error) {
	ctx, cancel := detach(ctx)
	defer cancel()
	records, err := m.store.List(ctx, owner)
	if err != nil {
		return nil, unavailable(err)
	}
	return records, nil
}

// Revoke ends one session of a subject. Nothing happens when the subject has
// no session of this ID: another's is not touched. An error is of kind
// [auth.ErrUnavailable]; what was not done is done by calling it again, except
// that access tokens may live until they expire.
func (m *Manager) Revoke(ctx context.Context, subject, id string) error {
	owner := ownerID(subject)
	records, err := m.records(ctx, owner)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(records, func(r Record) bool { return r.ID == id }) {
		return nil
	}
	return m.end(ctx, owner, id)
}

// RevokeAll ends the sessions of a subject, but for those whose IDs are given,
// and the access tokens that belong to no session. When it returns, no token
// works that was made for a session it ended, and no login that began before
// makes another: see [Session].AuthTime. After a new password, change that
// first. An error is that of [Manager.Revoke].
func (m *Manager) RevokeAll(ctx context.Context, subject string, except ...string) error {
	var failed error
	if m.revocations != nil {
		limited, cancel := detach(ctx)
		defer cancel()
		now := time.Now()
		if err := m.revocations.RevokeSubject(limited, subject, now, now.Add(maxAccess+maxIssue)); err != nil {
			failed = unavailable(err)
		}
	}
	limited, cancel := detach(ctx)
	defer cancel()
	ids, err := m.store.DeleteAll(limited, ownerID(subject), except...)
	if err != nil {
		failed = errors.Join(failed, unavailable(err))
	}
	return errors.Join(failed, m.revokeEach(ctx, ids))
}

// end deletes sessions, and revokes their access tokens: also those that a
// request of this moment is still to make, since it carries the same session.
// One failure does not keep the rest from being done.
func (m *Manager) end(ctx context.Context, owner string, ids ...string) error {
	limited, cancel := detach(ctx)
	defer cancel()
	var failed error
	if err := m.store.Delete(limited, owner, ids...); err != nil {
		failed = unavailable(err)
	}
	return errors.Join(failed, m.revokeEach(ctx, ids))
}

// atOnce is how many sessions are revoked side by side: a Redis that confirms
// late, or never, makes each of them wait.
const atOnce = 8

// revokeEach revokes all, also when some fail.
func (m *Manager) revokeEach(ctx context.Context, ids []string) error {
	failed := make([]error, len(ids))
	for first := 0; first < len(ids); first += atOnce {
		var group sync.WaitGroup
		for i := first; i < min(first+atOnce, len(ids)); i++ {
			group.Go(func() { failed[i] = m.revoke(ctx, ids[i]) })
		}
		group.Wait()
	}
	return errors.Join(failed...)
}

// revoke tells the verifiers of a session that has ended: once a minute, since
// [auth.Revocations] tells nobody what they know already. Who keeps the token
// of a dead session could fill their feed with logouts.
func (m *Manager) revoke(ctx context.Context, id string) error {
	if m.revocations == nil {
		return nil
	}
	limited, cancel := detach(ctx)
	defer cancel()
	until := time.Now().Add(maxAccess + maxIssue + time.Minute).Truncate(time.Minute)
	if err := m.revocations.RevokeSession(limited, id, until); err != nil {
		return unavailable(err)
	}
	return nil
}
