// What is left of each limit, as the RateLimit fields of the answers say it
// (draft-ietf-httpapi-ratelimit-headers).

import {answers} from "./api.js"
import {find, gauge} from "./view.js"

const tiers = new Map()

for (const name of ["reads", "writes", "refresh"]) {
	tiers.set(name, {meter: find("limit-" + name), text: find("left-" + name), left: 0, quota: 0, window: 0, read: 0, made: []})
}

// members reads a list such as: "writes";r=59;t=60
function members(field) {
	const found = new Map()
	for (const [, name, parameters] of (field ?? "").matchAll(/"([a-z0-9-]+)"((?:;[a-z]+=\d+)*)/g)) {
		found.set(name, Object.fromEntries([...parameters.matchAll(/;([a-z]+)=(\d+)/g)].map(([, key, value]) => [key, Number(value)])))
	}
	return found
}

answers.addEventListener("answer", ({detail: answer}) => {
	const policies = members(answer.headers.get("RateLimit-Policy"))
	for (const [name, {r}] of members(answer.headers.get("RateLimit"))) {
		const tier = tiers.get(name), {q, w} = policies.get(name) ?? {}
		if (!tier || !q || !w) continue
		if (answer.status !== 429) tier.made.push(answer.at + 1000 * w) // when it no longer counts
		// Answers overtake each other: of those that ran together, the least counts.
		const overtaken = answer.at <= tier.read
		Object.assign(tier, {left: overtaken ? Math.min(r, left(tier)) : r, quota: q, window: w, read: Date.now()})
		draw(tier)
	}
})

// left is the last word of the shop, and what has come back since: the window
// slides, so each request of ours counts for just so long.
function left(tier) {
	const back = tier.made.filter(until => until > tier.read && until <= Date.now()).length
	tier.made = tier.made.filter(until => until > tier.read)
	return Math.min(tier.quota, tier.left + back)
}

function draw(tier) {
	if (!tier.quota) return
	const now = left(tier)
	gauge(tier.meter, now, tier.quota)
	tier.text.textContent = `${now} of ${tier.quota} in ${tier.window} s`
}

setInterval(() => tiers.forEach(draw), 500)
