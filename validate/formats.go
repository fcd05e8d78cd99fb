package validate

import (
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// formats are rules of texts that take the place of validator's: those take
// javascript: as a URL, mapped addresses as IPv4, labels that end in a hyphen,
// and addresses of any length.
var formats = map[string]func(string) bool{
	"uri":              absoluteURI,
	"url":              webURL,
	"http_url":         webURL,
	"https_url":        func(s string) bool { return webURL(s) && strings.EqualFold(s[:min(len(s), 6)], "https:") },
	"hostname":         hostname,
	"hostname_rfc1123": hostname,
	"hostname_port":    hostnamePort,
	"fqdn":             func(s string) bool { return hostname(s) && strings.Contains(s, ".") },
	"ip":               func(s string) bool { a, ok := address(s); return ok && !a.Is4In6() },
	"ipv4":             func(s string) bool { a, ok := address(s); return ok && a.Is4() },
	"ipv6":             func(s string) bool { a, ok := address(s); return ok && a.Is6() && !a.Is4In6() },
	"email":            email,
	"rfc3339":          func(s string) bool { return dateTime(time.RFC3339, s) },
}

// plain are rules of texts that are the same as validator's.
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

// uuid takes 32 hexadecimal digits in groups, in either case (RFC 9562, section
// 4). The validator takes uuid4 in lower case alone.
func uuid(s string) bool {
	for i := range len(s) {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (s[i] == '-') || !hyphen && !hexadecimal(s[i]) {
			return false
		}
	}
	return len(s) == 36
}

// uriBytes are those that a URI may have (RFC 3986, section 2).
const uriBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%"

// absoluteURI takes a URI with a scheme (RFC 3986), and not one that runs code
// or stands for data in a browser.
func absoluteURI(s string) bool {
	strange := func(r rune) bool { return !strings.ContainsRune(uriBytes, r) }
	u, err := url.Parse(s)
	if err != nil || !u.IsAbs() || strings.ContainsFunc(s, strange) || !escaped(s) || strings.Count(s, "#") > 1 {
		return false
	}
	if strings.ContainsAny(strings.Replace(s, u.Host, "", 1), "[]") { // they are for addresses alone
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "javascript", "data", "vbscript":
		return false
	}
	return true
}

// escaped reports whether every percent sign begins an escape.
func escaped(s string) bool {
	for i := range len(s) {
		if s[i] == '%' && (i+2 >= len(s) || !hexadecimal(s[i+1]) || !hexadecimal(s[i+2])) {
			return false
		}
	}
	return true
}

func hexadecimal(b byte) bool { return digit(b) || 'a' <= b|0x20 && b|0x20 <= 'f' }

// webURL takes an absolute address of http or https, without user information,
// whose host is a name or an address.
func webURL(s string) bool {
	if !absoluteURI(s) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Opaque != "" {
		return false
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	_, numeric := address(u.Hostname())
	return numeric || hostname(u.Hostname())
}

// hostname takes a host name of RFC 1123, without a dot at the end. A name
// whose last label is a number would be read as an IPv4 address (URL, section
// 3.5), and is none.
func hostname(s string) bool {
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !letter(c) && !digit(c) && c != '-' {
				return false
			}
		}
		last = label
	}
	return len(s) <= 253 && strings.Trim(last, "0123456789") != ""
}

// hostnamePort takes a host name or address, a colon and a port.
func hostnamePort(s string) bool {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return false
	}
	host, port := s[:i], s[i+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '0' || port[0] == '+' {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		a, isAddress := address(strings.TrimSuffix(inner, "]"))
		return strings.HasSuffix(inner, "]") && isAddress && a.Is6()
	}
	a, isAddress := address(host)
	return isAddress && a.Is4() || hostname(host)
}

func address(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Zone() == ""
}

// email takes one plain address of at most 254 bytes (RFC 5321, section
// 4.5.3.1.3), without a display name, comments or a quoted part. The length
// comes first: the parser is slow on long ones (CVE-2025-61725).
func email(s string) bool {
	if len(s) > 254 || strings.ContainsAny(s, "\"()<>, \t\r\n") {
		return false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return false
	}
	local, domain, _ := strings.Cut(s, "@")
	return len(local) <= 64 && hostname(domain) && strings.Contains(domain, ".")
}

// dateTime takes a time in a layout of package time. time.Parse takes a comma
// for a point, a fraction that the layout does not have, and offsets of 24
// hours and 60 minutes (RFC 3339, section 5.6).
func dateTime(layout, s string) bool {
	if _, err := time.Parse(layout, s); err != nil || strings.Contains(s, ",") && !strings.Contains(layout, ",") {
		return false
	}
	if !strings.HasSuffix(layout, "07:00") || len(s) < 6 || s[len(s)-6] != '+' && s[len(s)-6] != '-' {
		return true
	}
	return s[len(s)-5:len(s)-3] <= "23" && s[len(s)-2:] <= "59"
}
