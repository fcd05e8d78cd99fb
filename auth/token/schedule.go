package token

import (
	"strconv"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// jwksMaxAge is the time for which verifiers may cache the published keys.
const jwksMaxAge = 5 * time.Minute

// A Schedule has the times at which the use of a key changes. Processes with the same keys
// change over together, because the use depends only on the clock. With the zero
// Schedule, which a new key has, the key signs and verifies from now on, without an end.
// [Key.On] sets another one.
//
// [Key.On] reports a Sign that is less than 10 minutes after Publish, a Retire before
// Publish or Sign, a Remove before Retire, and a Remove without Retire: the key would sign
// until it is removed, and the last tokens would be refused at once.
type Schedule struct {
	// Publish is the time from which the key is published and accepted. Zero means
	// now.
	Publish time.Time
	// Sign is the time from which the key signs, at least 10 minutes after Publish,
	// so that every verifier has fetched it by then. Zero means from Publish on.
	Sign time.Time
	// Retire is the time at which the key stops signing. If zero, it stops when a
	// later key starts.
	Retire time.Time
	// Remove is the time from which the key is not accepted. It needs a Retire, and
	// should be at least the lifetime of a token after it. Zero means never.
	Remove time.Time
}

// checkOrder returns an error if the times are out of order.
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

// signsFrom returns the time from which the key signs.
func (s Schedule) signsFrom() time.Time {
	if s.Sign.After(s.Publish) {
		return s.Sign
	}
	return s.Publish
}
