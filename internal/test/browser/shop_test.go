package browser_test

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/testlog"
)

// What the page of the shop promises, each in a shop of its own and under a
// name of its own, since cookies are a host's whatever the port.
func TestPageOfTheShopWorks(t *testing.T) {
	open(t, "app.example.test", "/") // skips without a browser
	binary := filepath.Join(t.TempDir(), "shop")
	build := exec.Command("go", "build", "-o", binary, "./examples/shop")
	build.Dir = "../../.."
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	for name, play := range map[string]func(*testing.T, *shop){
		"story": shopStory, "attacks": shopAttacks, "limits": shopLimits, "tabs": shopTabs, "policy": shopPolicy, "pictures": shopPictures, "look": shopLook,
	} {
		t.Run(name, func(t *testing.T) { play(t, startShop(t, binary, name+".example.test")) })
	}
}

// shop is a running shop.
type shop struct {
	t   *testing.T
	url string
	log *testlog.Log
}

func startShop(t *testing.T, binary, host string) *shop {
	t.Helper()
	certificate, key, err := world.server.Files(t.TempDir())
	require.NoError(t, err)
	s := &shop{t: t, log: new(testlog.Log)}
	command := exec.Command(binary, "-addr", "127.0.0.1:0", "-cert", certificate, "-key", key)
	command.Stderr = s.log
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		require.NoError(t, command.Process.Signal(syscall.SIGTERM))
		require.NoError(t, command.Wait(), s.log)
	})
	read := bufio.NewScanner(out)
	for read.Scan() {
		if url, ok := strings.CutPrefix(read.Text(), "The shop listens on https://"); ok {
			_, port, err := net.SplitHostPort(url)
			require.NoError(t, err)
			s.url = "https://" + host + ":" + port
			break
		}
	}
	require.NotEmpty(t, s.url, s.log)
	go func() {
		for read.Scan() { // the rest, until the shop ends
		}
	}()
	return s
}

func (s *shop) page() *page {
	s.t.Helper()
	tab, cancel, err := world.chromium.Tab(time.Minute)
	require.NoError(s.t, err)
	s.t.Cleanup(cancel)
	problems, err := tab.Watch()
	require.NoError(s.t, err)
	p := &page{s, tab, problems}
	require.NoError(s.t, tab.Open(s.url+"/"))
	p.shows("#products .text", "Rampart")
	return p
}

// The story of one visitor, in one tab.
func shopStory(t *testing.T, s *shop) {
	p := s.page()
	require.Equal(t, "signed out", p.text("#who"))

	// By the keyboard alone, with Enter in the form.
	p.click(`[data-email="ada@example.com"]`)
	p.ask(`(document.querySelector("#login [name=password]").focus(), "")`)
	require.NoError(t, p.tab.Press("\r"))
	p.shows("#who", "ada")
	p.shows("#scopes", "orders:read, orders:write")
	require.Equal(t, "refresh", p.ask(`document.activeElement.dataset.action`), "the focus did not get lost with the form")

	// The data that a script can steal, and the data that it cannot.
	require.Equal(t, `document.cookie: ""`, p.text("#cookie"))
	require.Equal(t, `{"signed-in":"yes"}`, p.ask(`JSON.stringify(localStorage)`))
	require.Equal(t, `{}`, p.ask(`JSON.stringify(sessionStorage)`))
	require.Regexp(t, `^(5:00|4:5\d)$`, p.text("#life-text"))

	p.click("[data-action=refresh]")
	p.shows("#session-said", "A new pair of tokens")
	p.click("[data-action=refresh]")
	p.shows("#answers li:nth-child(2) summary, #answers summary", "200")
	require.NotContains(t, p.log.String(), "used", "nothing looked like theft")

	p.ask(`(document.querySelector("#search input").value = "tow", document.querySelector("#search button").click(), "")`)
	require.Eventually(t, func() bool { return !strings.Contains(p.text("#products"), "Rampart") }, waitFor, tick)
	p.shows("#products", "Tower")
	p.click("#products button")
	p.shows("#products-said", "Tower ordered.")
	p.shows("#orders", "1 × TOW1")
	p.ask(`(document.querySelector("#orders input").value = "<b>ring twice</b>", document.querySelector("#orders button").click(), "")`)
	p.shows("#orders-said", "Note saved.")
	p.shows("#devices", "this one")

	// The page shows the headers of each response.
	p.click("#answers summary")
	p.shows("#answers dl", "default-src 'none'")
	p.shows("#answers dl", "nosniff")
	p.shows("#answers dl", "max-age=63072000; includeSubDomains")

	// A reload has no token in memory, and gets one for the cookie.
	require.NoError(t, p.tab.Open(p.url+"/"))
	p.shows("#who", "ada")
	p.click("[data-action=logout]")
	p.shows("#who", "signed out")
	require.Equal(t, `{}`, p.ask(`JSON.stringify(localStorage)`))
	require.Empty(t, p.problems.List())
}

// Each attack is played from the page, and the page reports that the shop
// resisted.
func shopAttacks(t *testing.T, s *shop) {
	p := s.page()
	p.login("ada")
	for attack, want := range map[string]string{
		"forged":   "Held. 401 auth_invalid: ",
		"deep":     "Held. 413 input_too_large: ",
		"unknown":  "Held. 422 invalid_input: /price is unknown",
		"stranger": "Held. The stranger's script got a TypeError: not even the refusal is for it to read. You are still logged in.",
		"other":    "Held. 404 order_not_found: ",
	} {
		require.Contains(t, p.play(attack), want, attack)
	}
	require.Contains(t, s.log.String(), "origin_denied")
	require.Equal(t, "ada", p.text("#who"), "all of that cost the session nothing")

	// A user who opens the stranger's page by a link is not logged out either.
	denied := strings.Count(s.log.String(), "origin_denied")
	lured, cancel, err := world.chromium.Tab(time.Minute)
	require.NoError(t, err)
	t.Cleanup(cancel)
	require.NoError(t, lured.Open(s.url+"/page/stranger.html"))
	require.Eventually(t, func() bool { return strings.Count(s.log.String(), "origin_denied") > denied }, waitFor, tick)
	require.NoError(t, p.tab.Open(s.url+"/"))
	p.shows("#who", "ada")

	// One attack logged Ada in on the side: that is a device, which she can end.
	p.shows("#devices .danger", "Log out there")
	p.click("#devices .danger")
	p.shows("#devices-said", "Logged out there.")
	require.Eventually(t, func() bool { return p.text("#devices .danger") == "" }, waitFor, tick, "the list is read anew")

	// Two uses of one token end the session, in the page too.
	got := p.play("replay")
	require.Contains(t, got, "Held. One request was answered with 200, the other 401 auth_revoked: ")
	require.Contains(t, got, "The token that the first one got: 401 auth_revoked: ")
	require.Contains(t, s.log.String(), "token_reused")
	require.Empty(t, p.problems.List())
	p.click("[data-action=refresh]")
	p.shows("#who", "signed out")
	require.Empty(t, p.problems.List())
}

// The meter falls with a flood, and fills again as the window slides.
func shopLimits(t *testing.T, s *shop) {
	p := s.page()
	p.login("ada")
	p.click("#products button")
	p.shows("#limits", "59 of 60")
	require.Contains(t, p.play("flood"), "Held. 59 were let through, 11 were not. 429 rate_limited: ")
	p.shows("#limits", "0 of 60")
	require.Equal(t, "0", p.ask(`String(document.querySelector("#limit-writes").value)`))
	p.click("[data-action=refresh]") // has a limit of its own
	p.shows("#session-said", "A new pair")
	p.ask(`(Date.now = (now => () => now() + 61_000)(Date.now), "")`)
	p.shows("#limits", "60 of 60")
	require.Empty(t, p.problems.List())
}

// Tabs share the session: one logs in, all are; they refresh at the same time,
// and take turns; one logs out, all are out.
func shopTabs(t *testing.T, s *shop) {
	tabs := []*page{s.page(), s.page(), s.page()}
	tabs[0].login("ada")
	for _, p := range tabs {
		p.shows("#who", "ada")
	}
	late := s.page()
	late.shows("#who", "ada")
	require.NotContains(t, late.text("#answers"), "/auth/refresh", "it was given the token by the others")
	tabs = append(tabs, late)

	for range 10 {
		var all sync.WaitGroup
		for _, p := range tabs {
			all.Go(func() { _, _ = p.tab.Ask(`(document.querySelector("[data-action=refresh]").click(), "")`) })
		}
		all.Wait()
		for _, p := range tabs {
			require.Eventually(t, func() bool {
				return p.ask(`String(document.querySelector("[data-action=refresh]").disabled)`) == "false"
			}, waitFor, tick)
		}
	}
	for _, p := range tabs {
		require.Equal(t, "ada", p.text("#who"))
	}
	require.NotContains(t, s.log.String(), "token_reused")

	// An attempt whose tab was closed before the response came.
	tabs[0].ask(`(localStorage.setItem("attempt", "0123456789abcdef"), "")`)
	tabs[1].click("[data-action=refresh]")
	require.Eventually(t, func() bool { return tabs[1].ask(`String(localStorage.getItem("attempt"))`) == "null" }, waitFor, tick)
	require.Equal(t, "ada", tabs[1].text("#who"))

	tabs[2].click("[data-action=logout]")
	for _, p := range tabs {
		p.shows("#who", "signed out")
		require.Empty(t, p.problems.List())
	}
}

// The admin gives a product a picture: a form with a file, from memory.
func shopPictures(t *testing.T, s *shop) {
	p := s.page()
	p.login("root")
	choose := func(content, kind string) {
		p.ask(fmt.Sprintf(`(async () => {
			const input = document.querySelector("#products input[type=file]"), files = new DataTransfer()
			files.items.add(new File([%s], "rampart.png", {type: %q}))
			input.files = files.files
			input.dispatchEvent(new Event("change"))
			return ""
		})()`, content, kind))
	}
	p.shows("#products .button", "Picture")
	choose(`"<script>alert(1)</script>"`, "image/png")
	p.shows("#products-said", "422 invalid_input")
	choose(`await new Promise(done => { const c = new OffscreenCanvas(44, 44), g = c.getContext("2d"); g.fillStyle = "#3f958d"; g.fillRect(6, 6, 32, 32); c.convertToBlob({type: "image/png"}).then(done) })`, "image/png")
	p.shows("#products-said", "Rampart has a new picture.")
	require.Equal(t, "44", p.ask(`new Promise(done => { const i = document.querySelector("#products img"); const look = () => i.complete ? done(String(i.naturalWidth)) : setTimeout(look, 50); look() })`))
	require.Empty(t, p.problems.List())
}
