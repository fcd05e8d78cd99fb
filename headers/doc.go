// Package headers sets security headers on every response, refuses plain HTTP
// requests, and determines the client's address behind trusted proxies.
//
// # What it refuses by default
//
// A [Policy] refuses plain HTTP requests with 403 https_required. It redirects only
// a browser's GET or HEAD without a credential, and only to a configured host. If
// AllowedHosts is not empty, a request to a host that it does not list gets 421
// misdirected_request.
//
// The headers are those of an API that pages do not embed. X-XSS-Protection is not
// among them, because it created vulnerabilities.
//
// Cross-Origin-Resource-Policy is same-origin. A browser therefore does not display
// an image of the API in a page of another origin, not even in the service's own
// single-page application, although the log has 200. A fetch that CORS allows is
// not affected. A handler can open its image to pages of the same site, such as
// app.example.com for api.example.com, or with "cross-origin" to all pages.
// Options.ResourcePolicy applies to all responses:
//
//	w.Header().Set("Cross-Origin-Resource-Policy", "same-site")
//
// A forwarding header can be forged. [PeerIP] reads none. [Forwarded] reads only
// the header that [ForwardedOptions].Header names, and only if Trusted lists the
// TCP peer. It walks the chain from the right, over trusted hops, to the first
// untrusted address, which is the client. Scheme and host come from the proxy that
// received the request from that client.
//
// # Example
//
//	failures := errors.Must(errors.NewResponder(errors.Options{}))
//	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{
//		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, // the load balancers, which terminate TLS
//		Proto:   "X-Forwarded-Proto",                                 // and set this header
//	}))
//	secure := errors.Must(headers.New(headers.Options{Scheme: proxy.Scheme}))
//	mux := http.NewServeMux()
//	mux.HandleFunc("GET /whoami", func(w http.ResponseWriter, r *http.Request) {
//		addr, ok := proxy.ClientIP(r)
//		fmt.Fprintln(w, addr, ok)
//	})
//	handler := failures.Handler(secure.Handler(mux))
//
// # Position
//
// A Policy belongs inside errors.Responder and outside everything else, so that
// refusals of the other packages have its headers. [PeerIP] and the methods of
// [Forwarded] do not change the request, so they return the same values at every
// position. Use them for options named ClientIP, Scheme and Host.
//
// # Handlers and proxies
//
// A handler that changes a header must call Set. Add would create a second line,
// which browsers ignore for Strict-Transport-Security. The file servers of net/http
// delete Cache-Control from their errors (fs.go, serveError); errors.Responder sends
// those errors with no-store.
//
// httputil.ReverseProxy empties the header map after each informational response
// (1xx) of its upstream, and after each Expect: 100-continue. Inside
// errors.Responder, the headers of this package are restored. Without it they are
// lost, because a Policy does not wrap the ResponseWriter.
//
// # Threats
//
//   - Credentials over plain HTTP (ASVS 5.0 4.1.2): refused or, with
//     InsecureAllowHTTP or Exempt, served; never redirected, and always reported to
//     OnEvent, unless Scheme is nil and a forwarding header is present.
//   - Downgrade to HTTP: HSTS (RFC 6797), only over HTTPS.
//   - Open redirects through the Host header: redirects go only to configured hosts.
//   - Framing, sniffing and embedding (CWE-1021, CWE-430): the headers.
//   - Cross-site scripting in pages (CWE-79): [New] refuses a CSP that allows injected
//     scripts to run, unless Options.InsecureCSP is set. InsecureInlineStyles accepts
//     only inline styles. Tests check both in Chromium.
//   - Requests for other host names, as in DNS rebinding (CWE-346): AllowedHosts.
//   - Spoofed addresses (CWE-290, CWE-348): an address counts as verified only if
//     every hop after it is trusted, within MaxHops.
//   - IPv4-mapped addresses and zones, which networks do not contain: the former are
//     unmapped, and the latter refused.
package headers
