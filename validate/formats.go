package validate

import "strings"

// formats are rules of texts that replace the validator's, which accept javascript: as
// a URL, 0x7f000001 as a host name, mapped addresses as IPv4, labels that end in a
// hyphen, and email addresses of any length.
var formats = map[string]func(string) bool{
	"uri":                       isURI,
	"url":                       isWebURL,
	"http_url":                  isWebURL,
	"https_url":                 func(s string) bool { return isWebURL(s) && strings.EqualFold(s[:6], "https:") },
	"origin":                    isOrigin,
	"hostname":                  isHostname,
	"hostname_rfc1123":          isHostname,
	"hostname_label":            isLabel,
	"hostname_port":             isHostnamePort,
	"fqdn":                      isFQDN,
	"mongodb_connection_string": isMongoURI,
	"ip":                        func(s string) bool { a, ok := parseAddress(s); return ok && !a.Is4In6() },
	"ipv4":                      func(s string) bool { a, ok := parseAddress(s); return ok && a.Is4() },
	"ipv6":                      func(s string) bool { a, ok := parseAddress(s); return ok && a.Is6() && !a.Is4In6() },
	"cidr":                      func(s string) bool { _, ok := parsePrefix(s); return ok },
	"cidrv4":                    func(s string) bool { p, ok := parsePrefix(s); return ok && p.Addr().Is4() && p == p.Masked() },
	"cidrv6":                    func(s string) bool { p, ok := parsePrefix(s); return ok && p.Addr().Is6() },
	"email":                     isEmail,
	"rfc3339":                   isRFC3339,
}

// plain are rules of texts with the same results as the validator's.
var plain = map[string]func(string) bool{
	"lowercase": func(s string) bool { return s != "" && s == strings.ToLower(s) },
	"uppercase": func(s string) bool { return s != "" && s == strings.ToUpper(s) },
	"uuid":      uuid,
	"uuid4": func(s string) bool {
		return uuid(s) && s[14] == '4' && strings.IndexByte("89ab", s[19]) >= 0 && s == strings.ToLower(s)
	},
	"alpha":      allBytes(letter),
	"alphanum":   allBytes(func(b byte) bool { return letter(b) || digit(b) }),
	"number":     allBytes(digit),
	"ascii":      func(s string) bool { return s == "" || allBytes(func(b byte) bool { return b < 0x80 })(s) },
	"printascii": func(s string) bool { return s == "" || allBytes(func(b byte) bool { return ' ' <= b && b <= '~' })(s) },
}

// uuid accepts 32 hexadecimal digits in groups, in either case (RFC 9562, section 4).
func uuid(s string) bool {
	for i := range len(s) {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (s[i] == '-') || !hyphen && !hexadecimal(s[i]) {
			return false
		}
	}
	return len(s) == 36
}
