package apikey

import (
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// A Store keeps keys. It must be safe for concurrent use. An error means that the
// result is unknown, never that a key does not exist. An ID must not be empty, nor
// begin with -, which a store may use for its own records: Put must refuse both.
// authtest.TestKeyStore tests an implementation.
type Store interface {
	// Get returns the record with an ID, or false if there is none.
	Get(ctx context.Context, id string) (Record, bool, error)
	// Put writes a record if the stored one has the previous version, or, for
	// version 1, if none is stored. Otherwise it must return false.
	Put(ctx context.Context, r Record) (bool, error)
	// Delete deletes a record, also one that Get cannot read. A missing record is
	// not an error, unless an earlier write may still create it.
	Delete(ctx context.Context, id string) error
	// List returns all records. With an error, it returns those that could be read.
	List(ctx context.Context) ([]Record, error)
}

// A Record is the stored form of a key. It has only digests of secrets.
type Record struct {
	Key     Key
	Version int
	// Secrets are the valid secrets, at most two, the newest first.
	Secrets []Secret
	// Warned is the time of the last RotationOverdue.
	Warned time.Time
}

// A Secret is the SHA-256 digest of a secret, with its times.
type Secret struct {
	Digest             [sha256.Size]byte
	Created, FirstUsed time.Time
	// Delivered reports whether the owner has received the secret.
	Delivered bool
	// Attempt is the SHA-256 digest of the attempt of [Manager.RotateOnce], or zero.
	Attempt [sha256.Size]byte `json:",omitzero"`
	// Ends is the latest time at which the secret expires, if another one is to
	// replace it.
	Ends time.Time
}

func (r Record) clone() Record {
	r.Key, r.Secrets = r.Key.clone(), slices.Clone(r.Secrets)
	return r
}

// isID reports whether a key can have this ID.
func isID(id string) bool { return id != "" && id[0] != '-' }

// maxKeys bounds a Memory.
const maxKeys = 1 << 16

// A Memory is a [Store] in the memory of this process. It is created by
// [NewMemory], and safe for concurrent use.
type Memory struct {
	mu      sync.RWMutex
	records map[string]Record
}

// NewMemory returns an empty Memory, for at most 65536 keys. A restart of the
// process deletes all keys, and every client needs a new one.
func NewMemory() *Memory { return &Memory{records: make(map[string]Record)} }

// Get implements [Store].
func (m *Memory) Get(_ context.Context, id string) (Record, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.records[id]
	return r.clone(), ok, nil
}

// Put implements [Store].
func (m *Memory) Put(_ context.Context, r Record) (bool, error) {
	if !isID(r.Key.ID) {
		return false, errors.New("apikey: " + strconv.Quote(r.Key.ID) + " is not a key ID")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, ok := m.records[r.Key.ID]
	if stored.Version != r.Version-1 {
		return false, nil
	}
	if !ok && len(m.records) >= maxKeys {
		return false, errors.New("apikey: the memory store is full")
	}
	m.records[r.Key.ID] = r.clone()
	return true, nil
}

// Delete implements [Store].
func (m *Memory) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, id)
	return nil
}

// List implements [Store].
func (m *Memory) List(context.Context) ([]Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := make([]Record, 0, len(m.records))
	for _, r := range m.records {
		list = append(list, r.clone())
	}
	slices.SortFunc(list, func(a, b Record) int { return a.Key.Created.Compare(b.Key.Created) })
	return list, nil
}
