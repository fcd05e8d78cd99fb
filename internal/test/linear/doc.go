// Package linear checks that the sessions of several processes on one Redis are linearizable:
// a single process that handles one request after the other could have given every response.
//
// Its test starts three processes. Clients log in, refresh, log out and end all sessions
// concurrently. porcupine then searches the recorded history for a sequential order. The
// model has one live generation for each session. A second successor has no such order, nor
// has a token that works after all sessions were ended.
//
// RINGWALL_LINEAR_ROUNDS=20 records 20 histories with different choices. A history is short,
// because a request whose reply is lost may take effect at any later time, so the search
// grows with the number of such requests.
//
// It is a separate module, so that the checker does not become a dependency of a service. It
// needs redis-server. If that is missing, the tests skip; with RINGWALL_REQUIRE_SERVERS=1
// they fail.
package linear
