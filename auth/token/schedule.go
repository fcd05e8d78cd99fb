package token

import (
	"strconv"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// jwksMaxAge is how long verifiers may remember the published keys.
const jwksMaxAge = 5 * time.Minute

// Schedule is the life of a key. All replicas of a service that have the same
// keys change over together, without talking, since what a key does depends on
// the clock alone. The zero Schedule, which a new key has, lets the key sign and
// verify from now on, without an end. [Key.On] sets another one.
type Schedule struct {
	// Publish is when the key is first published and accepted. Zero: already.
	Publish time.Time
	// Sign is when it starts to sign, at least 10 minutes after Publish, so
	// that every verifier knows it by then. Zero: as soon as it is published.
	Sign time.Time
	// Retire is when it stops to sign. Zero: when another key starts later, or
	// never.
	Retire time.Time
	// Remove is when it is no longer accepted, at least a token's life after
	// Retire. Zero: never.
	Remove time.Time
}

// checkOrder says what is wrong with the order of times.
func (s Schedule) checkOrder(kid string) error {
	problem := ""
	switch {
	case !s.Sign.IsZero() && !s.Publish.IsZero() && s.Sign.Sub(s.Publish) < 2*jwksMaxAge:
		problem = "Sign is less than 10 minutes after Publish, so verifiers may not know the key"
	case !s.Retire.IsZero() && (s.Retire.Before(s.Sign) || s.Retire.Before(s.Publish)):
		problem = "Retire is before Sign or Publish"
	case !s.Remove.IsZero() && s.Retire.IsZero():
		problem = "Remove without Retire would end tokens that were just signed"
	case !s.Remove.IsZero() && s.Remove.Before(s.Retire):
		problem = "Remove is before Retire"
	default:
		return nil
	}
	return errors.New("token: key " + strconv.Quote(kid) + ": Schedule: " + problem)
}

func (s Schedule) published(now time.Time) bool {
	return !now.Before(s.Publish) && (s.Remove.IsZero() || now.Before(s.Remove))
}

func (s Schedule) signs(now time.Time) bool {
	return s.published(now) && !now.Before(s.Sign) && (s.Retire.IsZero() || now.Before(s.Retire))
}

// since is when the key started to sign.
func (s Schedule) since() time.Time {
	if s.Sign.After(s.Publish) {
		return s.Sign
	}
	return s.Publish
}
