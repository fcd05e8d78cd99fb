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
// A forwarding header is a claim. [PeerIP] reads none. [Forwarded] reads
// X-Forwarded-For only from a TCP peer that [ForwardedOptions].Trusted lists,
// and believes it only as far as each hop is listed too: from the right to the
// first address that is not ours. The leftmost address, which anybody can
// write, decides nothing.
//
// # A program
//
//	failures := errors.Must(errors.NewResponder(errors.Options{}))
//	secure := errors.Must(headers.New(headers.Options{})) // TLS ends in this process
//	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{
//		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, // our load balancers
//	}))
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
// refusals of the other rings have its headers. The two functions are pure: nothing is stored, and RemoteAddr is not changed, so
// they give the same answer in every ring. They fit wherever an option is
// called ClientIP.
//
// # Threats
//
//   - Credentials in clear (ASVS 5.0 4.1.2): refused and told, never redirected.
//   - Downgrade to HTTP: HSTS (RFC 6797), over HTTPS only.
//   - Open redirects through the Host header: it is never reflected.
//   - Framing, sniffing, embedding (CWE-1021, CWE-430): the headers.
//   - Spoofed addresses (CWE-290, CWE-348): a client that writes the header, a
//     chain that is longer than MaxHops, an element that is no address.
//   - IPv4-mapped IPv6 addresses and zones, which make a check of networks miss:
//     the first are unmapped, the second refused.
package headers
