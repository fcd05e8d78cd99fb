// Attacks that a page can play on its own server, and what came back.

import {good, send} from "./api.js"
import {alive, session, twice} from "./session.js"
import {order} from "./shelves.js"
import {el, find, told} from "./view.js"

// An attack returns whether the shop held, null when it was not played, and
// what came back.
const attacks = [
	{
		id: "replay", signedIn: true,
		async play() {
			let won, lost
			// Where the browser sends the second request only after the first was
			// answered, it has the new token, and nothing was used twice.
			for (let tries = 0; tries < 10; tries++) {
				[won, lost] = (await twice()).toSorted((a, b) => a.status - b.status)
				if (!good(lost)) break
			}
			if (good(lost)) return [null, "The browser never sent both at once. Try again."]
			const after = await send("GET", "/me", {token: session()?.token})
			return [won.status === 200 && lost.status === 401 && after.status === 401,
				`One request was answered with ${won.status}, the other ${told(lost)} The token that the first one got: ${told(after)}`]
		},
	},
	{
		id: "forged", signedIn: true,
		async play() {
			const [head, payload, signature] = session().token.split(".")
			const swapped = payload.slice(0, 20) + (payload[20] === "A" ? "B" : "A") + payload.slice(21)
			return refused(await send("GET", "/me", {token: [head, swapped, signature].join(".")}), 401)
		},
	},
	{
		id: "deep",
		play: async () => refused(await send("POST", ...onto("[".repeat(50_000))), 413),
	},
	{
		id: "unknown",
		play: async () => refused(await send("POST", ...onto({...(writes() ? order("RAM1") : {email: "eve@example.com", password: "x"}), price: 0})), 422),
	},
	{
		id: "stranger",
		async play() {
			const seen = await stranger()
			return [seen === "TypeError", `The stranger's script got a ${seen}: not even the refusal is for it to read. ` +
				(session() ? "You are still logged in." : "The log of the shop has it as origin_denied.")]
		},
	},
	{
		id: "other",
		async play() {
			const ada = await tokenOf("ada"), eve = await tokenOf("eve")
			if (!ada.token || !eve.token) return [null, "Log in failed: " + told(ada.token ? eve : ada)]
			const placed = await send("POST", "/orders", {token: ada.token, body: order("GAT1")})
			if (!good(placed)) return [null, told(placed)]
			return refused(await send("GET", "/orders/" + placed.body.id, {token: eve.token}), 404)
		},
	},
	{
		id: "flood",
		async play() {
			const all = await Promise.all(Array.from({length: 70}, () => send("POST", "/orders", {token: session()?.token, body: {}})))
			const limited = all.filter(answer => answer.status === 429)
			return [limited.length >= 10, `${all.length - limited.length} were let through, ${limited.length} were not. ` + (limited[0] ? told(limited[0]) : "")]
		},
	},
]

const refused = (answer, status) => [answer.status === status, `${told(answer)} ID ${answer.body?.correlation_id}`]

const writes = () => alive() && session().scope.split(" ").includes("orders:write")

// onto is a route with a body that the caller may send to.
const onto = body => writes() ? ["/orders", {token: session().token, body}] : ["/auth/login", {body}]

// tokenOf logs somebody in on the side: without credentials the browser keeps
// no cookie of the answer.
const onTheSide = {}
async function tokenOf(who) {
	if (onTheSide[who]?.expires > Date.now()) return onTheSide[who]
	const {email, password} = document.querySelector(`[data-email^="${who}@"]`).dataset
	const answer = await send("POST", "/auth/login", {body: {email, password}, credentials: "omit"})
	if (!good(answer)) return answer
	onTheSide[who] = {token: answer.body.access_token, expires: Date.now() + 1000 * (answer.body.expires_in - 10)}
	return onTheSide[who]
}

// stranger opens a frame without an origin, and returns what its script saw.
function stranger() {
	return new Promise(done => {
		const frame = el("iframe", {src: "/page/stranger.html", title: "a stranger's page"})
		frame.sandbox.add("allow-scripts")
		const heard = ({source, data}) => {
			if (source !== frame.contentWindow) return
			removeEventListener("message", heard)
			frame.remove()
			done(String(data))
		}
		addEventListener("message", heard)
		document.body.append(frame)
	})
}

for (const attack of attacks) {
	const button = find("play-" + attack.id), output = find("attack-" + attack.id)
	button.onclick = async () => {
		button.disabled = true
		const [held, text] = attack.signedIn && !alive() ? [null, "Log in first."] : await attack.play()
		output.className = held ? "" : "bad"
		output.replaceChildren(el("b", {}, held ? "Held. " : held === null ? "Not played. " : "Did not hold. "), text)
		button.disabled = false
		button.focus()
	}
}
