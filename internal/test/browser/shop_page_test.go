package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/test/browser"
)

// page is the shop's page in a tab.
type page struct {
	*shop
	tab      *browser.Tab
	problems *browser.Problems
}

// ask evaluates a script.
func (p *page) ask(script string) string {
	p.t.Helper()
	got, err := p.tab.Ask(script)
	require.NoError(p.t, err, script)
	return got
}

func (p *page) text(selector string) string {
	p.t.Helper()
	return p.ask(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

func (p *page) shows(selector, want string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		got, err := p.tab.Ask(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
		return err == nil && strings.Contains(got, want)
	}, waitFor, tick, "%s shows %q\n%s", selector, want, p.problems.List())
}

func (p *page) click(selector string) {
	p.t.Helper()
	p.ask(fmt.Sprintf(`(document.querySelector(%q).click(), "")`, selector))
}

func (p *page) login(who string) {
	p.t.Helper()
	p.click(fmt.Sprintf(`[data-email="%s@example.com"]`, who))
	p.click("#login button:not([type])")
	p.shows("#who", who)
}

// play plays an attack, and returns the page's result.
func (p *page) play(attack string) string {
	p.t.Helper()
	p.click("#play-" + attack)
	require.Eventually(p.t, func() bool {
		return p.ask(fmt.Sprintf(`String(document.querySelector("#play-%s").disabled)`, attack)) == "false"
	}, waitFor, tick)
	return p.text("#attack-" + attack)
}

// The page's policy forbids these.
func shopPolicy(t *testing.T, s *shop) {
	p := s.page()
	for name, script := range map[string]string{
		"an inline script":       `(() => { const s = document.createElement("script"); s.append("window.ran = 1"); document.body.append(s) })()`,
		"HTML from a text":       `document.body.innerHTML = "<img src=x onerror='window.ran = 1'>"`,
		"a handler in the HTML":  `(() => { const b = document.createElement("button"); b.setAttribute("onclick", "window.ran = 1"); b.click() })()`,
		"a script of elsewhere":  `new Promise(done => { const s = document.createElement("script"); s.onload = () => { window.ran = 1 }; s.onerror = done; s.src = "https://evil.test/x.js" })`,
		"a policy of one's own":  `trustedTypes.createPolicy("mine", {createHTML: x => x})`,
		"a request to elsewhere": `fetch("` + at("public.example.test", "/") + `").then(() => { window.ran = 1 })`,
		"a style in the HTML":    `(() => { document.body.setAttribute("style", "opacity: 0"); if (getComputedStyle(document.body).opacity === "0") window.ran = 1 })()`,
	} {
		_, _ = p.tab.Ask(`(` + script + `, "")`)
		require.Equal(t, "undefined", p.ask(`typeof window.ran`), name)
	}
	require.NotEmpty(t, p.problems.List(), "and the console says so")
}

// shifted adds up how far what is there moved by itself; below 0.1 is good
// (Layout Instability API).
const shifted = `new Promise(done => {
	let sum = 0
	new PerformanceObserver(list => list.getEntries().forEach(e => { sum += e.hadRecentInput ? 0 : e.value })).observe({type: "layout-shift", buffered: true})
	setTimeout(() => done(sum.toFixed(3)), 1000)
})`

// How it looks: from 360 pixels on nothing sticks out, nothing jumps, and
// everything has a name and a visible focus. With RINGWALL_SCREENSHOTS set to
// a folder the pictures stay there.
func shopLook(t *testing.T, s *shop) {
	for _, look := range []struct {
		name          string
		width, height int64
		dark          bool
	}{{name: "light", width: 1280, height: 900},
		{name: "dark", width: 1280, height: 900, dark: true},
		{name: "phone", width: 360, height: 740},
		{name: "phone-dark", width: 360, height: 740, dark: true}} {
		t.Run(look.name, func(t *testing.T) {
			p := s.page()
			p.t = t
			require.NoError(t, p.tab.Look(look.width, look.height, look.dark))
			require.NoError(t, p.tab.Open(s.url+"/"))
			p.shows("#products", "Moat")
			require.Less(t, p.ask(shifted), "0.100", "the layout shifts")
			p.photograph(look.name + "-out")
			if p.text("#who") == "signed out" {
				p.login("ada")
			}
			p.shows("#who", "ada")
			p.click("#products button")
			p.shows("#orders", "RAM1")
			p.play("unknown")
			p.play("stranger")
			p.click("#answers summary")
			require.LessOrEqual(t, p.ask(`String(document.documentElement.scrollWidth).padStart(5, "0")`), fmt.Sprintf("%05d", look.width))
			require.Empty(t, p.ask(`[...document.querySelectorAll("input, button, meter")].filter(e => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).map(e => e.outerHTML).join()`), "a control without a name")
			require.Empty(t, p.ask(`[...document.querySelectorAll("button, input, summary")].filter(e => { e.focus({focusVisible: true}); return e.checkVisibility({visibilityProperty: true}) && (e !== document.activeElement || getComputedStyle(e).outlineStyle === "none") }).map(e => e.outerHTML).join()`), "a focus that nobody sees")
			require.Empty(t, p.ask(`[...document.querySelectorAll("button")].filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 36).map(e => e.outerHTML).join()`), "too small for a finger")
			p.ask(`(document.activeElement.blur(), "")`)
			p.photograph(look.name)
			require.Empty(t, p.problems.List())
		})
	}
}

func (p *page) photograph(name string) {
	if dir := os.Getenv("RINGWALL_SCREENSHOTS"); dir != "" {
		require.NoError(p.t, p.tab.Photograph(filepath.Join(dir, name+".png")))
	}
}
