// Package ratelimit holds clients to limits, by tiers of routes, with a window
// that slides: in this process, or in Redis for all processes of a service.
//
// # What it refuses by default
//
// A request above a limit is 429 rate_limited with Retry-After, in whole
// seconds, rounded up; one that costs more than a limit ever allows is 413
// too_expensive. All limits of a tier decide together: a request that one of
// them denies is not charged to the others. A client is its TCP peer's
// address, or the /64 network in IPv6, unless ClientIP says otherwise; no
// forwarding header is believed. What no tier claims is not limited: have one
// tier without routes. A pattern that matches nothing is a limit that does not
// exist: [Limiter.Unmatched] finds it in a test, and a warning in production.
//
// # A program
//
// All that protects a login: limits by address before a password is checked,
// and by account around the check, so that neither one address nor one account
// can be worked on.
//
//	limits := errors.Must(ratelimit.New(ratelimit.Options{ClientIP: proxy.ClientIP, Tiers: []ratelimit.Tier{
//		{Name: "login", Routes: []string{"POST /auth/login"}, Limits: ratelimit.Login()},
//		{Name: "refresh", Routes: []string{"/auth/refresh"}, Limits: ratelimit.Writes()},
//		{Name: "reads", Routes: []string{"GET /"}, Limits: ratelimit.Reads()},
//		{Name: "writes", Limits: ratelimit.Writes()}, // all the rest
//	}}))
//	// Strangers can keep an owner out by this: see "Accounts and shared addresses".
//	accounts := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
//		{Name: "account", Limits: []ratelimit.Limit{{Requests: 10, Window: 15 * time.Minute}}},
//	}}))
//	handler := failures.Handler(limits.Handler(mux))
//
// and in the handler of the login, also for accounts that do not exist, since
// the answer would tell otherwise which do. The key is the spelling by which
// accounts are found, or each spelling of a name has tries of its own:
//
//	email := strings.ToLower(in.Email)
//	try, err := accounts.Take(r.Context(), "account", email, 1)
//	if err != nil {
//		return err
//	}
//	user, err := users.check(email, in.Password)
//	if err != nil {
//		return err
//	}
//	try.Refund(r.Context()) // count failures only
//
// # Its place
//
// Inside errors, headers and cors, so that a page can read a 429; outside of
// auth, so that a flood of bad credentials is stopped before it costs
// signatures. A limit by principal is a second Limiter inside auth, on the same
// Store: its Key returns the subject, its tiers have other names, and it adds
// its members to the fields of the outer one. FailuresOnly needs
// errors.Responder outside, and http.TimeoutHandler inside: the ResponseWriter
// of a TimeoutHandler hides the status of the response, so that honest requests
// count as failures. A warning once a minute reports that.
//
// In front of an httputil.ReverseProxy, a Limiter needs errors.Responder outside
// to keep its fields: the proxy empties the header map after an informational
// response (1xx), and the Responder restores the headers of the rings.
//
// # What is exact
//
// Up to 128 requests per window every request has a time stamp: never more in
// any interval of the window's length, and never a denial of what the limit
// allows. Above, requests are counted in eighths of the window: never more than
// the limit in 7/8 of a window, never a denial of who keeps it in 9/8 of one. Of
// 800 a minute, never more than 800 are admitted in 52.5 s. In a whole minute it
// can be up to 1600: a burst at its begin and one at its end, by a client that
// works out where the eighths of its key begin, from the t and the Retry-After
// that it is told. TestAccuracy prints what happens, beside fixed windows, two
// buckets and GCRA.
//
// # Accounts and shared addresses
//
// An account limit lets strangers keep its owner out: with the limit of the program
// above, ten wrong guesses keep the owner of an account out for 15 minutes, and
// ten more for the next. Keep it looser than the address limit, quiet, without
// Penalty, and given back on success. Sessions that run are not touched. Give an
// owner who is locked out another way in, such as a link by e-mail.
//
// An address that an office, a school or a carrier's NAT shares makes an
// address limit hit honest people: count failures only, or count principals
// where they are known. IPv6 is the other way round: a client has a /64, or
// owns a /48 of 65 536 of those, hence the third limit of [Login].
//
// # Stores
//
// A [Memory] is bounded and has no goroutine. Package redislimit has the store
// for several processes: its page says which options of go-redis and which
// rights it needs, and why its Redis may evict while that of sessions must not.
// Another store passes package storetest.
//
// A store outside of the process is asked once for each request, for all of
// its limits, and less often where that suffices:
//
//   - A denial is remembered for up to a second, by key, limit and cost. A flood
//     from one key costs a call per second and process. A reset by another
//     process is noticed as late.
//   - A limit with Lease is charged some requests at once: a thirtieth of the
//     calls, or fewer, where a key has traffic. In any window, at most
//     min(processes * Requests/64, Requests/10) above the limit are admitted.
//     While a limit is used up, a process asks again every hundredth of the
//     window, and what is free by then may be denied in between.
//
// # Changing a limit
//
// While a rollout changes a limit, processes with the old and the new one share a
// store:
//
//   - Another Requests keeps the count. All processes charge the same count, and
//     each denies by its own Requests: together they admit the higher limit at
//     most. A process with the lower limit denies what is above it, also when
//     the others admitted that. Clients then see both limits, in turn.
//   - Another Window or another Name begins a count of zero. Until the rollout
//     ends, and for one old Window afterwards, at most both limits together are
//     admitted.
//   - A shorter Penalty also shortens a penalty that runs, as soon as a process
//     with it decides. A process whose limit has no Penalty ignores it.
//
// # When the store fails
//
// No request waits for longer than Timeout, whatever a driver does. After three
// failures in a row the store is not asked; then one live request probes it,
// after 250 ms at first and every 5 s at last. A client that hangs up is no
// failure. Meanwhile, a tier's OnStoreFailure decides:
//
//   - Local, the default, by this process's own count, which is warm: everything
//     that the store admits is counted here too, penalties included. It is
//     fail-open across processes, and closed in each: N processes admit N times
//     the limit at most, in any window, also when the store works again within
//     it. The store lacks what they admitted by themselves, so each process
//     denies by its own count too, until a window after its last decision
//     without the store. A Reset by another process is not noticed in that time.
//     N times is the price of a service that goes on; where it is too high, use
//     Deny.
//   - Deny answers 503 limits_unavailable with Retry-After. Good for a login.
//   - InsecureAllow lets everybody through. Attackers then aim at the store
//     first.
//
// A failure of configuration, such as a wrong password, is Deny always: see
// [ErrMisconfigured]. Each change of the store's health is logged once and told
// to OnEvent once.
//
// What is promised after a failover of a replicated store that no call noticed: at
// most what was admitted in the lost interval is admitted again. What is not:
// that no more than the limit is. A store that lost everything begins with empty
// counts.
//
// # Decisions
//
//   - A Scale of 0 or less is Requests: refusing everything would turn a quota
//     that could not be loaded into an outage, and allowing everything into a
//     hole.
//   - A penalty begins with a denial by the limit that has it. What is never
//     allowed, 413, begins none, and a Cost of 0 is allowed in it.
//   - Windows and penalties are whole milliseconds, so that all stores agree.
//   - A cost above Requests is denied without asking the store.
//   - A charge that came from a lease is given back while that would live, a
//     twelfth of the window, and stays charged afterwards.
//   - A lease is charged to a second limit as well, of 11/10 of Requests in 11/10
//     of the window, which bounds what many processes can hold; hence it
//     excludes everything that needs to see single requests.
//   - Decisions without the store are Allowed or Denied with Decision.Degraded;
//     the reasons Degraded and Restored are for changes.
//   - [Limiter.Charge] is the decision without a ResponseWriter, for tests and
//     other frameworks. It charges, and does not give back.
//
// # Threats
//
//   - Bursts at the end of a window, which pass twice in fixed windows.
//   - Other spellings of a path, to fall into a looser tier: the strictest
//     reading wins.
//   - Clients that choose their key: addresses of IPv6 (those of a NAT64, RFC
//     6052, are the IPv4 addresses that they stand for), forwarding headers,
//     paths, mapped addresses (GHSA-46wh-pxpv-q5gq).
//   - Guesses that run at the same time: FailuresOnly charges first and gives
//     back later.
//   - A flood of new clients, to push an attacker's count out of memory: denied
//     keys stay, and newcomers share a count when there are only those.
//   - A flood of requests, to load the store, or to make it seem to fail: denials
//     are remembered, and clients that hang up change nothing.
//   - A limit as a weapon: see above.
package ratelimit
