// Package ratelimit limits the requests of clients, by tiers of routes, with a
// sliding window. The counts are kept in this process, or in Redis for all
// processes of a service.
//
// # What it refuses by default
//
// A request above a limit gets 429 rate_limited, with Retry-After in whole
// seconds, rounded up. A request that costs more than a limit ever allows gets
// 413 too_expensive. The limits of a tier decide together: if one denies a
// request, the others are not charged.
//
// A client is the IPv4 address of the TCP peer, or its IPv6 /64 network, unless
// ClientIP says otherwise. Forwarding headers are not read. A request that no
// tier matches is not limited, so end the list with a tier without routes: it
// matches every request that no other tier matches. A misspelt pattern matches
// nothing, and its limit has no effect: test with [Limiter.Unmatched].
//
// # Example
//
// The smallest program has a limit for logins, and one for every other route:
//
//	limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
//		{Name: "login", Routes: []string{"POST /auth/login"}, Limits: ratelimit.Login()},
//		{Limits: ratelimit.Limits(ratelimit.PerMinute(60))},
//	}}))
//
// A login needs two limits: one by address, before the password is checked, and
// one by account, around the check. With the first alone, many addresses can
// guess the password of one account.
//
//	limits := errors.Must(ratelimit.New(ratelimit.Options{ClientIP: proxy.ClientIP, Tiers: []ratelimit.Tier{
//		{Name: "login", Routes: []string{"POST /auth/login"}, Limits: ratelimit.Login()},
//		{Name: "refresh", Routes: []string{"/auth/refresh"}, Limits: ratelimit.Writes()},
//		{Name: "reads", Routes: []string{"GET /"}, Limits: ratelimit.Reads()},
//		{Name: "writes", Limits: ratelimit.Writes()}, // every other request
//	}}))
//	// An attacker can lock out an owner: see "Accounts and shared addresses".
//	accounts := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
//		{Name: "account", Limits: []ratelimit.Limit{{Requests: 10, Window: 15 * time.Minute}}},
//	}}))
//	handler := failures.Handler(limits.Handler(mux))
//
// In the login handler, charge the account before the password is checked, and
// refund the charge if the login succeeds. Charge unknown accounts too: otherwise
// the response shows which accounts exist. The key must be the spelling by which
// accounts are looked up: otherwise each spelling of a name has its own attempts.
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
// # Position
//
// Place the limiter inside errors, headers and cors, so that a page can read a
// 429, and outside auth, so that a flood of bad credentials is refused before it
// costs a signature check.
//
// To limit by principal, place a second Limiter inside auth, with the same Store,
// a Key that returns the subject, and tiers with different names. It adds its
// members to the RateLimit fields of the outer Limiter.
//
// FailuresOnly needs an errors.Responder outside the Limiter, and
// http.TimeoutHandler inside: the ResponseWriter of a TimeoutHandler hides the
// status of the response, so that successes count as failures. A warning once a
// minute reports that.
//
// A Limiter in front of an httputil.ReverseProxy needs an errors.Responder outside
// to keep its fields: the proxy empties the header map after an informational
// response (1xx), and the Responder restores the headers.
//
// # Accuracy
//
// No interval as long as the window has more requests than the limit, to the microsecond,
// for any limit. TestMemoryIsMoreAccurateThanPeers attacks it beside fixed windows, two
// buckets, weighted slots and GCRA, which admit up to twice the limit.
//
// Up to 128 requests per window, every request has a timestamp, and no request is denied
// that the limit allows.
//
// Above 128, neighboring requests share the timestamp of the last of them: up to 1/128 of
// the limit, made within 1/32 of the window. A request is denied only if more than 127/128
// of the limit is used in the window, and the whole limit in 33/32 of the window. A
// client that sends exactly 1000 requests per minute, evenly, is denied 0.7 % of them, and
// with 990 per minute none. Windows above 71 minutes are counted in milliseconds.
//
// # Accounts and shared addresses
//
// An account limit lets an attacker lock out the owner: with the limit of the
// example, ten wrong guesses lock out an owner for 15 minutes. Make it looser than
// the address limit, set Quiet, do not set Penalty, and refund successful logins.
// Existing sessions are not affected. Give an owner who is locked out another way
// in, such as a link by email.
//
// Users behind the address of an office, a school or a carrier's NAT share one
// address limit. For them, count failures only, or limit by principal if it is
// known. With IPv6 the problem is the reverse: one subscriber has a /64, or even a
// /48 with 65,536 of them. The third limit of [Login] covers the /48.
//
// # Stores
//
// A [Memory] is bounded and starts no goroutine. Package redislimit has a store
// for several processes. Its documentation lists the go-redis options and the Redis
// permissions that it needs. It explains why its Redis may evict keys, while the Redis
// of sessions must not. Package storetest tests other stores.
//
// A store outside the process is called once per request, with all limits of the
// request, or less often:
//
//   - A denial is cached for up to one second, by key, limit and cost. A flood
//     from one key costs one call per second and process. A reset by another
//     process takes effect up to one second late.
//   - A limit with Lease charges several requests in one call, and needs a
//     thirtieth of the calls or fewer for a busy key. In any window, at most
//     min(processes * Requests/64, Requests/10) requests above the limit are
//     admitted. Once the limit is used up, a process does not call the store until
//     a request becomes free, or for a hundredth of the window if that is longer,
//     but for at most a second. Requests in between may be denied although the
//     limit would allow them.
//
// # Changing a limit
//
// While a rollout changes a limit, processes with the old and the new one share a
// store:
//
//   - A change of Requests keeps the count. All processes charge the same count,
//     and each denies by its own Requests: together they admit at most the higher
//     limit. Clients see both limits, in turn.
//   - A change of Window or Name starts a new count at zero. Until the rollout ends,
//     and for one old Window afterwards, at most both limits together are admitted.
//   - A shorter Penalty shortens a running penalty as soon as a process with it
//     decides. A process whose limit has no Penalty ignores the penalty.
//
// # Store failures
//
// No request waits longer than Timeout for the store, even if the driver ignores
// its context. After three failures in a row, the store is not called. One request
// at a time then probes it: first after 250 ms, later every 5 s. A client that
// disconnects does not count as a failure. Until a probe succeeds, OnStoreFailure
// decides:
//
//   - Local, the default, uses the counts of this process, which are always kept up
//     to date: every request that the store admits is counted locally too, and
//     penalties are copied. N processes together admit at most N times the limit in
//     any window. A store that recovers does not have the requests that were admitted
//     without it. Hence each process also denies by its own counts, until a window
//     after its last decision without the store. A Reset by another process has no
//     effect in that time. If N times the limit is too much, use Deny.
//   - Deny responds with 503 limits_unavailable and Retry-After. It fits a login.
//   - InsecureAllow admits every request. An attacker then attacks the store first.
//
// A configuration failure, such as a wrong password, always denies: see
// [ErrMisconfigured]. Each change of the store's health is logged once, and
// OnEvent is called once.
//
// A failover of a replicated store that no call noticed loses the requests of an
// interval. At most these are admitted again, above the limit. A store that lost its
// data starts with empty counts.
//
// # Design decisions
//
//   - A Scale of 0 or less means Requests. Denying every request would turn a
//     quota that could not be loaded into an outage; allowing every request would
//     remove the limit.
//   - A penalty starts with a denial by the limit that has it. A request with a
//     cost above Requests (413) starts none. A cost of 0 is allowed during a
//     penalty.
//   - Windows and penalties are whole milliseconds, so that all stores agree.
//   - A cost above Requests is denied without a call of the store.
//   - A leased charge can be refunded until its lease expires, a twelfth of the
//     window after it began. Later refunds have no effect.
//   - A lease is also charged to a second limit, of 11/10 of Requests in 11/10 of
//     the window. It bounds the leases of all processes. For that reason Lease
//     excludes the options that need to see single requests.
//   - A decision without the store has the reason Allowed or Denied, and
//     Decision.Degraded is true. The reasons Degraded and Restored are only for
//     changes of the store's health.
//   - [Limiter.Charge] makes the same decision as Handler, for tests and other
//     frameworks. It charges the request, and never refunds it.
//
// # Threats
//
//   - Bursts around the end of a window, which fixed windows admit twice: the
//     window slides.
//   - Other spellings of a path that match a looser tier: the strictest form of the
//     path applies.
//   - Clients that choose their own key, by IPv6 addresses, forwarding headers,
//     paths or IPv4-mapped addresses (GHSA-46wh-pxpv-q5gq): keys are networks, and
//     NAT64 addresses (RFC 6052) count as the IPv4 addresses inside them.
//   - Concurrent guesses: FailuresOnly charges before the handler runs, and
//     refunds after it.
//   - A flood of new clients that evicts an attacker's count: denied keys are not
//     evicted; if no key can be evicted, new keys share a count.
//   - A flood of requests that overloads the store, or makes it look unhealthy:
//     denials are cached, and clients that disconnect do not count as failures.
//   - A limit that is used to deny service to an owner: see Accounts and shared
//     addresses.
package ratelimit
