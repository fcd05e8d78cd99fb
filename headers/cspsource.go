package headers

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// keywords lists the keyword sources (CSP Level 3, section 2.3.1, and
// inline-speculation-rules of Chromium).
var keywords = []string{
	"'self'", "'none'", "'strict-dynamic'", "'report-sample'", "'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "'wasm-unsafe-eval'",
	"'inline-speculation-rules'", "'trusted-types-eval'", "'report-sha256'", "'report-sha384'", "'report-sha512'", "'unsafe-webtransport-hashes'",
}

// schemes lists names that are read as a host if their colon is missing.
var schemes = []string{"http", "https", "data", "blob", "filesystem", "mediastream", "ws", "wss", "about", "javascript"}

var (
	schemeSource = regexp.MustCompile(`^(?i)[a-z][a-z0-9+.-]*:$`)
	hostSource   = regexp.MustCompile(`^(?i)(?:([a-z][a-z0-9+.-]*)://)?(\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)(?::(\*|[0-9]+))?(/[!"$->@-~]*)?$`)
	hashOrNonce  = regexp.MustCompile(`^(?i)(nonce|sha256|sha384|sha512)-([a-z0-9+/_-]+={0,2})$`)
)

// digestSizes has the size of each digest in bytes.
var digestSizes = map[string]int{"sha256": 32, "sha384": 48, "sha512": 64}

// sourceProblem returns the reason why browsers ignore or misread a source, or "".
func sourceProblem(directive, source string) string {
	bare := strings.ToLower(strings.Trim(source, `'"`+"`"))
	quoted := len(source) > 1 && strings.HasPrefix(source, "'") && strings.HasSuffix(source, "'")
	switch {
	case quoted && hashOrNonce.MatchString(source[1:len(source)-1]):
		return digestProblem(source)
	case slices.Contains(keywords, "'"+bare+"'"):
		if !quoted || len(source) != len(bare)+2 {
			return fmt.Sprintf("must have single quotes; did you mean \"'%s'\"?", bare)
		}
		return misplacedKeyword(directive, bare)
	case hashOrNonce.MatchString(bare):
		return fmt.Sprintf("must have single quotes; did you mean \"'%s'\"?", strings.Trim(source, `'"`+"`"))
	case strings.ContainsAny(source, `'"`+"`"):
		return "is not a keyword" + oneOfThem("'"+bare+"'", keywords)
	case schemeSource.MatchString(source):
		return ""
	case slices.Contains(schemes, bare):
		return fmt.Sprintf("is read as a host; did you mean %q?", bare+":")
	}
	return hostProblem(source)
}

// digestProblem returns the problem of a hash with the wrong length for its
// algorithm, or "".
func digestProblem(source string) string {
	kind, text, _ := strings.Cut(source[1:len(source)-1], "-")
	size, isHash := digestSizes[strings.ToLower(kind)]
	if !isHash {
		return ""
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	if digest, err := base64.StdEncoding.DecodeString(text); err != nil || len(digest) != size {
		return fmt.Sprintf("is not a digest; did you mean the base64 form of %d bytes?", size)
	}
	return ""
}

// misplacedKeyword returns the problem of a keyword that browsers ignore in a
// directive, or "".
func misplacedKeyword(directive, bare string) string {
	reads := slices.Contains([]string{"self", "none", "report-sample"}, bare)
	switch directive {
	case "default-src", "script-src", "script-src-elem", "script-src-attr":
		reads = true
	case "style-src", "style-src-elem", "style-src-attr":
		reads = reads || slices.Contains([]string{"unsafe-inline", "unsafe-hashes"}, bare)
	case "connect-src":
		reads = reads || bare == "unsafe-webtransport-hashes"
	case "worker-src":
		reads = reads || bare == "strict-dynamic"
	}
	if reads {
		return ""
	}
	return "is ignored in this directive; did you mean script-src or style-src?"
}

// hostProblem returns the problem of a text that is not a host-source (CSP Level
// 3, section 2.3.1), or "".
func hostProblem(source string) string {
	parts := hostSource.FindStringSubmatch(source)
	if parts == nil {
		if i := strings.IndexAny(source, "?#"); i > 0 && hostSource.MatchString(source[:i]) {
			return fmt.Sprintf("has a query, which browsers do not match; did you mean %q?", source[:i])
		}
		if strings.HasPrefix(source, "/") {
			return "is a path without a host; did you mean \"'self'\"?"
		}
		if strings.Contains(source, "[") { // section 6.7.2.8 of CSP Level 3
			return "is an IPv6 address, which browsers do not match; did you mean a host as in \"localhost\"?"
		}
		return "is not a source; did you mean a host as in \"https://cdn.example.com\"?"
	}
	host, port := strings.ToLower(parts[2]), parts[3]
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && port != "*" && (err != nil || n == 0) {
		return "must have a port between 1 and 65535; did you mean \":443\"?"
	}
	if strings.ToLower(source) == host && !strings.Contains(host, ".") {
		for _, keyword := range keywords { // a label close to a keyword is a mistake
			if bare := strings.Trim(keyword, "'"); distance(host, bare) <= min(2, len(host)/2) {
				return fmt.Sprintf("is read as a host; did you mean %q?", keyword)
			}
		}
	}
	return ""
}
