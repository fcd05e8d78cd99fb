// Package apikey authenticates servers by long-lived keys that are bound to
// networks and rotated on a schedule.
//
// # What it refuses by default
//
// A key without networks, and a key from elsewhere: 403 network_denied, which
// only a key with the right secret gets. Keys are read from one header, on the
// routes that are listed for them, and never from a query. The secret has 256
// random bits; the store has its SHA-256. A key ends when it is revoked, when
// it expires, and secret by secret as it is rotated.
//
// # A program
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
//	}) // text is shown this once
//
// and once an hour, on any replica:
//
//	err := partners.RotateDue(ctx, vault.put)
//
// # Its place
//
// A [Manager] is an authenticator of auth's Middleware. Its errors do not tell
// an unknown key from a wrong secret. How long a store takes to find a key may:
// an ID is no secret.
//
// # Several processes
//
// Package redisauth has a store that they share. Each keeps what it accepted for
// CacheTTL, at most a second: so long a revoked key may work elsewhere than
// where it was revoked. The last use is written once a minute, after the
// answer. Of several that call RotateDue, one rotates a key.
//
// # Threats
//
//   - A stolen key (CWE-798): its networks, a short life by rotation, an event
//     for each genuine key from elsewhere. Revoke ends it at once; Rotate lets
//     the old secret work on.
//   - Spoofed addresses: ClientIP decides, and only when it is certain; an
//     address behind headers that nobody vouches for is covered by no network.
//   - Guessing: 256 bits; a checksum refuses noise before the store is asked.
//   - A flood of keys that are made up: each that is well formed costs a look-up,
//     since a no is not remembered. Put a limit by address before it.
//   - A leaked store: digests of random secrets, which cannot be turned back.
//   - A secret in a log: what a deliver panics with is not logged.
//   - A rotation that locks a client out: the old secret works until a while
//     after the new one was first used, at most 30 days. RotationOverdue says that
//     it is still in use, once a day, where nobody has fetched the new one.
package apikey
