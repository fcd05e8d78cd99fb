// Package headers gives one trustworthy answer to the question who the client
// is, behind proxies and without them.
//
// # What it refuses by default
//
// A forwarding header is a claim. [PeerIP] reads none. [Forwarded] reads
// X-Forwarded-For only from a TCP peer that [ForwardedOptions].Trusted lists,
// and believes it only as far as each hop is listed too: from the right to the
// first address that is not ours. The leftmost address, which anybody can
// write, decides nothing.
//
// # A program
//
//	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{
//		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, // our load balancers
//	}))
//	http.HandleFunc("GET /whoami", func(w http.ResponseWriter, r *http.Request) {
//		addr, ok := proxy.ClientIP(r)
//		fmt.Fprintln(w, addr, ok)
//	})
//
// # Its place
//
// Both functions are pure: nothing is stored, and RemoteAddr is not changed, so
// they give the same answer in every ring. They fit wherever an option is
// called ClientIP.
//
// # Threats
//
//   - Spoofed addresses (CWE-290, CWE-348): a client that writes the header, a
//     chain that is longer than MaxHops, an element that is no address.
//   - IPv4-mapped IPv6 addresses and zones, which make a check of networks miss:
//     the first are unmapped, the second refused.
package headers
