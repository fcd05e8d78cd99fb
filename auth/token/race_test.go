//go:build race

package token_test

// mutations is how many rounds of TestMutatedTokens there are. The race
// detector makes each ten times slower; without it there are over a million
// tokens.
const mutations = 35_000
