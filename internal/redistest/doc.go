// Package redistest runs real Redis servers for tests: one server, one with
// TLS and users, a Cluster, a master with replicas under Sentinels; and a
// proxy between them and a client that loses what networks lose.
//
// Each server listens on free ports of loopback, in a temporary folder, with
// nothing on disk. Both end with the test, and with the process that started
// them however that ends. It answers when Start returns.
//
//	server := redistest.Start(t, "maxmemory 1mb", "maxmemory-policy noeviction")
//	client := redis.NewClient(server.Options())
//	server.Pause(t) // SIGSTOP
//
// It needs redis-server 7.0 or newer, or valkey-server: the one whose path is in
// RINGWALL_REDIS_SERVER, else one that is installed. Where there is none, the
// test is skipped, and fails when RINGWALL_REQUIRE_SERVERS is 1.
package redistest
