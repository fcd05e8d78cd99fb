// Package validate reads the input of a route into a struct, and checks it
// against the struct's tags before the handler runs: refused, never repaired.
//
// # What it refuses by default
//
// Bodies: a media type other than application/json in UTF-8, any encoding (but
// identity, and gzip where Options.Gzip is set: the limits count what comes out),
// more than 1 MiB, 32 levels, 1000 items, 256 members, 20 000 values; doubled
// and unknown members, names in another case, null where the type has none,
// control characters, whole numbers that a float64 rounds, data after the end.
//
// Queries: unknown and doubled parameters, semicolons, escapes that cannot be
// read, numbers in other than plain decimals. Paths: values that are empty or
// go up. Headers, cookies: only those are judged that T declares; then one that
// comes twice, a list for one value, more than 8 KiB, bytes that a cookie must
// not have, more than 50 cookies. Forms: like queries, but their values may have
// line breaks and tabs; and a form never takes a field from the query. What T
// does not declare is refused too: a body where there is none, a query beside a
// body.
//
// Every limit acts while the input arrives. What is accepted has one meaning,
// and the value that was checked is the one that the handler gets.
//
// The bytes of a body are not kept: r.Body is at its end when the handler runs.
// A handler that decodes by itself would check nothing that this package has
// checked, and reads an empty body. A handler that must see the bytes, such as
// one that checks a signature over them, must stand in front and put a reader of
// the same bytes in the place of r.Body.
//
// # A program
//
//	type Order struct {
//		Items []struct {
//			SKU string `json:"sku" validate:"required,alphanum,max=32"`
//			Qty int    `json:"qty" validate:"min=1,max=10"`
//		} `json:"items" validate:"required,min=1,max=50"`
//		Note string `json:"note" validate:"max=500"`
//	}
//	mux.Handle("POST /orders", errors.Must(validate.Handle(func(w http.ResponseWriter, r *http.Request, in *Order) error {
//		return orders.place(r.Context(), in)
//	})))
//
// A T whose fields have the tags path, query, header, cookie, form or
// body:"json" is the whole input, also where the fields have names in JSON too:
// a T with the tag form on every field is a form, and JSON reads the same T from
// a body. The fields of a struct embedded in T are read as if they were fields
// of T. A member that may be absent, null or a value, as in a PATCH, is an
// [Opt].
//
// The constructors report every tag that they do not apply, such as a source
// tag on a member of a body: otherwise the body would fill that field. They
// report the tags of other packages that name a source (param, uri, reqHeader,
// in, formData), that have rules where the tag validate is absent (binding,
// valid, vd), or that have a name where JSON has none (xml, yaml, mapstructure).
// They warn of tags that read like rules, such as maxLength, and Strict makes
// errors of these warnings.
//
// # Rules
//
// Rules are those of go-playground/validator, with its verdicts: a nil pointer
// breaks any rule in front of which no omitempty stands. Structs in slices and
// maps are always checked, with and without dive. Its formats uri, url,
// http_url, https_url, origin, hostname, hostname_rfc1123, hostname_label,
// hostname_port, fqdn, mongodb_connection_string, ip, ipv4, ipv6, cidr, cidrv4,
// cidrv6, email and datetime are replaced by stricter ones. New are rfc3339 and
// pattern=name, whose expression Options.Patterns has. Rules that look at other
// fields, or at this machine's files and network, are refused at start-up, as is
// whatever would fail, or do nothing, at a request.
//
// The most common rules are compiled, and validator is only asked about what
// they do not accept. Where Options.Setup is used, they are not: it may have
// changed what a rule means.
//
// # Files
//
// A form that has a [File] is multipart/form-data. Its other fields come first
// and are checked; then the handler runs, and reads the file as it arrives:
//
//	type NewPicture struct {
//		Alt  string        `form:"alt" validate:"max=200"`
//		File validate.File `form:"picture" types:"image/png image/jpeg" validate:"required"`
//	}
//	upload := func(w http.ResponseWriter, r *http.Request, in *NewPicture) error {
//		n, err := io.Copy(staged, &in.File)
//		if err != nil {
//			return err // 413, 400, 408 or 422
//		}
//		return staged.commit(n)
//	}
//	mux.Handle("POST /pictures", errors.Must(validate.Handle(upload, validate.Options{Limits: validate.Limits{File: 5 << 20}})))
//
// A form is refused if parsers may read it differently: if it does not end with
// its closing boundary, has anything but one CRLF before the first or behind the
// last, a line that ends in LF alone, a part of another length than its
// Content-Length, or two names for one file. A filename* is accepted beside a
// filename that names the same, as .NET sends both. A file without a
// Content-Type has the type application/octet-stream if the field lists it,
// otherwise text/plain, otherwise the listed type that its first bytes show.
//
// # Statuses
//
// 415 a format that the route does not take; 413 more than it is willing to
// process; 414 a query that is too long; 431 a header that is, or more cookies;
// 408 a body that does not arrive; 400 what cannot be read, or in two ways; 422
// what was read and breaks the schema.
//
// # Its place
//
// At the route, after Require(Scopes) and before Require(Object).
//
// # Threats
//
//   - Two parsers that read one input differently (duplicate keys, case,
//     invalid UTF-8, large numbers, CVE-2020-16250): refused.
//   - Bombs of depth, items, names, numbers, gzip, parts and their headers
//     (CWE-400, CWE-674, CVE-2023-24536): counted in fixed memory, before
//     anything is decoded. A refusal holds at most the bytes that a body may
//     have, and 64 KiB.
//   - Hosts that parsers read differently (CWE-918): each rule that names a host
//     refuses a name that ends in a number (URL, section 3.5), such as
//     0x7f000001, 127.1 or a.0x1, and mapped IPv6 addresses. A uri has at most
//     one "@" before its host, and no escape in it. A-labels (xn--) are not
//     decoded. Private addresses are accepted, and a uri may have any scheme,
//     such as file: a service that fetches a URL must check the scheme and the
//     address that it dials.
//   - Slow bodies: the deadline stays when a body is refused, since net/http
//     reads on after the handler.
//   - Mass assignment (OWASP API3:2023): unknown members are refused, and a
//     body never fills a field that names another source.
//   - Injection through what is let in (ASVS 5.0 2.2.1): lengths, patterns and
//     lists of values in the tags. A string without a bound is warned of at
//     start-up.
//   - Files (ASVS 5.0 5.2): nothing touches the disk, the first bytes must be of
//     the type that was said, and the name is never a path. A file that is two
//     formats at once passes; decode and encode pictures anew if that matters.
//   - Reflection of input: messages have names of the schema and limits alone.
//     The name of a member, parameter or map entry that the client sent is
//     repeated only if it is a plain word of at most 64 letters, digits, "_",
//     "-" and ".".
//   - Not covered: a list of lists of large structs is decoded as long as its
//     values are fewer than Limits.Tokens; lower that where T is large.
//
// # Beside the design
//
// Control characters are U+0000 to U+001F and U+007F to U+009F in all sources.
// The strings of JSON and the fields of a form may have tab, newline and return:
// a form with a textarea could not be sent otherwise. A browser sends a line
// break as two characters, and max counts both. A query, path, header or cookie
// must not have any: those end up in lines of logs and of other requests.
// Bidirectional and zero-width characters are accepted in free text, since
// Arabic, Hebrew and emoji need them; a name that must not look like another one
// needs a rule such as printascii, alphanum or pattern.
//
// Schema takes Options, since a T may use patterns and an application's rules.
// A form has one File, which is its last part: of a stream, nothing behind it
// can be checked before the handler runs. Fields of a multipart form share
// seven eighths of Limits.Body; the rest is for what they take in memory.
package validate
