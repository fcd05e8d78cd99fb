// Every request of the page passes here, so that every answer is shown.

export const answers = new EventTarget()

// send makes a request and returns its answer; status 0 is for none. It never
// throws. A body that is not a string or a form is sent as JSON.
export async function send(method, path, {token, body, headers = {}, credentials = "same-origin"} = {}) {
	const started = performance.now()
	const sent = new Headers(headers)
	if (token) sent.set("Authorization", "Bearer " + token)
	if (body !== undefined && !(body instanceof FormData)) {
		sent.set("Content-Type", "application/json")
		if (typeof body !== "string") body = JSON.stringify(body)
	}
	const answer = {method, path, status: 0, headers: new Headers(), body: null, at: Date.now()}
	try {
		const response = await fetch(path, {method, headers: sent, body, credentials, cache: "no-store"})
		answer.status = response.status
		answer.headers = response.headers
		const text = await response.text()
		if (response.headers.get("Content-Type")?.includes("json")) answer.body = JSON.parse(text)
	} catch {
		answer.status = 0
	}
	answer.took = performance.now() - started
	answers.dispatchEvent(new CustomEvent("answer", {detail: answer}))
	return answer
}

export const good = answer => answer.status >= 200 && answer.status < 300
