//go:build !race

package token_test

// mutations is how many rounds of TestMutatedTokens there are, of three tokens
// each: over a million.
const mutations = 350_000
