// Package apikey authenticates programs by long-lived keys that are bound to
// networks and rotated on a schedule.
//
// # What it refuses by default
//
// A new key must list its networks. A key that is used from another network gets
// 403 network_denied, but only if its secret is right. Keys are read from one
// header, on the listed routes, and never from a query. A secret has 256 random
// bits; the store has its SHA-256. A key ends when it is revoked or expires. A
// secret ends after its rotation.
//
// # Example
//
//	partners := errors.Must(apikey.New(apikey.Options{
//		Prefix: "acme", Store: store, ClientIP: proxy.ClientIP, Routes: []string{"/partner/"},
//	}))
//	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens, partners}}))
//	mux.Handle("GET /partner/stock", auth.Require(auth.CallerTypes(auth.Program), auth.Scopes("stock:read"))(stock))
//
//	key, text, err := partners.Create(ctx, apikey.Key{
//		Name: "warehouse", Subject: "warehouse", Scope: []string{"stock:read"},
//		Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
//	}) // text is returned only here
//
// and once an hour, in any process:
//
//	err := partners.RotateDue(ctx, vault.put)
//
// # Position
//
// A [Manager] is an authenticator of auth's Middleware. Its errors do not
// distinguish an unknown key from a wrong secret. The store's response time may; an
// ID is not secret.
//
// # Several processes
//
// Package redisauth has a shared store. Each process caches accepted keys for
// CacheTTL, at most one second. For that long, other processes may accept a revoked
// key. The cache cannot be disabled, only shortened. The last use of a key is
// written once a minute, after the response. If several processes call RotateDue,
// only one rotates a key.
//
// # Threats
//
//   - A stolen key (CWE-798): its networks and its rotation limit its use, and a
//     genuine key from another network is an event. Revoke ends it at once; Rotate
//     lets the old secret work for the overlap.
//   - Spoofed addresses: only an address that ClientIP reports as certain matches a
//     network.
//   - Guessing: a secret has 256 bits, and a checksum refuses random text before the
//     store is called.
//   - A flood of invented keys: each well-formed one costs a lookup, because misses
//     are not cached. Put a limit by address before it.
//   - A leaked store: it has only digests of random secrets.
//   - A secret in a log: the panic value of a deliver function is discarded.
//   - A rotation that locks a client out: the old secret works for the overlap after
//     the first use of the new one, at most 30 days. RotationOverdue reports once a
//     day that it is still in use.
package apikey
