// Package cors controls which origins may call an API from a browser. It
// implements the CORS protocol of the Fetch standard, and refuses cross-origin
// writes on the server.
//
// # What it refuses by default
//
// CORS alone prevents a page from reading a response. It does not prevent the
// request from taking effect. So a [Middleware] also refuses unsafe methods from
// origins that are neither the service's own nor listed, with 403 origin_denied.
//
// [New] refuses an empty list, null, "*" with Credentials, wildcards such as
// "https://*.com", and origins that no browser sends. With Credentials, it also
// refuses origins without TLS, and wildcards at or above a public suffix, where
// anyone can register a name: "https://*.github.io", "https://*.amazonaws.com".
// Most errors have a suggestion.
//
// # Example
//
//	func main() {
//		failures := errors.Must(errors.NewResponder(errors.Options{}))
//		origins := errors.Must(cors.New(cors.Options{
//			Origins:     []string{"https://app.example.com"},
//			Credentials: true,
//			Methods:     []string{"DELETE"},
//			Headers:     []string{"Authorization", "Content-Type"},
//		}))
//		mux := http.NewServeMux()
//		mux.HandleFunc("DELETE /orders/{id}", cancel)
//		log.Fatal(http.ListenAndServe("127.0.0.1:8080", failures.Handler(origins.Handler(mux))))
//	}
//
// # Position
//
// A Middleware belongs inside errors and headers, and outside everything else. A
// preflight has no credentials, so authentication outside of cors refuses it, and
// the page sees only a CORS error. A 401 or 429 from inside has the CORS headers,
// so the page can read it.
//
// Use [Routes] to give different paths different policies in one layer. A
// Middleware at a route does not see preflights, because the router responds to
// them with 404 or 405.
//
// # Handlers and proxies
//
// A handler that changes Vary must call Add, because Set removes Origin. A handler
// must not set Access-Control-Allow-Origin, because browsers refuse a response
// with two lines of it. Options.Debug logs both mistakes.
//
// httputil.ReverseProxy empties the header map after an informational response
// (1xx). An errors.Responder outside of the Middleware restores the headers.
//
// # Threats
//
//   - Cross-site request forgery (CWE-352), also with simple requests, which have
//     no preflight: Enforce checks Sec-Fetch-Site, then Origin (ASVS 5.0 3.5.1 to
//     3.5.3).
//   - Reflected or partially matched origins (CWE-942): an origin is looked up as a
//     whole. For wildcards, it is parsed strictly and compared by labels, without
//     regular expressions (compare GHSA-vhxv-fg4m-p2w8).
//   - Poisoned caches: Vary names the request headers that the response depends on,
//     even if the request has no Origin or its preflight fails.
//   - Long Access-Control-Request-Headers (CVE-2024-27302, GHSA-mh55-gqvf-xfwm): its
//     length is checked first, and only allowed names are reflected.
//   - Handlers that change value slices (rs/cors issue 198): no two responses share
//     a slice.
package cors
