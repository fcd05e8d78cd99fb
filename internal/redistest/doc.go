// Package redistest runs real Redis servers for tests: one server, one with TLS and
// users, a Cluster, and a master with replicas under Sentinels. Its proxy delays and
// loses bytes between a client and a server.
//
// Each server listens on free loopback ports, and does not persist its data. It
// responds when Start returns. At the end of the test, the server is killed and its
// temporary folder removed. This also happens if the test process is killed; on
// systems other than Linux, the server then keeps running.
//
//	server := redistest.Start(t, "maxmemory 1mb", "maxmemory-policy noeviction")
//	client := redis.NewClient(server.Options())
//	server.Pause(t) // SIGSTOP
//
// It needs redis-server 7.0 or newer, or valkey-server: the path in
// RINGWALL_REDIS_SERVER, or else an installed one. Without one, the test is skipped,
// or fails if RINGWALL_REQUIRE_SERVERS is 1.
package redistest
