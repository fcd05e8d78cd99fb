// What the page is made of. Texts go in as text: nothing here takes HTML, so
// that nothing that a server or a user wrote can become code. The policy
// require-trusted-types-for 'script' makes the browser hold us to it.

export const find = id => document.getElementById(id)

export function el(tag, props = {}, ...children) {
	const e = Object.assign(document.createElement(tag), props)
	e.append(...children.filter(child => child != null))
	return e
}

// say tells what happened, for eyes and for screen readers.
export function say(id, text, mood = "") {
	const e = find(id)
	e.textContent = text || "\u00a0"
	e.className = "said " + mood
}

// sayAnswer says an answer that is not what was asked for.
export function sayAnswer(id, answer) { say(id, told(answer), "bad") }

// told is an error answer in a line: every one has a code, a message and an ID.
export function told(answer) {
	if (answer.status === 0) return "No answer."
	const {code, message} = answer.body ?? {}
	const wait = answer.headers.get("Retry-After")
	return `${answer.status} ${code}: ${message}` + (wait ? ` (Retry-After: ${wait})` : "")
}

// gauge sets a meter. The policy allows styles that scripts set, one by one.
export function gauge(meter, value, max) {
	const part = value / max
	Object.assign(meter, {max, value})
	meter.dataset.level = part < .2 ? "low" : part < .34 ? "middle" : ""
	meter.style.setProperty("--part", part)
}

// list fills a list, and keeps the keyboard where it was.
export function list(id, items, empty) {
	const e = find(id), focused = e.contains(document.activeElement)
	e.replaceChildren(...items)
	if (items.length === 0) e.append(el("li", {className: "empty"}, empty))
	if (focused) {
		e.tabIndex = -1
		e.focus()
	}
}
