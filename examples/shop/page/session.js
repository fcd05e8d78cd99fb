// One session, shared by all tabs of the browser.
//
// The refresh token is in a cookie that scripts cannot read. It is used once:
// two tabs that used it at the same time would look like a thief and an owner,
// and the shop would end the session. So tabs take turns, under a lock of the
// browser, and the one whose turn it was tells the others the new token.
//
// The access token is in this module's memory, and in no storage.

import {good, send} from "./api.js"

export const changes = new EventTarget()

const lock = "shop-session"
const channel = new BroadcastChannel("shop-session")
let current = null // {token, scope, expires}

export const session = () => current
export const alive = () => current !== null && Date.now() < current.expires

function take(next, tell) {
	current = next
	// Says that a refresh is worth a try, and nothing else.
	if (next) localStorage.setItem("signed-in", "yes")
	else localStorage.removeItem("signed-in")
	if (tell) channel.postMessage({kind: "session", session: next})
	changes.dispatchEvent(new Event("change"))
}

const from = body => ({token: body.access_token, scope: body.scope, expires: Date.now() + 1000 * body.expires_in})

channel.onmessage = ({data}) => {
	if (data.kind === "session") take(data.session, false)
	if (data.kind === "hello" && alive()) channel.postMessage({kind: "session", session: current})
}

// start joins the tabs that are there, or else tries the cookie.
export async function start() {
	channel.postMessage({kind: "hello"})
	await new Promise(done => setTimeout(done, 100))
	if (!alive() && localStorage.getItem("signed-in")) await refresh()
}

export const login = (email, password) => navigator.locks.request(lock, async () => {
	const answer = await send("POST", "/auth/login", {body: {email, password}})
	if (good(answer)) take(from(answer.body), true)
	return answer
})

// refresh gets a new access token, from another tab that was first or from the
// shop. It returns the shop's answer, or null.
export function refresh() {
	const before = current
	return navigator.locks.request(lock, async () => {
		if (current !== before && alive()) return null
		const answer = await rotate()
		if (good(answer)) take(from(answer.body), true)
		else if (answer.status === 401) take(null, true)
		return answer
	})
}

// rotate sends one attempt, again where no answer came: the same attempt gets
// the same successor. A tab that is closed before its answer came leaves the
// attempt to the next one. It is no secret: without the cookie it is worth
// nothing.
async function rotate() {
	const attempt = localStorage.getItem("attempt") ?? crypto.randomUUID()
	localStorage.setItem("attempt", attempt)
	for (let wait = 250; ; wait *= 2) {
		const answer = await send("POST", "/auth/refresh", {headers: {"Refresh-Attempt": attempt}})
		if (answer.status !== 0 && answer.status !== 503) {
			localStorage.removeItem("attempt")
			return answer
		}
		if (wait > 4000) return answer
		await new Promise(done => setTimeout(done, wait))
	}
}

export const logout = () => navigator.locks.request(lock, async () => {
	const answer = await send("POST", "/auth/logout")
	if (good(answer)) take(null, true)
	return answer
})

export async function logoutAll() {
	const answer = await ask("POST", "/auth/logout-all")
	if (good(answer)) await logout() // the cookie is of no more use
	return answer
}

// ask is a request with the access token, which is renewed when it is old.
export async function ask(method, path, options = {}) {
	if (current && Date.now() > current.expires - 5000) await refresh()
	const answer = await send(method, path, {...options, token: current?.token})
	if (answer.status !== 401 || !current) return answer
	await refresh()
	return alive() ? send(method, path, {...options, token: current.token}) : answer
}

// twice does what this file prevents, for the page's attacks: it uses one
// refresh token in two requests at once, each an attempt of its own.
export const twice = () => navigator.locks.request(lock, async () => {
	const spend = () => send("POST", "/auth/refresh", {headers: {"Refresh-Attempt": crypto.randomUUID()}})
	const both = await Promise.all([spend(), spend()])
	const winner = both.find(good)
	if (winner) take(from(winner.body), true)
	return both
})
