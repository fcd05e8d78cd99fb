// Package suffix reports whether unrelated parties register names under a
// host, by the Public Suffix List (https://publicsuffix.org).
package suffix

import (
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// IsShared reports whether a wildcard in front of a host covers names of
// unrelated parties: a rule of the list is the host itself ("co.uk"), lies
// directly below it as a wildcard ("*.kawasaki.jp"), or lies deeper
// ("s3.amazonaws.com" below "amazonaws.com"). The host is in lower case,
// without a dot at its end. A host that the list does not contain, such as an
// internal name, is not shared.
//
// The first two checks use the list in the golang.org/x/net of the application. The
// third uses a table of this module, because that package does not export the list.
func IsShared(host string) bool {
	if isRule(host, host) || isRule("a."+host, "a."+host) {
		return true
	}
	_, found := slices.BinarySearch(parents[:], host)
	return found
}

// isRule reports whether the list itself, and not its default rule for unknown
// names, makes suffix the public suffix of a host.
func isRule(host, suffix string) bool {
	got, icann := publicsuffix.PublicSuffix(host)
	return got == suffix && (icann || strings.Contains(got, "."))
}
