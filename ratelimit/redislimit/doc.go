// Package redislimit keeps the counts of package ratelimit in Redis, so that
// all processes of a service share its limits.
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379", ContextTimeoutEnabled: true, MaxRetries: -1})
//	store := errors.Must(redislimit.New(client, redislimit.Options{Secret: secret}))
//	limits := errors.Must(ratelimit.New(ratelimit.Options{Store: store, Tiers: tiers}))
//
// It works with one server, Sentinel, Cluster and Ring, of Redis 7 or newer or
// Valkey (the tests ran on Redis 7.0.15 and 8.0.2, and Valkey 8.1.1). It sends
// nothing before the first request: Redis may be absent when the service starts.
//
// # What it costs
//
// All limits of a request are one EVALSHA with one argument, which reads all of them and
// then charges all or none. The limits of a tier and a principal are in one key: one GET
// and one SET. A denial writes nothing, except the mark of a penalty.
//
// With one server or Sentinel, concurrent requests share calls: while two calls are under
// way, decisions wait for the next one, which makes up to 64 of them. A decision that finds
// fewer calls under way is sent at once, so a service that is not busy waits for nothing.
// With 64 requests at a time, a decision then costs two thirds of the time that Redis needs
// for redis_rate, and a third of the CPU time of the process
// (internal/test/bench/redisload). Each request keeps its own deadline: one that is canceled
// while it waits is not sent, and hurts no other. No decision is sent twice. A call that
// fails is one failure for the limiter, see [ratelimit.SharedError].
// Options.SeparateCalls sends every decision by itself, and so does a server in cluster mode
// that refuses calls with the keys of several principals (CROSSSLOT).
//
// On Cluster and Ring, every request has a call of its own, because a call has the keys of
// one slot, and one that waits for a slow server must not hold those of others. The keys of
// one principal are on one server. A request that counts two principals, such as an address
// and an account, sends both scripts in one pipeline, and gives back what one charged when
// the other denies: in between, others may be denied, and nobody is admitted too much.
//
// The time is the server's (TIME, in the script), so that the clocks of the processes need
// not agree. Every write sets its expiry in the same command. A key takes about 150 bytes
// with one limit, 40 more for each further one, and 8 more for each request in the window,
// but at most about 1900 bytes for a limit of any size.
//
// # Rolling deploys
//
// A key has the version of its layout in its name ("rl:{...}:2:login"). Processes with
// versions of this package of another layout run beside each other, and each version counts
// by itself until the deploy ends: together they admit at most twice the limit. Old keys
// expire.
//
// # What it keeps
//
// Keys are HMAC-SHA-256 under Options.Secret, cut to 128 bits, and the name of
// the tier; values are packed numbers. Neither addresses nor accounts are in Redis,
// its snapshots or its logs. Processes whose secrets differ would not see each
// other's counts: each compares a fingerprint of its own with the one in Redis,
// once a minute, and calls Options.OnEvent on a mismatch. No request is denied,
// because secrets are replaced process by process.
//
// # The client
//
// Give the limiter a client of its own, with these options of go-redis:
//
//	ContextTimeoutEnabled:      true,                   // a deadline ends a call, and its connection is free again
//	MaxRetries:                 -1,                     // a retry comes too late, and the limiter knows what to do
//	DialerRetries:              1,                      // of five, which take half a second
//	DialTimeout:                time.Second,            // of five seconds
//	ReadTimeout:                500 * time.Millisecond, // of five seconds
//	WriteTimeout:               500 * time.Millisecond, // of five seconds
//	ClusterStateReloadInterval: time.Second,            // of a minute, for which slots are gone after a failover (redis/go-redis issue 3979)
//
// The last one is for Cluster alone. None is needed for the limiter to be
// right: a command of ours is never sent twice, whatever MaxRetries says, since
// a lost reply would be charged twice; and no call waits for longer than
// ratelimit's Timeout, whatever the timeouts say. With the defaults, calls that
// were given up hold their connections for up to five seconds, and hooks, such as
// those for traces, are not called for one server: go-redis's WithTimeout, which
// bounds what hangs there, drops them.
//
// The user needs no more than this; for Cluster, the second:
//
//	user limits on >change-me resetkeys ~rl:* resetchannels -@all +eval +evalsha +get +set +del +time
//	user limits-cluster on >change-me resetkeys ~rl:* resetchannels -@all +eval +evalsha +get +set +del +time +cluster|slots +asking
//
// DEL is for what nothing is left of, and TIME is the clock.
//
// A wrong password, a missing right, a client of one server that is given a
// Cluster, or another application's data under the Prefix do not pass by
// themselves: they are [ratelimit.ErrMisconfigured], and deny, whatever
// OnStoreFailure says. A certificate that is not trusted is a failure as any
// other, since everybody on the way can cause one.
//
// The limiter's Redis may evict (maxmemory-policy volatile-ttl): what it loses
// is a client's count. Do not share it with sessions, whose Redis must not.
//
// # What is promised when servers fail
//
//   - A reply that is lost is a charge that counts once, and admits by the local
//     count or not at all, as the tier says. A call that was given up may still be
//     executed: it then counts, and admitted nobody through Redis.
//   - Replication is asynchronous. After a failover, at most what was admitted
//     in the lost interval is admitted again; after a restart without data, at
//     most one limit per key. No more is promised: WAIT would not change it, and
//     costs a round trip.
//   - While Redis fails, each process decides by its own count, which it keeps
//     warm: it admits no more than the limit, all of them together no more than
//     the limit times the processes. What they admitted then, Redis does not
//     know afterwards.
//   - A clock that goes back, after a failover or by hand, gives nobody anything
//     twice, and makes nobody wait for longer than a window, or a penalty, from
//     then on. One that goes forward ends windows early by as much: keep the
//     clocks of the servers together (NTP).
//   - While a Cluster moves a slot, tiers of one principal may be on two
//     servers. They are then charged one by one, and given back where one denies.
//
// # Threats
//
//   - A flood of new clients, to fill Redis: a key lives no longer than its
//     window or penalty, and clients behind one IPv6 /64 are one.
//   - Guessed keys, to free or to block somebody: without the Secret nobody can
//     name a key.
//   - A Redis that hangs, to hold the service: the deadline is kept here, and the
//     calls that were given up are bounded.
//   - Retries that count twice, of drivers that mean well: none are made.
package redislimit
