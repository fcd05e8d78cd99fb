// Package cors says which origins may call an API from a browser: the CORS
// protocol of the Fetch standard, and the refusal of cross-origin writes on
// the server.
//
// # What it refuses by default
//
// CORS alone keeps a page from reading an answer, not from causing what the
// request does. So a [Middleware] also answers 403 origin_denied to every
// unsafe method that comes from an origin that is neither ours nor listed.
//
// [New] refuses an empty list, null, "*" with Credentials, wildcards such as
// "https://*.com", origins that no browser sends, and together with Credentials
// origins without TLS and wildcards at or above a public suffix, where any
// customer of a provider can have a name: "https://*.github.io",
// "https://*.amazonaws.com". Each error says what was probably meant.
//
// # A program
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
// # Its place
//
// Inside errors and headers, outside of all else. A preflight has no
// credentials, so an authentication outside of cors refuses it, and the page
// sees nothing but "CORS error". A 401 or 429 from inside has the CORS
// headers, so that the page can read it.
//
// Parts of the paths that have policies of their own belong into one layer:
// [Routes]. A layer at a route never sees its preflights, since the router
// answers 404 or 405 before.
//
// A handler that calls Set on Vary takes Origin away from it: call Add. A
// handler that sets Access-Control-Allow-Origin itself makes a second line, and
// browsers refuse both. Options.Debug logs both mistakes. The log has one
// record a minute for each reason of failed preflights; with Debug, each.
//
// In front of an httputil.ReverseProxy, a Middleware needs errors.Responder
// outside: the proxy empties the header map after an informational response
// (1xx), and the Responder restores the headers of the rings.
//
// # Threats
//
//   - Cross-site request forgery (CWE-352): Enforce; Sec-Fetch-Site first, then
//     Origin. Simple requests, which have no preflight, are covered by it
//     (ASVS 5.0 3.5.1 to 3.5.3).
//   - Reflected or half-matched origins (CWE-942): a lookup of the whole
//     string, then a strict parse, and a walk over the labels. No regular
//     expression, no prefix or suffix of a string (compare GHSA-vhxv-fg4m-p2w8).
//   - Poisoned caches: Vary names what the answer depends on, also where no
//     origin was sent and where a preflight failed.
//   - Floods through Access-Control-Request-Headers (CVE-2024-27302,
//     GHSA-mh55-gqvf-xfwm): its length is looked at first, and nothing is
//     reflected that the list does not have.
//   - Slices that a handler changes (rs/cors issue 198): every response has
//     slices of its own.
package cors
