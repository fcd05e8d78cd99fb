// Package headers sets security headers on every response, holds requests to
// HTTPS, and gives one trustworthy answer to the question who the client is.
//
// # What it refuses by default
//
// A [Policy] refuses what comes in clear: 403 https_required. Only a browser's
// GET without a credential is redirected, and only to a host that was
// configured. Its headers are those of an API that no page embeds; X-XSS-Protection
// is not among them, since it did more harm than good.
//
// Cross-Origin-Resource-Policy is same-origin: a browser does not show an image of
// the API in a page of another origin, also not in the service's own
// single-page application, while every log has 200. A fetch that CORS allows is not
// affected. One line in the handler of the image opens it to pages of the same
// site, such as app.example.com for api.example.com ("cross-origin" is for all
// pages); Options.ResourcePolicy is for all responses:
//
//	w.Header().Set("Cross-Origin-Resource-Policy", "same-site")
//
// A request to a host that AllowedHosts does not list is 421
// misdirected_request, where the list is not empty.
//
// A forwarding header is a claim. [PeerIP] reads none. [Forwarded] reads the
// one that [ForwardedOptions].Header names, only from a TCP peer that Trusted
// lists, and believes it only as far as each hop is listed too: from the right
// to the first address that is not ours. The leftmost address, which anybody
// can write, decides nothing. Scheme and host are read
// from the proxy that received the request from that client.
//
// # A program
//
//	failures := errors.Must(errors.NewResponder(errors.Options{}))
//	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{
//		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, // our load balancers, which end TLS
//		Proto:   "X-Forwarded-Proto",                                 // and say so
//	}))
//	secure := errors.Must(headers.New(headers.Options{Scheme: proxy.Scheme}))
//	mux := http.NewServeMux()
//	mux.HandleFunc("GET /whoami", func(w http.ResponseWriter, r *http.Request) {
//		addr, ok := proxy.ClientIP(r)
//		fmt.Fprintln(w, addr, ok)
//	})
//	handler := failures.Handler(secure.Handler(mux))
//
// # Its place
//
// A Policy stands inside errors.Responder and outside of all else, so that
// refusals of the other rings have its headers. [PeerIP] and the methods of
// [Forwarded] are pure: nothing is stored, and RemoteAddr is not changed, so
// they give the same answer in every ring. They fit wherever an option is
// called ClientIP, Scheme or Host.
//
// A handler may replace what it finds, and with Add it makes a second line,
// which for Strict-Transport-Security browsers ignore: call Set. net/http's
// file servers delete Cache-Control from their errors (fs.go, serveError);
// errors.Responder answers those with no-store.
//
// httputil.ReverseProxy empties the header map after each informational
// response (1xx) of its upstream, and after each Expect: 100-continue. Inside
// errors.Responder, the headers of this package are restored. A Policy without
// a Responder loses them, as any middleware does, because only the Responder
// wraps the ResponseWriter.
//
// # Threats
//
//   - Credentials in clear (ASVS 5.0 4.1.2): refused, and reported to
//     OnEvent; never redirected.
//   - Downgrade to HTTP: HSTS (RFC 6797), over HTTPS only.
//   - Open redirects through the Host header: it is never reflected.
//   - Framing, sniffing, embedding (CWE-1021, CWE-430): the headers.
//   - Cross-site scripting in pages (CWE-79): [New] judges a CSP by the scripts
//     that it lets run, and refuses one under which injected script runs, unless
//     Options.InsecureCSP is set. InsecureInlineStyles accepts inline styles
//     alone. Tests play both sides in Chromium.
//   - Requests for foreign host names, as by DNS rebinding (CWE-346): AllowedHosts.
//   - Spoofed addresses (CWE-290, CWE-348): a client that writes the header, a
//     chain that is longer than MaxHops, an element that is no address.
//   - IPv4-mapped IPv6 addresses and zones, which make a check of networks miss:
//     the first are unmapped, the second refused.
package headers
