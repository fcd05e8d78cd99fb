// Package validate reads the input of a route into a struct, and checks it
// against the struct's tags before the handler runs: refused, never repaired.
//
// # What it refuses by default
//
// Bodies: a media type other than application/json in UTF-8, any encoding (but
// gzip, where Options.Gzip is set: the limits count what comes out),
// more than 1 MiB, 32 levels, 1000 items, 256 members, 20 000 values; doubled
// and unknown members, names in another case, null where the type has none,
// control characters, data after the end. Queries: unknown and doubled
// parameters, semicolons, escapes that cannot be read, numbers in other than
// plain decimals; forms likewise, and a form never takes a field from the
// query. More than 50 cookies, where one is declared. What T does not declare is
// refused too: a body where there is none, a query beside a body.
//
// Every limit acts while the input arrives. What is accepted has one meaning,
// and the value that was checked is the one that the handler gets.
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
// A T whose fields have the tags path, query, header, cookie, form or body:"json"
// is the whole input. Rules are those of go-playground/validator; structs in
// slices and maps are always checked, with and without dive. Rules that look
// at other fields are refused at start-up: they belong into the handler.
//
// A member that may be absent, null or a value, as in a PATCH, is an [Opt].
//
// # Statuses
//
// 415 a format that the route does not take; 413 more than it is willing to
// process; 414 a query that is too long; 431 more cookies; 408 a body that does not arrive; 400
// what cannot be read, or in two ways; 422 what was read and breaks the schema.
//
// # Its place
//
// At the route, after Require(Scopes) and before Require(Object).
//
// # Threats
//
//   - Two parsers that read one input differently (duplicate keys, case,
//     invalid UTF-8, CVE-2020-16250): refused.
//   - Bombs of depth, items, names and numbers (CWE-400, CWE-674): counted in
//     fixed memory, before anything is decoded.
//   - Mass assignment (OWASP API3:2023): unknown members are refused.
//   - Injection through what is let in (ASVS 5.0 2.2.1): lengths, patterns and
//     lists of values in the tags. A string without a bound is warned of at
//     start-up.
//   - Reflection of input: messages have names of the schema and limits alone.
//     A name that the client sent is repeated only if it is a plain word.
package validate
