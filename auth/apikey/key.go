package apikey

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ringwall/ringwall/errors"
)

// A Key describes an API key, without its secret.
type Key struct {
	// ID is public. Create sets it.
	ID string
	// Name is a display name, 1 to 100 bytes.
	Name string
	// Subject is the ID of the program that uses the key, 1 to 256 bytes.
	Subject string
	// Scope and Roles are the granted names: at most 64 of each, with 1 to 128
	// bytes. A scope has visible ASCII characters except " and \ (RFC 6749,
	// section 3.3).
	Scope, Roles []string
	// Networks lists the 1 to 256 networks from which the key is accepted.
	Networks []netip.Prefix
	// InsecureAnyNetwork accepts the key from every address, instead of Networks.
	InsecureAnyNetwork bool
	// Expires is the time at which the key expires. Zero means never.
	Expires time.Time
	// RotateEvery is the age at which a secret is due for rotation, at least 24 h.
	// 0 means 90 days.
	RotateEvery time.Duration
	// Overlap is the time for which the old secret works after the first use of
	// the new one, at most 30 days and at most RotateEvery. 0 means 24 h. The old
	// secret ends at the latest 30 days after the first rotation.
	Overlap time.Duration
	// Tier is the tier for rate limits by principal, at most 128 bytes.
	Tier string
	// Disabled refuses the key until it is enabled again; see [Manager.Disable].
	Disabled bool `json:",omitzero"`
	// Metadata has names and values of the application, which have no effect: at most
	// 16, with names of 1 to 64 bytes and values of at most 256.
	Metadata map[string]string `json:",omitempty"`
	// Created, Rotated and LastUsed are set by the Manager. LastUsed is exact to a
	// minute.
	Created, Rotated, LastUsed time.Time
}

const (
	day            = 24 * time.Hour
	longestOverlap = 30 * day
)

func (k Key) clone() Key {
	k.Scope, k.Roles, k.Networks = slices.Clone(k.Scope), slices.Clone(k.Roles), slices.Clone(k.Networks)
	k.Metadata = maps.Clone(k.Metadata)
	return k
}

// checkWithDefaults sets defaults, and returns all problems, joined.
func (k *Key) checkWithDefaults(now time.Time) error {
	var problems []error
	refuse := func(text string) { problems = append(problems, errors.New("apikey: "+text)) }
	k.checkNames(refuse)
	k.checkNetworks(refuse)
	k.checkMetadata(refuse)
	k.Expires = k.Expires.UTC().Round(0) // as a store returns it
	if !k.Expires.IsZero() && !k.Expires.After(now) {
		refuse("Expires: is in the past")
	}
	if k.Expires.Year() > 9999 {
		refuse("Expires: is after the year 9999") // which RFC 3339 cannot write
	}
	if k.RotateEvery == 0 {
		k.RotateEvery = 90 * day
	}
	if k.Overlap == 0 {
		k.Overlap = day
	}
	if k.RotateEvery < day {
		refuse("RotateEvery " + k.RotateEvery.String() + ": must be at least 24h")
	}
	if k.Overlap < 0 || k.Overlap > min(longestOverlap, k.RotateEvery) {
		refuse("Overlap " + k.Overlap.String() + ": must be between 0 and RotateEvery, and at most 30 days")
	}
	return errors.Join(problems...)
}

// checkNetworks normalizes the networks, and reports those that contain every
// address, alone or together. It does not check more than 256, because the check
// of their union takes long.
func (k *Key) checkNetworks(refuse func(string)) {
	switch {
	case len(k.Networks) == 0 && !k.InsecureAnyNetwork:
		refuse("Networks: must not be empty; did you mean InsecureAnyNetwork?")
	case len(k.Networks) > 0 && k.InsecureAnyNetwork:
		refuse("InsecureAnyNetwork: contradicts Networks; did you mean to leave one out?")
	}
	if len(k.Networks) > 256 {
		refuse("Networks: has " + strconv.Itoa(len(k.Networks)) + " entries; the maximum is 256")
		return
	}
	for i, network := range k.Networks {
		plain, problem := normalize(network)
		if problem != "" {
			refuse("Networks[" + strconv.Itoa(i) + "] " + strconv.Quote(network.String()) + ": " + problem)
		}
		k.Networks[i] = plain
	}
	for _, all := range []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)} {
		if !slices.Contains(k.Networks, all) && coversAll(all, k.Networks) {
			refuse("Networks: contain every address of " + all.String() + "; did you mean InsecureAnyNetwork?")
		}
	}
}

// checkNames checks the lengths and the characters of names.
func (k *Key) checkNames(refuse func(string)) {
	for _, field := range []struct {
		name, value string
		least, most int
	}{{"Name", k.Name, 1, 100}, {"Subject", k.Subject, 1, 256}, {"Tier", k.Tier, 0, 128}} {
		if len(field.value) < field.least || len(field.value) > field.most || !utf8.ValidString(field.value) {
			refuse(field.name + ": must have " + strconv.Itoa(field.least) + " to " + strconv.Itoa(field.most) + " bytes of UTF-8")
		}
	}
	for _, field := range []struct {
		name   string
		values []string
		good   func(string) bool
		what   string
	}{{"Scope", k.Scope, isScope, "visible ASCII"}, {"Roles", k.Roles, utf8.ValidString, "UTF-8"}} {
		if len(field.values) > 64 {
			refuse(field.name + ": has " + strconv.Itoa(len(field.values)) + " entries; the maximum is 64")
		}
		for i, value := range field.values {
			if value == "" || len(value) > 128 || !field.good(value) {
				refuse(field.name + "[" + strconv.Itoa(i) + "]: must have 1 to 128 bytes of " + field.what)
			}
		}
	}
}

// isScope reports whether s is a scope-token.
func isScope(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// normalize returns a network in the form of clients' addresses: IPv4, not IPv4 mapped
// into IPv6.
func normalize(p netip.Prefix) (netip.Prefix, string) {
	switch {
	case !p.IsValid():
		return p, "is not a network"
	case p.Addr().Is4In6() && p.Bits() < 96:
		return p, "is IPv4 mapped into IPv6, with fewer than 96 bits; did you mean IPv4 as such?"
	case p.Addr().Is4In6():
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	switch {
	case p.Masked() != p:
		return p, "has bits beyond its length; did you mean " + strconv.Quote(p.Masked().String()) + "?"
	case p.Bits() == 0:
		return p, "is everywhere; did you mean InsecureAnyNetwork?"
	}
	return p, ""
}

// coversAll reports whether networks together contain every address of p. If no network
// contains p, but some contain a part of it, it checks both halves of p.
func coversAll(p netip.Prefix, networks []netip.Prefix) bool {
	part := false
	for _, n := range networks {
		if n.Overlaps(p) {
			if n.Bits() <= p.Bits() {
				return true
			}
			part = true
		}
	}
	if !part {
		return false
	}
	low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	high, _ := netip.AddrFromSlice(bytes)
	return coversAll(low, networks) && coversAll(netip.PrefixFrom(high, p.Bits()+1), networks)
}

// acceptsAddress reports whether the key is accepted from an address.
func (k *Key) acceptsAddress(addr netip.Addr, certain bool) bool {
	if k.InsecureAnyNetwork {
		return true
	}
	addr = addr.Unmap()
	return certain && addr.IsValid() && addr.Zone() == "" && slices.ContainsFunc(k.Networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}
