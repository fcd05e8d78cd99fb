package token

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ringwall/ringwall/errors"
)

// sensitive lists names of claims that must not be in a payload, which is not encrypted
// (RFC 7519, section 12). They are compared with folded names.
var sensitive = [...]string{
	"password", "passwd", "passphrase", "pwd", "passwordhash", "secret", "clientsecret", "token", "accesstoken", "refreshtoken", "idtoken",
	"apikey", "privatekey", "authorization", "cookie", "credential", "credentials", "otp", "totp", "pin",
	"ssn", "socialsecuritynumber", "taxid", "passport", "passportnumber",
	"card", "cardnumber", "creditcard", "creditcardnumber", "cvv", "cvc", "iban", "bankaccount", "accountnumber",
}

// fold returns the same name for API-Key, api_key and apiKey. ToUpper comes first, because
// some letters, such as the long s (U+017F), fold to ASCII only that way.
func fold(name string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(strings.ToUpper(name)))
}

// allows reports whether an application's claim is not sensitive, or is listed in
// InsecureClaims. For a name with a namespace (RFC 7519, section 4.2), such as
// https://example.com/password, it checks the last part.
func (i *Issuer) allows(name string) bool {
	return !isSensitive(name) || slices.Contains(i.allowed, lastPart(name)) || slices.Contains(i.allowed, fold(name))
}

// isSensitive reports whether a name, or the last part of it, is in the table.
func isSensitive(name string) bool { return slices.Contains(sensitive[:], lastPart(name)) }

func lastPart(name string) string { return fold(name[strings.LastIndexAny(name, "/#:")+1:]) }

// checkOwn refuses own claims that are not an object, that have the name of a
// registered claim, or that have a sensitive name at any depth.
func (i *Issuer) checkOwn(data []byte) error {
	list, ok := members(string(data), nil, maxClaims)
	if !ok {
		return errors.New("token: Grant: Claims is not a struct or map of distinct names")
	}
	for _, m := range list {
		if isReserved(m.name) {
			return errors.New("token: Grant: Claims: " + strconv.Quote(m.name) + " is the issuer's own claim")
		}
	}
	d := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return nil // the end: members has read it all
		}
		// In an object, an odd number of names and values ends with a name.
		kind, n := d.StackIndex(d.StackDepth())
		if kind != '{' || n%2 == 0 || token.Kind() != '"' {
			continue
		}
		if name := token.String(); !i.allows(name) {
			return errors.New("token: Grant: Claims: " + strconv.Quote(name) + " must not be in a payload, which anyone can read; if it is harmless, list it in InsecureClaims")
		}
	}
}
