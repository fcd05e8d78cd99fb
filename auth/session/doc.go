// Package session keeps people logged in: refresh tokens in a cookie that
// scripts cannot read, each used once, for access tokens that live a few
// minutes.
//
// # What it refuses by default
//
// A refresh token that was used already ends its session: its thief and its
// owner cannot be told apart, so both have to log in again, and the access
// tokens of the session die as well (RFC 9700, section 4.14.2; ASVS 5.0
// 10.4.5). A forged token is refused before the store is asked, and can end
// nobody's session.
//
// Login, refresh and logout take a POST from our own origin, and from those
// that AllowsOrigin knows. A request with two refresh cookies is refused. When
// the store does not answer, the client gets a 503, never a 401, and keeps
// its cookie. Only a logout clears the cookie: a late refresh of an old session
// must not delete what a new login has set.
//
// # Honest repeats
//
// Browsers send a POST again when a reused connection closes before the
// answer, and a 503 invites another try. Such a repeat is not theft. A client
// that wants to be sure numbers its attempts:
//
//	POST /auth/refresh
//	Refresh-Attempt: 16 to 64 random characters of base64url, new for each attempt
//
// The token that was used last, with the same attempt, gets the same successor
// until that successor is presented: an app that was suspended may repeat its
// request hours later. The repeat does not extend the session. Any other repeat
// is reuse, unless Grace allows it: set it where several tabs share the cookie
// and do not take turns. No repeat ever makes a second line of tokens, so a theft
// still shows when the lines part.
//
// Chromium alone decides to send a request again, and sends it with the same
// header. A page that gets a 503 waits for Retry-After, and tries again with the
// same value.
//
// A browser that sends no such header may repeat a request that got a 503. That
// 503 names the attempt in a second cookie, __Host-refresh-attempt, which is
// protected as the first one is, and is valid for that one token alone. Other
// repeats of such a browser, after an answer that was lost, are reuse.
//
// The cookie is SameSite=Strict: pages of the same site alone can refresh, such
// as app.example.com at api.example.com. Where they have another origin, cors has
// to allow it with Credentials and with [AttemptHeader] among its Headers, and
// AllowsOrigin of its Middleware belongs into [Options].AllowsOrigin.
//
// # A program
//
//	sessions := errors.Must(session.New(session.Options{
//		Issue: issuer.ForSession, Account: users.current, Revocations: revoked,
//	}))
//	login := func(w http.ResponseWriter, r *http.Request) error {
//		begun := time.Now() // before anybody looks at the password
//		user, err := users.check(r)
//		if err != nil {
//			return err
//		}
//		tokens, err := sessions.Login(w, r, session.Session{Subject: user, Scope: []string{"orders:read"}, AuthTime: begun})
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
// Without a [Store] the sessions are in the memory of this process, and the
// tokens are made with a key that [New] makes: a restart logs everybody out.
// Package redisauth has a store for several processes.
//
// # Clients that are no browsers
//
// With NativeClients they may keep the refresh token themselves:
//
//	POST /auth/login      Refresh-Token: new
//	POST /auth/refresh    Refresh-Token: rt_...    Refresh-Attempt: ...
//
// The next token is in the body, as refresh_token (RFC 6749, section 5.1). A 503
// may have it too, in the header Refresh-Token: the one that was sent is used
// up then. They have to number their attempts, since they have no cookies: a
// request without Refresh-Attempt gets a 400. After a 503 without a token, and
// after an answer that was lost, they send the same token and attempt again. A
// request with a header that browsers add is refused, so that a script on a page
// cannot have a token shown to it, however it got one.
//
// # A password changes
//
// Change it first, then call [Manager.RevokeAll]: sessions that are there end,
// with their access tokens, and so does a login that looked at the old password
// and was slow, if its AuthTime is from before it looked.
//
// # Its place
//
// These are handlers, not a ring. The rings stand around them: errors,
// headers, cors, ratelimit. In auth their routes are public, since the access
// token has expired when they are needed.
//
// # Threats
//
//   - A stolen refresh token: it works until its owner refreshes, then the
//     session ends, [TokenReused] tells of it, and the thief's access tokens die.
//   - A copy of the store: it holds no token, and nothing to make one from. A
//     leaked MAC key without tokens is not enough either.
//   - Cross-site requests (CWE-352): the origin check, beside SameSite=Strict,
//     which a sibling domain passes. Origins are compared as text
//     (golang/go#78563).
//   - Cookies planted by a sibling domain: the __Host- prefix (RFC 6265bis,
//     section 4.1.3.2; ASVS 5.0 3.3.3), and one cookie alone is taken.
//   - Session fixation (CWE-384): a login always makes a new session, and ends
//     the one whose cookie it came with.
//   - Sessions without an end: Absolute is never extended (ASVS 5.0 7.3.2), nor
//     by an access token that Issue lets live longer.
//   - Rights that were taken away: Account is asked on each refresh.
//   - A login that races a RevokeAll: [Session].AuthTime.
//   - A store that loses writes in a failover: the newest token goes on, with
//     the event [StoreRolledBack], and the ones before it are spent again.
//   - A clock that is set back: spent tokens stay spent.
//   - Many logins to fill the memory: MaxSessions for each subject.
//   - Tokens of dead sessions, collected for months and sent to the logout all at
//     once: what ended long ago takes no place in the revocations.
//   - A thief who presents a spent token during an outage: the 503 names an
//     attempt, and no successor. When the store is back, the attempt is not the
//     one that used the token, so the session ends.
//   - A thief who has the attempt cookie as well has the whole jar of the browser.
//     The jar gets the one successor while the browser has not presented it, and
//     ends the session afterwards.
//   - An attempt that a script plants: a MAC binds the cookie to one token, and
//     to this package as its author.
//   - A quick thief: within Grace the token before the current one still gets its
//     successor, which is why Grace is 0 unless it is set. Older tokens never do.
package session
