package validate

import (
	"slices"
	"strings"
)

// boundedRules are the rules that no text above some length satisfies.
var boundedRules = []string{
	"max", "len", "lte", "lt", "eq", "oneof", "isdefault", "email", "ip", "ipv4", "ipv6", "cidr", "cidrv4", "cidrv6", "hostname", "hostname_rfc1123",
	"hostname_label", "hostname_port", "fqdn", "uuid", "uuid3", "uuid4", "uuid5", "uuid7", "ulid", "e164", "datetime", "rfc3339",
	"iso3166_1_alpha2", "iso3166_1_alpha2_eu", "iso3166_1_alpha3", "iso3166_1_alpha3_eu", "iso3166_2", "iso4217", "bic", "bic_iso_9362_2014",
	"mac", "hexcolor", "boolean", "ssn", "isbn", "isbn10", "isbn13", "issn", "md5", "sha256", "sha384", "sha512",
}

// isBounded reports whether the rules of a value bound its length. Alternatives bound
// it if each of them does.
func isBounded(tag string) bool {
	for rule := range strings.SplitSeq(tag, ",") {
		if boundsLength(rule) {
			return true
		}
	}
	return false
}

func boundsLength(rule string) bool {
	for alternative := range strings.SplitSeq(rule, "|") {
		name, _, _ := strings.Cut(alternative, "=")
		if !slices.Contains(boundedRules, name) {
			return false
		}
	}
	return true
}
