// Package redisauth keeps sessions, API keys and revocations in Redis, so that
// the processes of a service behave as one.
//
// # What it promises
//
// Each change is one Lua call, which Redis runs as one step, on one key: it
// works the same on a Cluster and behind Sentinels. A rotation of a refresh
// token is one round trip. A call whose reply is lost is made again, and finds
// what it did the first time: a retry of ours never looks like theft, and a call
// that hung in the network does nothing when it arrives after it was made again.
// The clock is Redis's, whatever those of the processes say.
//
// No call takes longer than Timeout, with a client of go-redis's defaults and a
// Redis that hangs too. What Redis does not answer is a 503 with Retry-After;
// nothing falls back to memory. A copy of the Redis holds no usable token or
// key: digests, numbers, and what the application put into a session.
//
// # What it does not
//
// Redis replicates after it has answered, so a failover may lose the last
// writes. Then a rotation is healed when the client presents its newest token,
// and session.StoreRolledBack tells of it; until then the token before it works
// once more, and shows as reuse afterwards. A login that is lost has to be made
// again.
//
// An ended session, a revocation or a key's revocation that is lost would work
// again unnoticed. With Replicas set, each of them waits until so many replicas
// have it, and is an error, although it was made, where they do not: do it
// again. WAIT is no consensus: a replica that has not confirmed may still be
// the one that is promoted. To be sure, set Replicas to the number of replicas.
//
// A Redis that forgets all, since it wrote nothing to disk, ends all sessions,
// and lets access tokens live that had been revoked, in processes that start
// after it, for the minutes until they expire. API keys are lost with it: set
// appendonly.
//
// # A program
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
// It has maxmemory-policy noeviction, which Ready asks for, and is another one
// than that of the rate limits, whose keys may go. Good options of the client
// are MaxRetries: -1, since this package tries again by itself, and
// ContextTimeoutEnabled: true, so that connections are free again in time; for a
// Cluster also ClusterStateReloadInterval: time.Second, or it takes a minute to
// find a new master (redis/go-redis#3979).
//
// The least that it may do:
//
//	user auth on >secret ~ringwall:* resetchannels -@all +eval +evalsha +wait +info +time
//	    +hget +hset +hdel +hexists +hkeys +hscan +pttl +pexpire +exists +xadd +xdel +xrange +xinfo|stream
//
// and on a Cluster +cluster|slots +cluster|shards +cluster|nodes +command +asking.
//
// # Threats
//
//   - A client library that repeats a command by itself: scripts are sent once,
//     and find a repeat of ours by its attempt.
//   - A Redis that hangs takes the service with it: nobody waits longer than
//     Timeout, and what hangs is bounded.
//   - Keys that are evicted when memory is short: Ready.
package redisauth
