package token

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ringwall/ringwall/errors"
)

// clientClaims are the claims that name the client or the kind of a token, of which
// one must be required if a token need not have an audience.
var clientClaims = []string{"client_id", "azp", "cid", "appid", "drn", "role"}

// newRequirements reads the option Require.
func newRequirements(o VerifierOptions) (all []requirement, problems []error) {
	for _, claim := range slices.Sorted(maps.Keys(o.Require)) {
		texts := o.Require[claim]
		switch {
		case claim == "":
			problems = append(problems, errors.New(`token: Require[""]: must name a claim`))
		case len(texts) == 0 || slices.Contains(texts, ""):
			problems = append(problems, fmt.Errorf("token: Require[%q]: must not be empty, nor have an empty text: no token has it", claim))
		case slices.Contains([]string{"iss", "aud", "exp", "iat", "nbf"}, claim):
			problems = append(problems, fmt.Errorf("token: Require[%q]: is checked by an option of its own; did you mean Issuer or Audience?", claim))
		}
		all = append(all, requirement{claim, slices.Clone(texts)})
	}
	named := slices.ContainsFunc(all, func(r requirement) bool { return slices.Contains(clientClaims, r.claim) })
	switch {
	case o.InsecureNoAudience && !named:
		problems = append(problems, errors.New("token: InsecureNoAudience: needs a Require of client_id, azp, cid, appid, drn or role: the tokens for every service of the issuer would pass"))
	case len(o.Audience) == 0 && !o.InsecureNoAudience:
		problems = append(problems, errors.New("token: Audience: must not be empty: tokens for other services would pass; did you mean InsecureNoAudience, with a Require of the client, for an issuer that sets no aud?"))
	case slices.Contains(o.Audience, ""):
		problems = append(problems, errors.New("token: Audience: must not have an empty entry: tokens for other services would pass"))
	}
	return all, problems
}
