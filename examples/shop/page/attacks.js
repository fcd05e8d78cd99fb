// Attacks that a page can play on its own server, and what came back.

import {good, send} from "./api.js"
import {alive, session, twice} from "./session.js"
import {order} from "./shelves.js"
import {el, find, told} from "./view.js"

// An attack returns whether the shop held, and what it said.
const attacks = [
	{
		id: "replay", title: "Use a refresh token twice", text: "A thief and its owner, in the same moment. The session ends for both.", signedIn: true,
		async play() {
			const [won, lost] = (await twice()).toSorted((a, b) => a.status - b.status)
			if (good(lost)) return [false, "The browser sent the second request after the first was answered. Try again."]
			const after = await send("GET", "/me", {token: session()?.token})
			return [won.status === 200 && lost.status === 401 && after.status === 401,
				`One request was answered with ${won.status}, the other ${told(lost)} The token that the first one got: ${told(after)}`]
		},
	},
	{
		id: "forged", title: "Change a letter of the access token", text: "A signature covers every bit of it.", signedIn: true,
		async play() {
			const [head, payload, signature] = session().token.split(".")
			const swapped = payload.slice(0, 20) + (payload[20] === "A" ? "B" : "A") + payload.slice(21)
			return refused(await send("GET", "/me", {token: [head, swapped, signature].join(".")}), 401)
		},
	},
	{
		id: "deep", title: "A body of 50 000 brackets", text: "Counted while it arrives, and refused at the 33rd.",
		play: async () => refused(await send("POST", ...onto("[".repeat(50_000))), 413),
	},
	{
		id: "unknown", title: "A price of one's own", text: "A member that the route does not know.",
		play: async () => refused(await send("POST", ...onto({...(writes() ? order("RAM1") : {email: "eve@example.com", password: "x"}), price: 0})), 422),
	},
	{
		id: "stranger", title: "A stranger's page logs you out", text: "A frame of another origin sends the request, with your cookies.",
		async play() {
			const seen = await stranger()
			return [seen === "TypeError", `The stranger's script got a ${seen}: not even the refusal is for it to read. ` +
				(session() ? "You are still logged in." : "The log of the shop has it as origin_denied.")]
		},
	},
	{
		id: "other", title: "Read somebody else's order", text: "Eve has the number of an order of Ada's, and a token that is good.",
		async play() {
			const ada = await tokenOf("ada"), eve = await tokenOf("eve")
			if (!ada.token || !eve.token) return [false, "Log in failed: " + told(ada.token ? eve : ada)]
			const placed = await send("POST", "/orders", {token: ada.token, body: order("GAT1")})
			if (!good(placed)) return [false, told(placed)]
			return refused(await send("GET", "/orders/" + placed.body.id, {token: eve.token}), 404)
		},
	},
	{
		id: "flood", title: "Seventy requests at once", text: "A minute has room for sixty writes. See the meter fall, and fill again.",
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

export function showAttacks() {
	find("attacks").replaceChildren(...attacks.map(attack => {
		const output = el("output", {id: "attack-" + attack.id})
		output.setAttribute("aria-live", "polite")
		const button = el("button", {className: "quiet small", id: "play-" + attack.id}, "Play")
		button.setAttribute("aria-label", "Play: " + attack.title)
		button.onclick = async () => {
			button.disabled = true
			const [held, text] = attack.signedIn && !alive() ? [false, "Log in first."] : await attack.play()
			output.className = held ? "" : "bad"
			output.replaceChildren(el("b", {}, held ? "Held. " : "Not played. "), text)
			button.disabled = false
			button.focus()
		}
		return el("li", {}, el("div", {}, el("h3", {}, attack.title), el("p", {}, attack.text)), button, output)
	}))
}
