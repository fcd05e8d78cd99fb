// The page: who is logged in, and what the buttons do.

import "./limits.js"
import "./answers.js"
import "./attacks.js"
import {good} from "./api.js"
import {ask, changes, login, logout, logoutAll, refresh, session, start} from "./session.js"
import {showDevices, showOrders, showProducts} from "./shelves.js"
import {find, gauge, say, sayAnswer} from "./view.js"

for (const button of document.querySelectorAll("[data-email]")) {
	button.onclick = () => {
		const {email, password} = find("login").elements
		;[email.value, password.value] = [button.dataset.email, button.dataset.password]
	}
}

find("login").onsubmit = async event => {
	event.preventDefault()
	const {email, password} = event.target.elements
	const answer = await login(email.value, password.value)
	if (!good(answer)) return sayAnswer("session-said", answer)
	say("session-said", "Logged in.", "good")
	document.querySelector("[data-action=refresh]").focus()
}

const actions = {
	async refresh() {
		const answer = await refresh()
		if (answer && !good(answer)) return sayAnswer("session-said", answer)
		say("session-said", answer ? "A new pair of tokens. The old refresh token is spent." : "Another tab was first: this is its token.", "good")
	},
	async logout() { done(await logout(), "Logged out.") },
	async "logout-all"() { done(await logoutAll(), "Logged out on every device.") },
}

function done(answer, text) {
	if (!good(answer)) return sayAnswer("session-said", answer)
	say("session-said", text, "good")
	find("login").elements.email.focus()
}

for (const button of document.querySelectorAll("[data-action]")) {
	button.onclick = async () => {
		button.disabled = true
		await actions[button.dataset.action]()
		button.disabled = false
	}
}

find("search").onsubmit = event => {
	event.preventDefault()
	showProducts()
}

// The session changed here or in another tab.
let subject = ""
changes.addEventListener("change", async () => {
	const now = session()
	find("login").hidden = now !== null
	find("signed-in").hidden = now === null
	tick()
	if (!now) {
		subject = ""
		if (!find("session-said").textContent.trim()) say("session-said", "The session is over.")
		return show("signed out", false)
	}
	say("session-said", "")
	const answer = await ask("GET", "/me")
	if (!good(answer)) return
	find("subject").textContent = answer.body.subject
	find("scopes").textContent = answer.body.scopes.join(", ")
	const another = subject !== answer.body.subject
	subject = answer.body.subject
	if (another) show(subject, true)
	else showDevices()
})

function show(who, signedIn) {
	find("who").textContent = who
	find("who").classList.toggle("in", signedIn)
	return Promise.all([showProducts(), showOrders(), showDevices()])
}

// tick shows the token's life, and renews it before its end.
let renewing = false
function tick() {
	find("cookie").textContent = `document.cookie: "${document.cookie}"`
	const now = session()
	if (!now) return
	const left = Math.max(0, Math.round((now.expires - Date.now()) / 1000))
	gauge(find("life"), Math.min(left, 300), 300)
	find("life-text").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`
	if (left < 20 && !renewing) {
		renewing = true
		refresh().finally(() => setTimeout(() => { renewing = false }, 5000))
	}
}

setInterval(tick, 1000)
showProducts()
start()
