package auth

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/wiring"
)

// checkAuthenticators returns the problems of a list, and the challenge of
// each, with the realm.
func checkAuthenticators(list []Authenticator, realm string) (challenges [][]string, problems []error) {
	if len(list) == 0 {
		problems = append(problems, errors.New("auth: Authenticators: must not be empty; did you mean a *token.Verifier?"))
	}
	bearer := -1 // the index of the first that takes bearer tokens
	for i, a := range list {
		place := "Authenticators[" + strconv.Itoa(i) + "]"
		refuse := func(problem string) { problems = append(problems, errors.New("auth: "+place+": "+problem)) }
		if a == nil {
			refuse("must not be nil")
			continue
		}
		if wiring.IsNil(a) {
			refuse(fmt.Sprintf("must not be a nil %T; did you drop the constructor's error?", a))
			continue
		}
		isBearer := false
		var lines []string
		for _, challenge := range challengesOf(a) {
			isBearer = isBearer || strings.EqualFold(schemeOf(challenge), "Bearer")
			switch {
			case !isChallenge(challenge):
				refuse("Challenge " + strconv.Quote(challenge) + ": is not a scheme and parameters (RFC 9110, section 11.6.1)")
			case hasRealm(challenge):
				refuse("Challenge " + strconv.Quote(challenge) + ": has a realm; did you mean Options.Realm?")
			case challenge != "":
				lines = append(lines, withParam(challenge, "realm", realm))
			}
		}
		switch first := indexOf(list[:i], a); {
		case isBearer && bearer >= 0:
			refuse("takes Bearer as Authenticators[" + strconv.Itoa(bearer) + "] does, so both would claim each token; did you mean token.ByIssuer?")
		case first >= 0:
			refuse("is the same as Authenticators[" + strconv.Itoa(first) + "], so both would claim each credential")
		case isBearer:
			bearer = i
		}
		challenges = append(challenges, lines)
	}
	return challenges, problems
}

// challengesOf returns the challenges of an authenticator.
func challengesOf(a Authenticator) []string {
	if many, ok := a.(MultiSchemer); ok {
		return many.Challenges()
	}
	return []string{a.Challenge()}
}

// indexOf returns the index of the same authenticator, or -1. A value that is not
// comparable has no equal.
func indexOf(list []Authenticator, a Authenticator) int {
	if !reflect.ValueOf(a).Comparable() || reflect.TypeOf(a).Size() == 0 {
		return -1
	}
	for i, other := range list {
		if other != nil && reflect.TypeOf(other) == reflect.TypeOf(a) && reflect.ValueOf(other).Comparable() && other == a {
			return i
		}
	}
	return -1
}

// schemeOf returns the scheme of a challenge.
func schemeOf(challenge string) string {
	scheme, _, _ := strings.Cut(challenge, " ")
	return scheme
}

// isChallenge reports whether a challenge begins with a scheme, and has no
// character that could end its header line. "" is that of a credential without
// a scheme.
func isChallenge(challenge string) bool {
	for _, c := range []byte(challenge) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return challenge == "" || schemeOf(challenge) != "" && !strings.ContainsAny(schemeOf(challenge), `"=,;\`)
}

// hasRealm reports whether a challenge has the parameter that New adds.
func hasRealm(challenge string) bool {
	_, params, _ := strings.Cut(strings.ToLower(challenge), " ")
	for param := range strings.SplitSeq(params, ",") {
		if name, _, ok := strings.Cut(param, "="); ok && strings.TrimSpace(name) == "realm" {
			return true
		}
	}
	return false
}
