package session

import "time"

// Epochs returns the number of stored epochs.
func (m *Memory) Epochs() int { return max(len(m.epochs), m.ended.Len()) }

// SetClock replaces the store's clock.
func (m *Memory) SetClock(now func() time.Time) { m.now = now }

// Len returns the number of records, expired ones included, and of owners.
func (m *Memory) Len() (records, owners int) { return m.used.Len(), len(m.owners) }

// Rewind sets every record back by some rotations, without its attempt.
func (m *Memory) Rewind(rotations uint64) {
	if rotations == 0 {
		return
	}
	for element := m.used.Front(); element != nil; element = element.Next() {
		e := element.Value.(*entry)
		e.Generation -= rotations
		e.left, e.attempt = e.left[rotations:], [32]byte{}
	}
}

// Parsed is the content of a token.
type Parsed = credential

// Keyring makes and parses tokens.
type Keyring = keyring

// Token and Parse reach the keyring from tests.
func (ring keyring) Token(c Parsed) (string, error) { return ring.makeToken(c, time.Now()) }

// Parse is parse, now.
func (ring keyring) Parse(token string) (Parsed, bool) { return ring.parseToken(token, time.Now()) }

// NewParsed returns a credential.
func NewParsed(subject string, generation uint64) Parsed {
	c := newCredential(subject)
	c.generation = generation
	return c
}

// Secret returns the part that no store may see.
func (c credential) Secret() []byte { return c.secret[:] }

// OwnerID is what stores call a subject.
func OwnerID(subject string) string { return ownerID(subject) }
