// Package ratelimit holds clients to limits, by tiers of routes, with a window
// that slides.
//
// # What it refuses by default
//
// A request above a limit is 429 rate_limited with Retry-After, in whole
// seconds, rounded up. All limits of a tier decide together: a request that
// one of them denies is not charged to the others. A client is its TCP peer's
// address, or the /64 network in IPv6, unless ClientIP says otherwise; no
// forwarding header is believed. What no tier claims is not limited: have one
// tier without routes.
//
// # A program
//
//	limits := errors.Must(ratelimit.New(ratelimit.Options{ClientIP: proxy.ClientIP, Tiers: []ratelimit.Tier{
//		{Name: "login", Routes: []string{"POST /auth/login"}, Limits: ratelimit.Login()},
//		{Name: "refresh", Routes: []string{"/auth/refresh"}, Limits: ratelimit.Writes()},
//		{Name: "reads", Routes: []string{"GET /"}, Limits: ratelimit.Reads()},
//		{Name: "writes", Limits: ratelimit.Writes()}, // all the rest
//	}}))
//	accounts := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
//		{Name: "account", Limits: []ratelimit.Limit{{Requests: 10, Window: 15 * time.Minute}}},
//	}}))
//	handler := failures.Handler(limits.Handler(mux))
//
// and in the handler of the login, also for accounts that do not exist:
//
//	try, err := accounts.Take(r.Context(), "account", in.Email, 1)
//	if err != nil || !try.Allowed {
//		return errors.Join(err, try.Err())
//	}
//	user, err := users.check(in.Email, in.Password)
//	if err != nil {
//		return err
//	}
//	_ = try.Refund(r.Context()) // only failures count
//
// # Its place
//
// Inside errors, headers and cors, so that a page can read a 429; outside of
// auth, so that a flood of bad credentials is stopped before it costs
// signatures. FailuresOnly needs errors.Responder outside.
//
// # Threats
//
//   - Bursts at the end of a window, which pass twice in fixed windows: limits
//     up to 128 are exact in every interval, larger ones in 7/8 of a window.
//   - Other spellings of a path, to fall into a looser tier: the strictest
//     reading wins.
//   - Clients that choose their key: addresses of IPv6 (the /64 counts),
//     forwarding headers, paths, mapped addresses.
//   - Guesses that run at the same time: FailuresOnly charges first and gives
//     back later.
//   - A flood of new clients, to push an attacker's count out of memory: denied
//     keys stay.
//   - A limit as a weapon: an account limit lets strangers keep its owner out,
//     so keep it looser than the address limit, quiet, and given back on
//     success. An address that an office or a carrier shares makes an address
//     limit hit honest people: count failures only.
package ratelimit
