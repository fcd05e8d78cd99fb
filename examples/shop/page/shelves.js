// Products, orders and devices.

import {good, send} from "./api.js"
import {ask, session} from "./session.js"
import {el, find, list, say, sayAnswer} from "./view.js"

const address = {name: "Ada Lovelace", street: "Wall Street 1", city: "Bath", postcode: "BA11", country: "GB"}

export const order = sku => ({items: [{sku, qty: 1}], note: "", ship_to: address})

export async function showProducts() {
	const q = new FormData(find("search")).get("q").trim()
	const answer = await send("GET", "/products" + (q ? "?" + new URLSearchParams({q}) : ""))
	if (!good(answer)) return sayAnswer("products-said", answer)
	list("products", answer.body.products.map(product => el("li", {},
		product.picture ? el("img", {className: "picture", src: product.picture, alt: product.alt, width: 44, height: 44}) : el("span", {className: "picture", ariaHidden: "true"}, product.name[0]),
		el("span", {className: "text"}, product.name, el("small", {}, product.sku)),
		isAdmin() ? pictureForm(product) : el("button", {className: "quiet small", onclick: () => place(product)}, "Order"))), "Nothing of that name.")
	say("products-said", "")
}

// The access token says what its subject may do. The page reads it to show the
// right buttons; the shop decides by itself.
function isAdmin() {
	if (!session()) return false
	const payload = atob(session().token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))
	return JSON.parse(payload).roles?.includes("admin") ?? false
}

function pictureForm(product) {
	const input = el("input", {type: "file", accept: "image/png, image/jpeg", className: "hidden-file"})
	input.onchange = async () => {
		const form = new FormData()
		form.append("alt", product.name)
		form.append("picture", input.files[0]) // the file comes last
		const answer = await ask("PUT", `/products/${product.sku}/picture`, {body: form})
		if (!good(answer)) return sayAnswer("products-said", answer)
		await showProducts()
		say("products-said", `${product.name} has a new picture.`, "good")
	}
	return el("label", {className: "button quiet small"}, "Picture", input)
}

async function place(product) {
	if (!session()) return say("products-said", "Log in first.", "bad")
	const answer = await ask("POST", "/orders", {body: order(product.sku)})
	if (!good(answer)) return sayAnswer("products-said", answer)
	say("products-said", `${product.name} ordered.`, "good")
	await showOrders()
}

export async function showOrders() {
	if (!session()) return list("orders", [], "Log in to see your orders.")
	const answer = await ask("GET", "/orders?limit=3")
	if (!good(answer)) return sayAnswer("orders-said", answer)
	list("orders", answer.body.orders.map(one => el("li", {},
		el("span", {className: "text"}, one.items.map(item => `${item.qty} × ${item.sku}`).join(", "),
			el("small", {}, one.id + (one.refunded ? ", refunded" : ""))), noteForm(one))), "No orders yet.")
}

function noteForm(one) {
	const input = el("input", {name: "note", maxLength: 500, value: one.note, placeholder: "A note", autocomplete: "off"})
	input.setAttribute("aria-label", "Note of order " + one.id)
	const form = el("form", {}, input, el("button", {className: "quiet small"}, "Save"))
	form.onsubmit = async event => {
		event.preventDefault()
		const answer = await ask("PATCH", "/orders/" + one.id, {body: {note: input.value || null}})
		if (!good(answer)) return sayAnswer("orders-said", answer)
		say("orders-said", "Note saved.", "good")
	}
	return form
}

export async function showDevices() {
	if (!session()) return list("devices", [], "Log in to see where you are logged in.")
	const answer = await ask("GET", "/auth/sessions")
	if (!good(answer)) return sayAnswer("devices-said", answer)
	list("devices", answer.body.sessions.map(device => el("li", {},
		el("span", {className: "text"}, nameOf(device.user_agent), el("small", {}, "last used " + new Date(device.last_used).toLocaleTimeString())),
		device.current ? el("span", {className: "chip"}, "this one")
			: el("button", {className: "quiet small danger", onclick: () => end(device)}, "Log out there"))), "None.")
}

async function end(device) {
	const answer = await ask("DELETE", "/auth/sessions/" + encodeURIComponent(device.id))
	if (!good(answer)) return sayAnswer("devices-said", answer)
	say("devices-said", "Logged out there.", "good")
	await showDevices()
}

// nameOf finds a browser's name in what it says of itself.
function nameOf(agent) {
	const found = agent.match(/(Edg|OPR|Firefox|Chrome|Safari|curl|Go-http-client)[/A-Za-z]*\/(\d+)/)
	const system = agent.match(/Android|iPhone|iPad|Windows|Mac OS|Linux/)
	return found ? `${found[1].replace("Edg", "Edge").replace("OPR", "Opera")} ${found[2]}` + (system ? `, ${system[0]}` : "") : "a client"
}
