package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// secrets has 32 random bytes for each name, generated at the first use. With a folder,
// they are stored in files, which all shops with that folder share.
type secrets struct {
	dir  string
	mu   sync.Mutex
	made map[string][]byte // without a folder
}

// newSecrets returns the secrets of a folder, which only its owner may read. Empty means
// memory.
func newSecrets(dir string) (*secrets, error) {
	s := &secrets{dir: dir, made: make(map[string][]byte)}
	if dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return s, private(dir)
}

// private returns an error if others than the owner can read or change the file.
func private(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s: others can open it (%s); did you mean chmod go= %[1]s?", path, info.Mode().Perm())
	}
	return err
}

// get returns a secret. If it does not exist, get creates it or returns nil.
func (s *secrets) get(name string, make bool) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		if s.made[name] == nil && make {
			s.made[name] = random()
		}
		return s.made[name], nil
	}
	text, err := s.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		if !make {
			return nil, nil
		}
		// If several shops start at once, one creates the file, and all read it.
		err = s.write(name, base64.StdEncoding.AppendEncode(nil, random()), os.Link)
		if err == nil || errors.Is(err, fs.ErrExist) {
			text, err = s.read(name)
		}
	}
	if err != nil {
		return nil, err
	}
	secret, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(secret) != 32 {
		return nil, fmt.Errorf("%s: is not 32 bytes in base64", filepath.Join(s.dir, name))
	}
	return secret, nil
}

func (s *secrets) read(name string) ([]byte, error) {
	path := filepath.Join(s.dir, name)
	if err := private(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// write stores a file atomically: by os.Link if it must not exist, by os.Rename
// if it replaces another.
func (s *secrets) write(name string, content []byte, place func(from, to string) error) error {
	temporary, err := os.CreateTemp(s.dir, ".new-*") // with 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(content)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return place(temporary.Name(), filepath.Join(s.dir, name))
}

func random() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	return secret
}

// A signing key signs for 30 days. It is published a day before that, and accepted for a
// day after, so that verifiers may cache the keys for a day.
const (
	signingLife = 30 * 24 * time.Hour
	signingLead = 24 * time.Hour
)

// signingKeys returns the keys of the days around now. The schedule of a key
// depends only on its number and the clock, so all shops change over together.
func (s *secrets) signingKeys(now time.Time) ([]token.Key, error) {
	number := now.UnixNano() / int64(signingLife)
	var keys []token.Key
	for n := number - 1; n <= number+1; n++ {
		seed, err := s.get(fmt.Sprintf("signing-%d.key", n), n >= number)
		if err != nil {
			return nil, err
		}
		if seed == nil {
			continue // the folder is younger than this key
		}
		signer := ed25519.NewKeyFromSeed(seed)
		kid, err := token.Thumbprint(signer.Public())
		if err != nil {
			return nil, err
		}
		sign := time.Unix(0, n*int64(signingLife))
		retire := sign.Add(signingLife)
		key, err := token.NewKey(kid, token.EdDSA, signer)
		if err != nil {
			return nil, err
		}
		key, err = key.On(token.Schedule{Publish: sign.Add(-signingLead), Sign: sign, Retire: retire, Remove: retire.Add(signingLead)})
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// A refresh key signs tokens for 180 days. They are valid for a week longer, which is the
// maximum of an idle session. A shop reads the keys of two periods at its start, so it
// must be restarted within 180 days.
const refreshLife = 180 * 24 * time.Hour

func (s *secrets) refreshKeys(now time.Time) ([]session.Key, error) {
	number := now.UnixNano() / int64(refreshLife)
	var keys []session.Key
	for n := number - 1; n <= number+1; n++ {
		secret, err := s.get(fmt.Sprintf("refresh-%d.key", n), n >= number)
		if err != nil {
			return nil, err
		}
		if secret == nil {
			continue
		}
		sign := time.Unix(0, n*int64(refreshLife))
		keys = append(keys, session.Key{ID: uint8(n), Secret: secret, Sign: sign, Remove: sign.Add(refreshLife + 8*24*time.Hour)})
	}
	return keys, nil
}
