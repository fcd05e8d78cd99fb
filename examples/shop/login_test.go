package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// guarded is a shop behind a proxy that it trusts, in a bubble whose clock
// jumps.
type guarded struct {
	t       *testing.T
	users   *users
	handler http.Handler
	tally   map[int]int // responses, by status
}

func play(t *testing.T, story func(g *guarded)) {
	synctest.Test(t, func(t *testing.T) {
		s, err := newService(config{
			self: "https://shop.example.com", origins: []string{"https://app.example.com"}, trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
			rounds: 1, logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		story(&guarded{t, s.users, s.handler, make(map[int]int)})
	})
}

// try logs in from an address, as the proxy sends it, and returns the status. 401
// is a guess that was compared, 429 one that was not.
func (g *guarded) try(from, email, password string) int {
	w := g.login(from, email, password)
	if w.Code == http.StatusTooManyRequests {
		require.NotEmpty(g.t, w.Header().Get("Retry-After"))
		require.Empty(g.t, w.Header().Get("RateLimit"), "what is left would help to pace an attack")
	}
	g.tally[w.Code]++
	return w.Code
}

func (g *guarded) login(from, email, password string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, g.request(from, "/auth/login", `{"email":"`+email+`","password":"`+password+`"}`))
	return w
}

// request is a POST as the proxy hands it on.
func (g *guarded) request(from, path, body string) *http.Request {
	r := httptest.NewRequest("POST", "https://shop.example.com"+path, strings.NewReader(body))
	r.RemoteAddr, r.TLS = "127.0.0.1:1234", nil
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Forwarded-For", from)
	r.Header.Set("X-Forwarded-Proto", "https")
	return r
}

// One address tries a list of accounts, a guess each two seconds for an hour:
// 30 guesses are compared, and not more than 5 in a minute.
func TestOneAddressIsLimitedOnManyAccounts(t *testing.T) {
	play(t, func(g *guarded) {
		for i := range 1800 {
			g.try("203.0.113.7", fmt.Sprintf("person%d@example.com", i), "password1")
			if i == 29 {
				require.Equal(t, map[int]int{401: 5, 429: 25}, g.tally, "the first minute")
			}
			time.Sleep(2 * time.Second)
		}
		t.Logf("guesses %d, compared %d, refused %d", 1800, g.tally[401], g.tally[429])
		require.Equal(t, map[int]int{401: 30, 429: 1770}, g.tally)
		require.Equal(t, 200, g.try("203.0.113.8", demoUsers[0].email, demoUsers[0].password), "its neighbour logs in")
	})
}

// Five hundred addresses guess the password of one account: 10 guesses are
// compared in 15 minutes. Its owner has to wait as well, which is the price of
// a limit on accounts; other accounts do not notice.
func TestManyAddressesShareTheLimitOfAnAccount(t *testing.T) {
	play(t, func(g *guarded) {
		for i := range 500 {
			email := demoUsers[0].email
			if i%2 == 1 {
				email = strings.ToUpper(email) // is the same account
			}
			g.try(fmt.Sprintf("198.51.%d.%d", i/250, 1+i%250), email, fmt.Sprintf("password%d", i))
		}
		t.Logf("guesses %d, compared %d, refused %d", 500, g.tally[401], g.tally[429])
		require.Equal(t, map[int]int{401: 10, 429: 490}, g.tally)
		require.Equal(t, 429, g.try("203.0.113.7", demoUsers[0].email, demoUsers[0].password), "the owner")
		require.Equal(t, 200, g.try("203.0.113.7", demoUsers[1].email, demoUsers[1].password), "somebody else")
		time.Sleep(15 * time.Minute)
		require.Equal(t, 200, g.try("203.0.113.7", demoUsers[0].email, demoUsers[0].password), "the owner, later")
	})
}

// The comment of the account limit.
func TestTenWrongGuessesKeepTheOwnerOut_FD7(t *testing.T) {
	play(t, func(g *guarded) {
		ada := demoUsers[0]
		in := g.login("203.0.113.7", ada.email, ada.password)
		for i := range 10 {
			require.Equal(t, 401, g.try(fmt.Sprintf("198.51.100.%d", i), ada.email, "password1"))
		}
		out := g.login("203.0.113.7", ada.email, ada.password)
		require.Equal(t, 429, out.Code)
		require.Equal(t, "900", out.Header().Get("Retry-After"))
		r := g.request("203.0.113.7", "/auth/refresh", "")
		r.Header.Set("Cookie", in.Result().Cookies()[0].String())
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		require.Equal(t, 200, w.Code, "who is logged in stays so")
		time.Sleep(15 * time.Minute)
		require.Equal(t, 200, g.try("203.0.113.7", ada.email, ada.password))
	})
}

// An account that does not exist has the same limit, so that the limit does not
// reveal which accounts exist.
func TestUnknownAccountsAreLimitedAlike(t *testing.T) {
	play(t, func(g *guarded) {
		for i := range 12 {
			g.try(fmt.Sprintf("198.51.100.%d", i), "nobody@example.com", "password1")
		}
		require.Equal(t, map[int]int{401: 10, 429: 2}, g.tally)
	})
}

// An office shares one address. Its people log in with the right password, five
// in a minute for as long as they like: successes are not counted as failures.
func TestOfficeBehindOneAddressLogsIn(t *testing.T) {
	play(t, func(g *guarded) {
		for i := range 40 {
			who := demoUsers[i%len(demoUsers)]
			g.try("203.0.113.7", who.email, who.password)
			time.Sleep(12 * time.Second)
		}
		t.Logf("logins %d, let in %d, refused %d", 40, g.tally[200], g.tally[429])
		require.Equal(t, map[int]int{200: 40}, g.tally, "more than the 30 failures of an hour")
	})
}

// An attacker with an IPv6 /48 has 65 536 networks, and uses a new one for each
// guess: 60 guesses are compared in a minute for all of them.
func TestIPv6PrefixHasALimit(t *testing.T) {
	play(t, func(g *guarded) {
		for i := range 1000 {
			g.try(fmt.Sprintf("2001:db8:7:%x::1", i), fmt.Sprintf("person%d@example.com", i), "password1")
		}
		t.Logf("guesses %d, compared %d, refused %d", 1000, g.tally[401], g.tally[429])
		require.Equal(t, map[int]int{401: 60, 429: 940}, g.tally)
		require.Equal(t, 200, g.try("2001:db8:8::1", demoUsers[0].email, demoUsers[0].password), "the next /48")
	})
}

// A client that writes X-Forwarded-For itself is not believed.
func TestSpoofedAddressIsIgnored(t *testing.T) {
	play(t, func(g *guarded) {
		for i := range 20 {
			g.try(fmt.Sprintf("10.0.0.%d, 203.0.113.7", i), fmt.Sprintf("person%d@example.com", i), "password1")
		}
		require.Equal(t, map[int]int{401: 5, 429: 15}, g.tally)
	})
}

// A login that is refused before its password is compared is not a failure, so a
// busy service locks no account.
func TestBusyLoginIsNotAFailure(t *testing.T) {
	play(t, func(g *guarded) {
		ada := demoUsers[0]
		for range cap(g.users.hashing) {
			g.users.hashing <- struct{}{}
		}
		for i := range 12 {
			require.Equal(t, http.StatusServiceUnavailable, g.try(fmt.Sprintf("203.0.113.%d", i), ada.email, ada.password))
		}
		<-g.users.hashing
		require.Equal(t, http.StatusOK, g.try("203.0.113.100", ada.email, ada.password))
	})
}
