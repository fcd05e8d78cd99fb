package redisauth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// A SessionStore keeps sessions in Redis. It is a [session.Store], safe for
// concurrent use, and the same for every process that uses the Redis.
type SessionStore struct {
	*store
	create, rotate, list, delete, deleteAll script
}

var _ session.Store = (*SessionStore)(nil)

// NewSessionStore returns a store of sessions. The client may have default options, and
// may be a client of a Cluster or of Sentinels. NewSessionStore reports all invalid
// options, joined.
func NewSessionStore(client redis.UniversalClient, o Options) (*SessionStore, error) {
	s, err := newStore(client, o)
	if err != nil {
		return nil, err
	}
	return &SessionStore{
		store: s, create: newTimed(createLua), rotate: newTimed(rotateLua), list: newScript(listLua),
		delete: newScript(deleteLua), deleteAll: newScript(deleteAllLua),
	}, nil
}

// endedFor is the time for which ended sessions are stored: at least the lifetime of
// access tokens, and longer than [session.EpochWindow].
const endedFor = 62 * time.Minute

// ownerKey returns the key of the hash with all sessions of an owner. The braces are a
// hash tag, which places it in one slot of a Cluster.
func (s *SessionStore) ownerKey(owner string) string { return s.prefix + "sessions:{" + owner + "}" }

// Create implements [session.Store].
func (s *SessionStore) Create(ctx context.Context, c session.Creation) (session.Created, error) {
	confirm := s.rotations || c.Replaces != "" // the replaced session must stay ended
	reply, err := s.runScript(ctx, confirm, s.create, s.ownerKey(c.Owner), micros(s.skew), c.ID, c.Value, micros(c.Idle), micros(c.Absolute), c.Max, micros(c.Age), micros(session.EpochWindow), c.Replaces)
	if reply == nil {
		return session.Created{}, err
	}
	r := reader{}
	parts := r.asList(reply)
	var created session.Created
	if created.Superseded = r.textAt(parts, 0) == "superseded"; !created.Superseded {
		created.Record = r.record(r.at(parts, 1))
		created.Record.Value = c.Value
	}
	for _, evicted := range r.asList(r.at(parts, 2)) {
		created.Evicted = append(created.Evicted, r.record(evicted))
	}
	return created, r.joinError(err)
}

// Rotate implements [session.Store] with one round trip.
func (s *SessionStore) Rotate(ctx context.Context, t session.Rotation) (session.Rotated, error) {
	return s.rotateAs(ctx, rand.Text()[:8], t)
}

// rotateAs rotates with a given name of the call, of 8 characters.
func (s *SessionStore) rotateAs(ctx context.Context, call string, t session.Rotation) (session.Rotated, error) {
	reply, err := s.runScript(ctx, s.rotations, s.rotate, s.ownerKey(t.Owner), micros(s.skew), t.ID, t.Generation, hex.EncodeToString(t.Attempt[:]),
		micros(t.Idle), micros(t.Grace), session.MaxHistory, micros(endedFor), call)
	if reply == nil {
		return session.Rotated{}, err
	}
	r := reader{}
	parts := r.asList(reply)
	var rotated session.Rotated
	switch outcome := r.textAt(parts, 0); outcome {
	case "gone":
		return session.Rotated{}, r.joinError(err)
	case "unknown":
		return session.Rotated{}, unavailableError(errors.New("redisauth: the reply to a rotation was lost, and later rotations hide its result"))
	case "advanced":
		rotated.Outcome = session.Advanced
	case "repeated":
		rotated.Outcome = session.Repeated
	case "reused":
		rotated.Outcome = session.Reused
		rotated.Age = time.Duration(r.numberAt(parts, 2)) * time.Microsecond
	case "rolled back":
		rotated.Outcome = session.RolledBack
	default:
		return session.Rotated{}, unavailableError(fmt.Errorf("redisauth: unknown outcome %q", outcome))
	}
	rotated.Record = r.record(r.at(parts, 1))
	if r.err != nil {
		return session.Rotated{}, unavailableError(r.err)
	}
	if rotated.Outcome == session.Reused && s.replicas > 0 && !s.rotations {
		// Rotations do not wait for replicas, but an ended session must stay ended.
		// Delete waits.
		_, err = s.Delete(ctx, t.Owner, t.ID)
	}
	return rotated, err
}

// List implements [session.Store].
func (s *SessionStore) List(ctx context.Context, owner string) ([]session.Record, error) {
	reply, err := s.runScript(ctx, false, s.list, s.ownerKey(owner), micros(s.skew))
	if err != nil {
		return nil, err
	}
	r := reader{}
	var records []session.Record
	for _, record := range r.asList(reply) {
		records = append(records, r.record(record))
	}
	return records, r.joinError(nil)
}

// Delete implements [session.Store].
func (s *SessionStore) Delete(ctx context.Context, owner string, ids ...string) ([]session.Ended, error) {
	args := []any{micros(s.skew), micros(endedFor)}
	for _, id := range ids {
		args = append(args, id)
	}
	return readEnded(s.runScript(ctx, true, s.delete, s.ownerKey(owner), args...))
}

// DeleteAll implements [session.Store].
func (s *SessionStore) DeleteAll(ctx context.Context, owner string, except ...string) ([]session.Ended, error) {
	args := []any{micros(s.skew), micros(endedFor), rand.Text()[:8]}
	for _, id := range except {
		args = append(args, id)
	}
	return readEnded(s.runScript(ctx, true, s.deleteAll, s.ownerKey(owner), args...))
}

// readEnded reads the reply to a deletion.
func readEnded(reply any, err error) ([]session.Ended, error) {
	if reply == nil {
		return nil, err
	}
	r := reader{}
	var list []session.Ended
	for _, v := range r.asList(reply) {
		e := r.asList(v)
		list = append(list, session.Ended{ID: r.textAt(e, 0), Ago: time.Duration(r.numberAt(e, 1)) * time.Microsecond})
	}
	return list, r.joinError(err)
}

func micros(d time.Duration) int64 { return d.Microseconds() }
