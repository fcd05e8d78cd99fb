package redislimit

import (
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

// wrapError wraps an error. One that will not pass by itself is a
// [ratelimit.ErrMisconfigured].
func (s *Store) wrapError(o op, err error) error {
	err = fmt.Errorf("redislimit: %s: %w", o, err)
	if s.misconfigured(err) {
		return ratelimit.ErrMisconfigured.Wrap(err)
	}
	return err
}

// misconfigured reports whether an operator must change something. An untrusted
// certificate does not count: an attacker between the two could close the service
// with one.
func (s *Store) misconfigured(err error) bool {
	if redis.IsAuthError(err) || redis.IsPermissionError(err) { // NOAUTH, WRONGPASS; NOPERM
		return true
	}
	for _, prefix := range []string{"WRONGPASS", "NOAUTH", "NOPERM", "CROSSSLOT", "WRONGTYPE", "ERR unknown command"} {
		if hasPrefix(err, prefix) {
			return true
		}
	}
	if said, ok := errors.AsType[redis.Error](err); ok {
		for _, words := range [...]string{
			"can't run this command", "ACL failure in script", // within the script, of Redis 7.0 and of newer ones
			"not of redislimit", "data string too short", // another's data
		} {
			if strings.Contains(said.Error(), words) {
				return true
			}
		}
	}
	if s.client.single == nil {
		return false
	}
	// A client of one server that speaks to a Cluster.
	_, moved := redis.IsMovedError(err)
	_, ask := redis.IsAskError(err)
	return moved || ask
}

// hasPrefix reports whether a reply of Redis is an error with this prefix.
func hasPrefix(err error, prefix string) bool {
	said, ok := errors.AsType[redis.Error](err)
	return ok && redis.HasErrorPrefix(said, prefix)
}
