// Package linear holds, on recorded histories, that the sessions of several
// processes on one Redis behave as one: each answer is one that a single
// process could have given, doing one thing after the other.
//
// Its test starts three processes, lets clients log in, refresh, log out and
// end all sessions at them at once, and hands the history to porcupine, which
// searches for such an order. The model has one live generation for each
// session, so a second successor, or a token that works although all sessions
// were ended after it was issued, leaves none.
//
// RINGWALL_LINEAR_ROUNDS=20 makes that many histories, each with other choices.
// Longer ones would not do: a request whose reply is lost may take effect at any
// time after it, so the search grows with how many there are.
//
// It is a module of its own, so that the checker never becomes a dependency of
// a service. It needs redis-server; where that is missing the tests skip, and
// fail with RINGWALL_REQUIRE_SERVERS=1.
package linear
