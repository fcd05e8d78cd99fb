package redislimit

import (
	"context"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/wiring"
	"github.com/ringwall/ringwall/ratelimit"
)

// Store is a [ratelimit.Store] in Redis. It is immutable, and safe for
// concurrent use. It starts nothing that has to be closed; the client stays the
// caller's.
type Store struct {
	client    link
	flights   flights
	keys      *keyer
	scattered bool // keys of different tags may be on different servers
	onEvent   func(context.Context, Event)
	logger    *slog.Logger
	start     time.Time
	compare   atomic.Int64  // when to compare fingerprints again
	clock     time.Duration // 0 means that of the server
}

var _ ratelimit.Store = (*Store)(nil)

const (
	// maxCharges bounds the charges of a call.
	maxCharges = 8
	// maxPrefix bounds Options.Prefix, in bytes.
	maxPrefix = 64
)

// New returns a Store on a client of one server, Sentinel, Cluster or Ring. It
// sends nothing: Redis may be absent when the service starts. It refuses a
// Secret that is too short and a Prefix that would break keys; the error joins
// all problems.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	var problems []error
	refuse := func(text string) { problems = append(problems, errors.New(text)) }
	if wiring.IsNil(client) {
		refuse("redislimit: client: must not be nil; did you mean redis.NewClient?")
	}
	if len(o.Secret) < 16 {
		refuse("redislimit: Secret: has " + strconv.Itoa(len(o.Secret)) + " bytes; the minimum is 16; did you mean 32 bytes of crypto/rand?")
	}
	if len(o.Prefix) > maxPrefix || strings.ContainsAny(o.Prefix, "{}") {
		refuse("redislimit: Prefix " + strconv.Quote(o.Prefix) + ": must have at most 64 bytes and no braces, which change the slot of a key in Redis Cluster; did you mean " + strconv.Quote(suggestPrefix(o.Prefix)) + "?")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if o.Prefix == "" {
		o.Prefix = "rl:"
	}
	single, isSingle := client.(*redis.Client)
	s := &Store{
		client: link{client: client, single: single}, keys: newKeyer(append([]byte(nil), o.Secret...), o.Prefix),
		scattered: !isSingle, onEvent: o.OnEvent, logger: o.Logger, start: time.Now(),
	}
	s.flights.link, s.flights.clock = &s.client, &s.clock
	s.flights.separate.Store(o.SeparateCalls)
	return s, nil
}

// suggestPrefix returns the closest prefix that New accepts.
func suggestPrefix(s string) string {
	s = strings.NewReplacer("{", "", "}", "").Replace(s)
	return s[:min(len(s), maxPrefix)]
}

// Take implements [ratelimit.Store].
func (s *Store) Take(ctx context.Context, charges []ratelimit.Charge, verdicts []ratelimit.Verdict) error {
	if err := s.decideCharges(ctx, opTake, charges, verdicts); err != nil {
		return err
	}
	s.compareSecrets(ctx)
	return nil
}

// Peek implements [ratelimit.Store].
func (s *Store) Peek(ctx context.Context, charges []ratelimit.Charge, verdicts []ratelimit.Verdict) error {
	return s.decideCharges(ctx, opPeek, charges, verdicts)
}

// Refund implements [ratelimit.Store].
func (s *Store) Refund(ctx context.Context, charges []ratelimit.Charge) error {
	charged := make([]ratelimit.Charge, 0, maxCharges)
	for i := range charges {
		if charges[i].Mark > 0 && charges[i].Cost > 0 {
			charged = append(charged, charges[i])
		}
	}
	return s.decideCharges(ctx, opRefund, charged, make([]ratelimit.Verdict, len(charged)))
}

// Reset implements [ratelimit.Store].
func (s *Store) Reset(ctx context.Context, keys []ratelimit.Key) error {
	if len(keys) == 0 {
		return nil
	}
	decisions := make([]*decision, len(keys))
	for i := range keys {
		decisions[i] = newReset(s.keys.placeOf(s.keys.principalTag(&keys[i]), keys[i].Policy))
	}
	if err := s.resetLimits(ctx, decisions); err != nil {
		return s.wrapError(opReset, err)
	}
	return nil
}

// resetLimits sends resets in one round trip, and returns the first error.
func (s *Store) resetLimits(ctx context.Context, decisions []*decision) error {
	if len(decisions) == 1 && !s.scattered {
		return s.flights.makeDecision(ctx, decisions[0])
	}
	calls := make([]*call, len(decisions))
	for i := range decisions {
		calls[i] = newCall(ctx, s.clock, decisions[i:i+1])
	}
	if err := s.client.send(ctx, calls); err != nil {
		return err
	}
	for _, d := range decisions {
		if d.err != nil {
			return d.err
		}
	}
	return nil
}

// checkCharges refuses charges that the script cannot count.
func checkCharges(charges []ratelimit.Charge) error {
	if len(charges) > maxCharges {
		return errors.New("redislimit: a call has more than 8 charges")
	}
	for i := range charges {
		c := &charges[i]
		switch window := milliseconds(c.Window); {
		case c.Requests <= 0 || window <= 0 || c.Cost < 0 || c.Penalty < 0:
			return errors.New("redislimit: a charge must have positive Requests and Window, and no negative Cost or Penalty")
		case c.Requests > math.MaxInt32 || window > math.MaxUint32 || milliseconds(c.Penalty) > 1<<40:
			return errors.New("redislimit: a charge is too large: Requests must be at most 2147483647, Window at most 49 days and Penalty at most 34 years")
		}
	}
	return nil
}

// milliseconds rounds up.
func milliseconds(d time.Duration) int64 {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}
