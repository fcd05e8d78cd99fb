// The answers, with the headers that defend them.

import {answers, good} from "./api.js"
import {el, find} from "./view.js"

const shown = [
	"Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
	"Cross-Origin-Resource-Policy", "Cache-Control", "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Correlation-ID",
]
const kept = 12

answers.addEventListener("answer", ({detail: answer}) => {
	const mood = good(answer) ? "good" : answer.status >= 500 || answer.status === 0 ? "worse" : "bad"
	const lines = shown.filter(name => answer.headers.has(name)).flatMap(name => [el("dt", {}, name), el("dd", {}, answer.headers.get(name))])
	const body = answer.body && JSON.stringify(answer.body, hideTokens, 2)
	find("answers").prepend(el("li", {}, el("details", {},
		el("summary", {}, el("b", {className: "status " + mood}, String(answer.status || "none")),
			el("span", {}, `${answer.method} ${answer.path}`), el("span", {}, answer.body?.code ?? `${Math.round(answer.took)} ms`)),
		el("dl", {}, ...lines, body && el("dt", {}, "Body"), body && el("dd", {}, el("pre", {}, body))))))
	while (find("answers").children.length > kept) find("answers").lastChild.remove()
})

const hideTokens = (name, value) => name === "access_token" ? value.slice(0, 12) + "…" : value
