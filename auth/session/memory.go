package session

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"
)

// A Memory is a [Store] in the memory of this process. It is created by
// [NewMemory], and safe for concurrent use.
type Memory struct {
	mu     sync.Mutex
	owners map[string]map[string]*list.Element
	// used holds all records, the longest idle in front, so that expired ones are
	// found without a search.
	used *list.List
	// epochs has the times of deletions: of all sessions under the owner, of one
	// session under owner and ID. ended has the same, the earliest in front.
	epochs map[string]*list.Element
	ended  *list.List
	now    func() time.Time
}

// An epoch is the time at which all sessions of an owner, or one of them, were deleted.
type epoch struct {
	key string // in Memory.epochs
	at  time.Time
}

// supersedes reports whether a login that began age ago came before the deletion.
// If the clock was set back meanwhile, it reports false, so that no user is
// locked out.
func (e epoch) supersedes(now time.Time, age time.Duration) bool {
	return !now.Before(e.at) && !now.Add(-age).After(e.at)
}

// entry is an element's value.
type entry struct {
	Record
	owner    string
	absolute time.Time
	attempt  [32]byte
	left     []time.Time // the times at which the earlier generations were superseded; newest first
}

// NewMemory returns an empty Memory. A restart of the process ends all
// sessions.
func NewMemory() *Memory {
	return &Memory{owners: make(map[string]map[string]*list.Element), used: list.New(), epochs: make(map[string]*list.Element), ended: list.New(), now: wallNow}
}

// wallNow returns the time without a monotonic reading. The monotonic clock stops while a
// machine sleeps, and sessions must expire nevertheless.
func wallNow() time.Time { return time.Now().Round(0).UTC() }

// Create implements [Store].
func (m *Memory) Create(_ context.Context, c Creation) (Created, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.sweep(now)
	if last := m.epochs[c.Owner]; last != nil && last.Value.(epoch).supersedes(now, c.Age) {
		return Created{Superseded: true}, nil
	}
	e := &entry{owner: c.Owner, absolute: now.Add(c.Absolute)}
	e.Record = Record{ID: c.ID, Created: now, Value: c.Value}
	e.use(now, c.Idle)
	m.removeElement(m.owners[c.Owner][c.ID])
	m.removeElement(m.owners[c.Owner][c.Replaces])
	sessions := m.owners[c.Owner]
	if sessions == nil {
		sessions = make(map[string]*list.Element)
		m.owners[c.Owner] = sessions
	}
	sessions[c.ID] = m.used.PushBack(e)
	return Created{Record: e.Record, Evicted: m.evictSurplus(c, now)}, nil
}

// evictSurplus deletes the records of an owner above the maximum. Expired ones
// are deleted first, because a session that expired by its absolute age may have been used
// later than a live one.
func (m *Memory) evictSurplus(c Creation, now time.Time) []Record {
	if sessions := m.owners[c.Owner]; len(sessions) > c.Max {
		for _, element := range sessions {
			if !now.Before(element.Value.(*entry).Expires) {
				m.removeElement(element)
			}
		}
	}
	var evicted []Record
	for sessions := m.owners[c.Owner]; len(sessions) > c.Max; {
		var oldest *list.Element
		for id, element := range sessions {
			if id != c.ID && (oldest == nil || lastUsed(element).Before(lastUsed(oldest))) {
				oldest = element
			}
		}
		evicted = append(evicted, oldest.Value.(*entry).Record)
		m.removeElement(oldest)
	}
	return evicted
}

func lastUsed(element *list.Element) time.Time { return element.Value.(*entry).LastUsed }

// Rotate implements [Store].
func (m *Memory) Rotate(_ context.Context, r Rotation) (Rotated, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.sweep(now)
	element := m.owners[r.Owner][r.ID]
	if element == nil {
		return Rotated{}, nil
	}
	e := element.Value.(*entry)
	if !now.Before(e.Expires) {
		m.removeElement(element)
		return Rotated{}, nil
	}
	outcome, age := e.outcome(r, now), time.Duration(0)
	switch outcome {
	case Reused:
		age = e.age(r.Generation, now)
		m.removeElement(element)
	case RolledBack, Advanced:
		left := slices.Repeat([]time.Time{now}, int(min(r.Generation-e.Generation+1, MaxHistory)))
		e.left = append(left, e.left[:min(len(e.left), MaxHistory-len(left))]...)
		e.Generation, e.attempt = r.Generation+1, r.Attempt
		e.use(now, r.Idle)
		m.used.MoveToBack(element)
	}
	return Rotated{Outcome: outcome, Record: e.Record, Age: age}, nil
}

// age returns the time since an earlier generation was superseded. For a generation
// that is not stored, it returns that of the oldest stored one.
func (e *entry) age(generation uint64, now time.Time) time.Duration {
	known := min(e.Generation-generation, uint64(len(e.left)))
	if known == 0 {
		return 0
	}
	return now.Sub(e.left[known-1]).Abs()
}

func (e *entry) outcome(r Rotation, now time.Time) Outcome {
	switch {
	case r.Generation == e.Generation:
		return Advanced
	case r.Generation > e.Generation:
		return RolledBack
	}
	if e.Generation-r.Generation > 1 || len(e.left) == 0 {
		return Reused // its successor was presented, so no client can be waiting for it
	}
	since := now.Sub(e.left[0]).Abs() // a clock that is set back opens nothing
	if since < r.Grace || r.Attempt == e.attempt {
		return Repeated
	}
	return Reused
}

func (e *entry) use(now time.Time, idle time.Duration) {
	e.LastUsed, e.Expires = now, now.Add(idle)
	if e.absolute.Before(e.Expires) {
		e.Expires = e.absolute
	}
}

// List implements [Store].
func (m *Memory) List(_ context.Context, owner string) ([]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	var records []Record
	for _, element := range m.owners[owner] {
		if e := element.Value.(*entry); now.Before(e.Expires) {
			records = append(records, e.Record)
		}
	}
	return records, nil
}

// Delete implements [Store].
func (m *Memory) Delete(_ context.Context, owner string, ids ...string) ([]Ended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.sweep(now)
	var ended []Ended
	for _, id := range ids {
		element := m.owners[owner][id]
		if element != nil && now.Before(element.Value.(*entry).Expires) {
			m.recordEpoch(owner+id, now)
		}
		m.removeElement(element)
		if last := m.epochs[owner+id]; last != nil {
			if ago := max(0, now.Sub(last.Value.(epoch).at)); ago < EpochWindow {
				ended = append(ended, Ended{ID: id, Ago: ago})
			}
		}
	}
	return ended, nil
}

// recordEpoch stores an epoch with the current time.
func (m *Memory) recordEpoch(key string, now time.Time) {
	if last := m.epochs[key]; last != nil {
		m.ended.Remove(last)
	}
	m.epochs[key] = m.ended.PushBack(epoch{key, now})
}

// DeleteAll implements [Store].
func (m *Memory) DeleteAll(_ context.Context, owner string, except ...string) ([]Ended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.sweep(now)
	m.recordEpoch(owner, now)
	var ended []Ended
	for id, element := range m.owners[owner] {
		if slices.Contains(except, id) {
			continue
		}
		if now.Before(element.Value.(*entry).Expires) {
			ended = append(ended, Ended{ID: id})
		}
		m.removeElement(element)
	}
	return ended, nil
}

// removeElement has no effect for nil, which means a missing record.
func (m *Memory) removeElement(element *list.Element) {
	if element == nil {
		return
	}
	e := m.used.Remove(element).(*entry)
	sessions := m.owners[e.owner]
	delete(sessions, e.ID)
	if len(sessions) == 0 {
		delete(m.owners, e.owner)
	}
}

// sweep deletes expired records from the front, a few at a time, so that no
// request pays for many. A record that expired by its absolute age may stay behind live ones,
// until the records before it are deleted or used.
func (m *Memory) sweep(now time.Time) {
	for range 2 {
		front := m.ended.Front()
		if front == nil || now.Sub(front.Value.(epoch).at) < EpochWindow {
			break
		}
		delete(m.epochs, m.ended.Remove(front).(epoch).key)
	}
	for range 8 {
		front := m.used.Front()
		if front == nil || now.Before(front.Value.(*entry).Expires) {
			return
		}
		m.removeElement(front)
	}
}
