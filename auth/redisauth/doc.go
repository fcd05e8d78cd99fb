// Package redisauth keeps sessions, API keys and revocations in Redis, so that the
// processes of a service share them.
//
// # What it promises
//
// Each change is one Lua script on one key, which Redis executes as one step. It
// works the same on a Cluster and behind Sentinels. A rotation of a refresh token is
// one round trip. Times come from the clock of Redis, not from those of the processes.
//
// A call whose reply is lost is retried, and the retry detects that the first
// attempt was executed, so a retry never looks like theft. An attempt that was
// delayed in the network has no effect if it arrives after its retry.
//
// No call takes longer than Timeout, even if Redis hangs and the client of go-redis
// has its defaults. If Redis does not reply, the response is 503 with Retry-After.
// Nothing falls back to memory. A copy of the Redis has no usable token or key, only
// digests, numbers, and the data that the application put into sessions.
//
// # What it does not promise
//
// Redis replicates after it has replied, so a failover may lose the last writes. A
// lost rotation is repaired when the client presents its newest token, with the event
// session.StoreRolledBack. Until then, the token before it works once more, and
// counts as reuse afterwards. After a lost login, the user must log in again.
//
// If the deletion of a session, a revocation or a change of an API key is lost, the
// session, token or key works again, without notice. With Replicas set, each of these
// calls waits for that many replicas. If they do not confirm, it returns an error
// although the change was made: call it again. WAIT is not a consensus protocol: a replica that did not confirm may
// still be promoted. To exclude that, set Replicas to the number of all replicas.
//
// A Redis that loses all data, because it wrote none to disk, ends all sessions.
// Processes that start later accept revoked access tokens until they expire, for a few
// minutes. API keys are lost too, so set appendonly.
//
// # Example
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379", ContextTimeoutEnabled: true, MaxRetries: -1})
//	sessionStore := errors.Must(redisauth.NewSessionStore(client, redisauth.Options{Replicas: 1}))
//	keyStore := errors.Must(redisauth.NewKeyStore(client, redisauth.Options{Replicas: 1}))
//	feed := errors.Must(redisauth.NewRevocationFeed(client, redisauth.Options{Replicas: 1}))
//
//	revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: feed}))
//	go revoked.Run(ctx)
//	sessions := errors.Must(session.New(session.Options{
//		Issue: issuer.ForSession, Account: users.current, Revocations: revoked,
//		Store: sessionStore, Keys: []session.Key{{ID: 1, Secret: secret}},
//	}))
//
// # The Redis
//
// Redis must have maxmemory-policy noeviction; Ready checks that. Any other policy may
// evict a key when memory is full. An evicted hash of sessions logs a user out. An
// evicted hash of API keys locks clients out, and an evicted stream of revocations makes
// revoked tokens valid again. With noeviction, calls that need memory fail with 503
// instead. Use another Redis for rate limits, because their keys may be evicted.
//
// Recommended options of the client are MaxRetries: -1, because this package retries
// calls itself, and ContextTimeoutEnabled: true, so that connections become free in
// time. For a Cluster, set ClusterStateReloadInterval: time.Second too. Without it,
// the client may need a minute to find a new master (redis/go-redis#3979).
//
// The minimum permissions:
//
//	user auth on >secret ~ringwall:* resetchannels -@all +eval +evalsha +wait +info +time
//	    +get +set +hget +hset +hdel +hexists +hkeys +hscan +pttl +pexpire +exists +xadd +xdel +xrange +xinfo|stream
//
// and on a Cluster +cluster|slots +cluster|shards +cluster|nodes +command +asking.
//
// # Threats
//
//   - A client library that repeats a command: each script is sent once, and detects
//     this package's own retry by its attempt.
//   - A Redis that hangs and takes the service with it: no caller waits longer than
//     Timeout, and the number of abandoned calls is limited.
//   - Keys that are evicted when memory is short: Ready reports the policy.
package redisauth
