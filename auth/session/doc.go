// Package session keeps users logged in. A refresh token in a cookie that scripts
// cannot read is exchanged, once, for its successor and a short-lived access token.
//
// # What it refuses by default
//
// A refresh token that was already used ends its session and revokes the access
// tokens of the session, because the thief and the owner cannot be distinguished:
// both must log in again (RFC 9700, section 4.14.2; ASVS 5.0 10.4.5). A forged
// token is refused before the store is called, so it cannot end a session.
//
// Login, refresh and logout accept only POST, from the service's own origin and
// from origins that AllowsOrigin accepts. A request with two refresh cookies is
// refused. If the store does not reply, the client gets 503, never 401, and keeps
// its cookie. Only a logout clears the cookie, because a late refresh of an old
// session could otherwise delete the cookie of a new login.
//
// # Retries
//
// A repeated request is not always theft. Browsers resend a POST if a reused
// connection closes before the response, and clients retry after a 503. A client
// marks all retries of one attempt with the same value:
//
//	POST /auth/refresh
//	Refresh-Attempt: 16 to 64 random characters of base64url, new for each attempt
//
// The last used token gets the same successor for the same attempt, until that
// successor is presented. There is no time limit: an app that was suspended may
// repeat its request hours later. A repeat does not extend the session.
//
// Any other repeat is reuse, unless Grace allows it. Set Grace if several tabs share
// the cookie and cannot coordinate. A repeat never starts a second lineage of
// tokens, so a theft is still detected when both parties have refreshed.
//
// If Chromium resends a request by itself, it sends the same header. A page that
// gets a 503 must wait for Retry-After and retry with the same value.
//
// A browser without this header may repeat a request that got a 503. That 503 has
// the attempt in a second cookie, __Host-refresh-attempt, which is protected like
// the first one and valid only for that token. Other repeats without the header,
// such as after a lost response, are reuse.
//
// The cookie is SameSite=Strict, so only pages of the same site can refresh, such
// as app.example.com with api.example.com. If their origins differ, cors must allow
// the origin with Credentials, and list [AttemptHeader] in Headers. Set
// [Options].AllowsOrigin to the AllowsOrigin of the cors Middleware.
//
// # Example
//
//	sessions := errors.Must(session.New(session.Options{
//		Issue: issuer.ForSession, Account: users.current, Revocations: revoked,
//	}))
//	login := func(w http.ResponseWriter, r *http.Request) error {
//		began := time.Now() // before the password is checked
//		user, err := users.check(r)
//		if err != nil {
//			return err
//		}
//		tokens, err := sessions.Login(w, r, session.Session{Subject: user, Scope: []string{"orders:read"}, AuthTime: began})
//		if err != nil {
//			return err
//		}
//		w.Header().Set("Content-Type", "application/json")
//		return json.NewEncoder(w).Encode(tokens)
//	}
//	mux := http.NewServeMux()
//	mux.Handle("POST /auth/login", errors.HandlerFunc(login))
//	mux.Handle("/auth/refresh", sessions.Refresh())
//	mux.Handle("/auth/logout", sessions.Logout())
//	mux.Handle("/auth/logout-all", sessions.LogoutAll())
//
// Without a [Store], sessions are kept in the memory of this process and tokens
// are made with a random MAC key, so a restart ends all sessions. Package redisauth
// has a store for several processes.
//
// # Clients other than browsers
//
// With NativeClients, a client that is not a browser may keep the refresh token
// itself:
//
//	POST /auth/login      Refresh-Token: new
//	POST /auth/refresh    Refresh-Token: rt_...    Refresh-Attempt: ...
//
// The response body has the next token as refresh_token (RFC 6749, section 5.1). A
// 503 may have it in the header Refresh-Token; the token that was sent is then used.
// Such a client must send Refresh-Attempt, because it has no cookies. Without it,
// the response is 400. After a 503 without a token, and after a lost response, the
// client must send the same token and attempt again. A request with a header that
// browsers add is refused, so that a script cannot read a refresh token.
//
// # Password changes
//
// Change the password first, then call [Manager.RevokeAll]. It ends all sessions of
// the subject and revokes their access tokens. It also refuses a login that is in
// progress with the old password, if its AuthTime was taken before the check.
//
// # Position
//
// The handlers of this package are not a ring. They stand inside errors, headers,
// cors and ratelimit. Their routes must be public in auth, because the access token
// has usually expired when they are called.
//
// # Threats
//
//   - A stolen refresh token: it works until the owner refreshes. Then the session
//     ends, its access tokens are revoked, and [TokenReused] is reported.
//   - A copy of the store: it has no token, and nothing to make one from. A leaked
//     MAC key without tokens is not enough either.
//   - Cross-site requests (CWE-352): the origin is checked in addition to
//     SameSite=Strict, which a sibling domain passes. Origins are compared as text
//     (golang/go#78563).
//   - Cookies that a sibling domain sets: the __Host- prefix prevents them (RFC
//     6265bis, section 4.1.3.2; ASVS 5.0 3.3.3), and a second refresh cookie is
//     refused.
//   - Session fixation (CWE-384): a login always creates a new session, and ends the
//     session whose cookie it came with.
//   - Sessions without an end: no refresh extends Absolute (ASVS 5.0 7.3.2), and an
//     access token that outlives its session is refused.
//   - Revoked permissions: Account is called on each refresh.
//   - A login that races RevokeAll: it is refused by its [Session].AuthTime.
//   - A store that loses writes in a failover: the newest token is accepted, with
//     the event [StoreRolledBack]. The ones before it count as used.
//   - A clock that is set back: used tokens stay used.
//   - Many logins that fill the memory: MaxSessions bounds the sessions per subject.
//   - Tokens of ended sessions that are collected and sent to logout all at once: a
//     session that ended long ago adds no revocation.
//   - A thief who presents a used token during an outage: the 503 has an attempt,
//     but no successor. When the store is back, it is not the attempt that used the
//     token, so the session ends.
//   - A thief who has the attempt cookie too, and so all cookies of the browser: the
//     thief gets one successor, unless the browser has presented it. Afterwards the
//     session ends.
//   - An attempt cookie that a script sets: its MAC binds it to one token.
//   - A fast thief: within Grace, the token before the current one gets its
//     successor, so Grace is 0 by default. Older tokens never do.
package session
