// Package validate decodes the input of a route into a struct and checks it
// against the struct's tags before the handler runs. It refuses invalid input and
// never repairs it.
//
// # What it refuses by default
//
// In bodies: a media type other than application/json in UTF-8, a content coding
// other than identity (and gzip with Options.Gzip), more than 1 MiB, 32 levels,
// 1000 items in an array, 256 members in an object or 20 000 values; repeated and
// unknown members, member names in another case, null for a non-nullable field,
// control characters, whole numbers that a float64 rounds, and data after the end.
//
// In queries: unknown and repeated parameters, semicolons, invalid escapes, and
// numbers not in plain decimal form. In paths: empty values and dot segments. In
// forms: the same as in queries, except that values may contain line breaks and
// tabs. The query never fills a field of a form.
//
// Of headers and cookies, only those that T declares are checked. Repeated ones
// are refused, and so are lists where one value is expected, headers of more than
// 8 KiB, invalid bytes in a cookie, and requests with more than 50 cookies. A header
// whose field is a slice is a list, in one line or several.
//
// A query parameter or form field whose field is a slice is repeated, as in id=1&id=2.
// With the option comma it is one value instead: query:"id,comma" is id=1,2. A
// time.Duration has units, such as 1m30s. A form field that a browser sends empty is
// absent, unless it is a text, and a checkbox may be "on"; queries have neither.
//
// Input that T does not declare is refused too, such as a body of a route without
// one, or a query in addition to a body.
//
// Every limit acts while the input arrives. Accepted input has one meaning, and
// the handler receives the value that was checked.
//
// # Example
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
// A T of another type, such as []Order or map[string]Price, is the body too; its items
// are bounded by Limits.Items. In a field, a body has rules of its own, and may be
// missing if it is a pointer:
//
//	type Bulk struct {
//		Shop   string  `path:"shop" validate:"max=32"`
//		Orders []Order `body:"json" validate:"min=1,max=100"`
//	}
//	type Search struct {
//		Filter *Filter `body:"json"` // nil without a body, and for null
//	}
//
// A T whose fields have the tags path, query, header, cookie, form or
// body:"json" is the whole input. Its fields may have names in JSON too: a T with
// the tag form on every field is a form, and [JSON] decodes the same T from a
// body. The fields of a struct embedded in T are read like fields of T. A member
// that may be absent, null or a value, as in a PATCH, is an [Opt].
//
// # Position
//
// At the route, after Require(Scopes) and before Require(Object).
//
// The bytes of the body are not kept: r.Body is at its end when the handler runs,
// so a handler that decodes r.Body itself finds it empty. A handler that needs the
// bytes declares them:
//
//	type Webhook struct {
//		Signature string `header:"X-Signature" validate:"required,max=64"`
//		Event     Event  `body:"json"`
//		Raw       []byte `body:"raw"` // a copy of the bytes that were decoded
//	}
//
// It must compare the signature before it uses anything else of the input, with
// hmac.Equal. A body that breaks the schema is refused before that, which tells a
// stranger only what the schema tells. Without body:"json" or a form beside it,
// body:"raw" takes a body of the media types in Options.Types, which is not
// decoded. For one JSON value on each line (NDJSON), take the bytes, and decode
// line by line.
//
// # Outside of a request
//
// A [Decoder] decodes a message of a queue, a frame or a line of a file with the same
// strictness. The message of a problem is in English; a client translates by the code and
// the parameter of each problem, which errors.Options.Details adds to the response, and a
// server by [ProblemsOf] in an ErrorHandler. A test of a handler puts its input into the
// context with [InsecureWith].
//
// # Tags
//
// The constructors report every tag that they do not apply, such as a source tag
// on a member of a body, which the client's body would otherwise fill. They report
// the tags of other packages that name a source (param, uri, reqHeader, in,
// formData), that have rules in a field without a validate tag (binding, valid,
// vd), or that have a name in a field without a JSON name (xml, yaml,
// mapstructure). They warn of tags that look like rules, such as maxLength;
// Options.Strict turns these warnings into errors.
//
// # Rules
//
// Rules are those of go-playground/validator, with its results: a nil pointer
// breaks every rule that has no omitempty before it. Structs in slices and maps are
// always checked, with or without dive. Stricter formats replace its uri, url,
// http_url, https_url, origin, hostname, hostname_rfc1123, hostname_label,
// hostname_port, fqdn, mongodb_connection_string, ip, ipv4, ipv6, cidr, cidrv4,
// cidrv6, email and datetime. The formats rfc3339 and pattern=name are new;
// Options.Patterns has the expression of a name. The constructors refuse rules that
// depend on other fields or read this machine's files or network, and every rule
// that would fail or have no effect.
//
// A rule between fields is a method of the struct, a [Checker]. It names a field by its
// address, which the compiler checks, and the response names the member or parameter:
//
//	func (b *Booking) Check(r *validate.Report) {
//		if !b.To.After(b.From) {
//			r.At(&b.To, "after_from", "must be later than from") // "/to must be later than from"
//		}
//	}
//
// What only the handler knows is reported the same way: return validate.At(in, &in.Name,
// "taken", "is already in use").
//
// The most common rules are compiled, and the validator runs only for values that
// they do not accept. With Options.Setup nothing is compiled, because Setup may
// change the meaning of a rule.
//
// # Files
//
// A form with a [File] is multipart/form-data. Its other fields must precede the
// file and are checked first. Then the handler runs and reads the file while it
// arrives:
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
// its closing boundary, if anything except one CRLF precedes the first or
// follows the last boundary, if a line ends in LF alone, if the length of a part is
// not its Content-Length, or if a file has two different names. A filename* with
// an equal filename is accepted, because .NET sends both.
//
// A file without a Content-Type has the type application/octet-stream if the field
// lists it, otherwise text/plain if listed, otherwise the listed type that its
// first bytes match.
//
// # Statuses
//
//   - 400: the input is malformed or has two readings.
//   - 408: the body did not arrive in time.
//   - 413: the input exceeds a limit.
//   - 414: the query is too long.
//   - 415: the route does not accept the media type or content coding.
//   - 422: the input is well-formed and breaks the schema.
//   - 431: a header is too long, or there are too many cookies.
//
// # Design decisions
//
// Control characters are U+0000 to U+001F and U+007F to U+009F in all sources.
// Strings in JSON and form fields may contain tab, newline and return, because a
// form with a textarea needs them. A browser sends a line break as two characters,
// and max counts both. Queries, paths, headers and cookies must not contain any,
// because their values reach lines of logs and of other requests. Bidirectional and
// zero-width characters are accepted in free text, because Arabic, Hebrew and emoji
// need them. A name that must not look like another one needs a rule such as
// printascii, alphanum or pattern.
//
// [Schema] takes Options, because a T may use patterns and rules of the
// application. A form has one File, which is its last part, because the parts after
// it arrive only while the handler runs. The fields of a multipart form share seven
// eighths of Limits.Body; the rest covers their overhead in memory.
//
// # Threats
//
//   - Parsers that read one input differently (duplicate keys, case, invalid UTF-8,
//     large numbers, CVE-2020-16250): ambiguous input is refused.
//   - Bombs of depth, items, names, numbers, gzip, parts and part headers (CWE-400,
//     CWE-674, CVE-2023-24536): all are counted in fixed memory before anything is
//     decoded. A refused request takes at most Limits.Body plus 64 KiB of memory.
//   - Hosts that parsers read differently (CWE-918): every rule for a host refuses
//     names that end in a number (URL, section 3.5), such as 0x7f000001, 127.1 or
//     a.0x1, and mapped IPv6 addresses. A uri has at most one "@" before its host
//     and no escape in its host. A-labels (xn--) are not decoded. Private addresses
//     are accepted, and a uri may have other schemes, such as file: a service that
//     fetches a URL must check the scheme and the address that it dials.
//   - Slow bodies: a deadline bounds the body. It stays when a body is refused,
//     because net/http reads on after the handler.
//   - Mass assignment (OWASP API3:2023): unknown members are refused, and a body
//     never fills a field that names another source.
//   - Injection through accepted values (ASVS 5.0 2.2.1): tags declare lengths,
//     patterns and lists of values. The constructors warn of unbounded strings.
//   - Uploaded files (ASVS 5.0 5.2): nothing is written to disk, the first bytes
//     must match the declared type, and the name is never a path. A file that is
//     valid in two formats is accepted: decode and encode images again if that
//     matters.
//   - Reflection of input: messages contain only names of the schema and limits. The
//     name of a member, parameter or map entry from the client is repeated only if
//     it has at most 64 letters, digits, "_", "-" and ".".
//   - Memory of decoded values: not covered. A list of lists of large structs is
//     decoded as long as it has fewer values than Limits.Tokens. Lower that limit
//     if T is large.
package validate
