package errors_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// sources calls visit with the syntax nodes of the module, except tests. If visit
// returns false, the children of the node are skipped.
func sources(t *testing.T, visit func(path string, node ast.Node) bool) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasSuffix(path, "cases") {
			return filepath.SkipDir // tables of hostile input, which only tests import
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool { return visit(filepath.ToSlash(path), n) })
		return nil
	}))
}

var verb = regexp.MustCompile(`%[+#]?[a-z]`)

// textOf returns the text of a string expression, with a word in place of each
// variable part, or "" if no part is constant.
func textOf(n ast.Node) string {
	switch e := n.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return ""
		}
		text, _ := strconv.Unquote(e.Value)
		return verb.ReplaceAllStringFunc(text, func(v string) string {
			if v == "%q" {
				return `"it"`
			}
			return "it"
		})
	case *ast.BinaryExpr:
		left, right := textOf(e.X), textOf(e.Y)
		switch {
		case e.Op != token.ADD || left == "" && right == "":
			return ""
		case left == "":
			left = "it"
		case right == "":
			right = "it"
		}
		return left + right
	}
	return ""
}

// noProse are constants that have the shape of a secret and never are a text of
// the log.
var noProse = map[string]string{
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz": "an alphabet",
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":           "an alphabet",
}

// Every message of this module is logged unchanged: a masked message would hide
// a failure.
func TestTextsOfThisModuleAreNotMasked_FE11(t *testing.T) {
	texts, odd := 0, map[string]bool{}
	check := func(path, text string) {
		if noProse[text] != "" {
			odd[text] = true
			return
		}
		texts++
		require.Equal(t, text, logged(text), "%s: the log would lose a word of this text: %q", path, text)
	}
	sources(t, func(path string, n ast.Node) bool {
		text := textOf(n)
		if strings.HasPrefix(path, "../examples/") {
			// They have commands and bodies with passwords to try; only the
			// texts of their errors are prose.
			text = errorText(n)
		}
		if text != "" && !isCode(text) {
			check(path, text)
		}
		return text == "" // the parts of a text are not logged separately
	})
	require.Greater(t, texts, 4000)
	require.Len(t, odd, len(noProse), "an exception that is not needed")
	for _, k := range errors.Kinds() {
		require.Equal(t, k.Error(), logged(k.Error()))
	}
}

// errorText returns the text of an error that a call makes, or "".
func errorText(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	switch x, _ := f.X.(*ast.Ident); {
	case x == nil || x.Name != "errors" && x.Name != "fmt":
		return ""
	case f.Sel.Name == "Define":
		return textOf(call.Args[1]) + ": " + textOf(call.Args[2])
	case f.Sel.Name == "New" || f.Sel.Name == "Errorf":
		return textOf(call.Args[0])
	}
	return ""
}

var hasWord = regexp.MustCompile(`[A-Za-z]{2}`)

// isCode reports whether a string is a regular expression, a schema or a header, and
// not a sentence.
func isCode(text string) bool {
	return !hasWord.MatchString(text) || strings.Contains(text, "[^") || strings.Contains(text, "(?") || strings.Contains(text, "A-Z") ||
		strings.HasPrefix(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") || strings.HasPrefix(text, `Cookie cookie-name="`)
}

// The attributes that this module logs are not masked: a key ID is public, and a
// count is not a secret.
func TestAttributesOfThisModuleAreNotMasked_FE11(t *testing.T) {
	keys := map[string]bool{}
	sources(t, func(path string, n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || strings.HasPrefix(path, "../errors/") {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		switch x, _ := f.X.(*ast.Ident); {
		case x != nil && x.Name == "slog" && len(call.Args) >= 2:
			keys[textOf(call.Args[0])] = true
		case f.Sel.Name == "With" && len(call.Args)%2 == 0:
			for i := 0; i < len(call.Args); i += 2 {
				keys[textOf(call.Args[i])] = true
			}
		}
		return true
	})
	delete(keys, "")
	require.Greater(t, len(keys), 30)
	for key := range keys {
		var log strings.Builder
		slog.New(errors.LogHandler(slog.NewTextHandler(&log, nil))).Info("x", key, 7)
		require.Contains(t, log.String(), key+"=7")
	}
	for _, key := range []string{"credential_id", "api_key_id", "KeyID", "token_id", "private_key_id"} {
		var log strings.Builder
		slog.New(errors.LogHandler(slog.NewTextHandler(&log, nil))).Info(key+": 2f41aa", key, "2f41aa")
		require.Equal(t, 2, strings.Count(log.String(), "2f41aa"), log.String())
	}
}

// A LogHandler under the Responder's logger sees text whose kind it cannot know.
func TestMaskingTwiceChangesNothing_FE11(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{err: errCredentials, want: `"wrong_credentials: Address or password are wrong."`},
		{err: errCredentials.Wrap(errors.New("check password=hunter22 of ada")), want: `"wrong_credentials: check password=[redacted] of ada"`},
		{err: errCredentials.Wrap(errors.New("apikey: the record of ada is gone")), want: `"wrong_credentials: apikey: the record of ada is gone"`},
		{err: errPassword, want: `"wrong_password: Wrong."`},
	} {
		j := new(journal)
		h := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(errors.LogHandler(slog.NewJSONHandler(j, nil)))})).Handler(errors.HandlerFunc(
			func(http.ResponseWriter, *http.Request) error { return tt.err }))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		require.Contains(t, j.String(), tt.want)
	}
}

var errPassword = errors.Define(401, "wrong_password", "Wrong.")

// The exceptions for prose must not let a secret through.
func TestSecretsBesideProseAreMasked_FE11(t *testing.T) {
	const s = "hunter2-hunter2"
	for _, tt := range []struct{ name, text, secret string }{
		{name: "a key behind a prefix of ours", text: "token: password: " + s, secret: s},
		{name: "keys in a row", text: "apikey: token: secret: key: password: " + s + " is wrong", secret: s},
		{name: "a pair behind prose", text: "token: Grant: the claims have secret=" + s, secret: s},
		{name: "JSON behind prose", text: `apikey: the record {"password":"` + s + `"}`, secret: s},
		{name: "a token in prose", text: "token: " + s + " is not valid", secret: s},
		{name: "a token at the end", text: "refresh token: " + s, secret: s},
		{name: "a token in brackets", text: "token: (" + s + ")", secret: s},
		{name: "a token in quotes", text: `token: "swordfish" is not valid`, secret: "swordfish"},
		{name: "a word under an equals sign", text: "password=swordfish is wrong", secret: "swordfish"},
		{name: "a word without a space", text: "password:swordfish is wrong", secret: "swordfish"},
		{name: "a word at the end", text: "password: swordfish", secret: "swordfish"},
		{name: "a word at the end of a line", text: "password: swordfish\nuser: ada", secret: "swordfish"},
		{name: "a word before a comma", text: "password: swordfish, user: ada", secret: "swordfish"},
		{name: "a password with a digit, in prose", text: "password: hunter2 is wrong", secret: "hunter2"},
		{name: "a password with a sign, in prose", text: "password: sword!fish is wrong", secret: "sword!fish"},
		{name: "a number", text: "cvv: 123 is wrong", secret: "123"},
		{name: "a secret with an ID", text: "secret_id: 2f41aa99", secret: "2f41aa99"},
		{name: "an ID of a cookie", text: "cookie_id=2f41aa99", secret: "2f41aa99"},
		{name: "a header of cookies", text: "Cookie: swordfish=ada", secret: "swordfish=ada"},
		{name: "a header of cookies behind a name of ours", text: "session: Cookie.Name: Cookie: sid=swordfish", secret: "swordfish"},
		{name: "a property of a cookie", text: "cookie.value=swordfish", secret: "swordfish"},
		{name: "a bearer of letters at the end", text: "sent Bearer swordfish", secret: "swordfish"},
		{name: "a bearer with a digit, in prose", text: "bearer swordfish1 is not valid", secret: "swordfish1"},
		{name: "a user and a password of letters", text: "basic dXNlcjpwYXNz", secret: "dXNlcjpwYXNz"},
		{name: "a user and a password in prose", text: "got Basic dXNlcjpwYXNz of a client", secret: "dXNlcjpwYXNz"},
		{name: "a user and a password that look like a word", text: "basic dTpwYXNzd29y is not valid", secret: "dTpwYXNzd29y"},
		{name: "a bearer without syllables", text: "bearer kJdhGtreWqx is not valid", secret: "kJdhGtreWqx"},
		{name: "a token without syllables", text: "csrf: kJdhGtreWqx", secret: "kJdhGtreWqx"},
		{name: "a code of six digits, in prose", text: "token: 482913 is wrong", secret: "482913"},
		{name: "a code of four digits, in prose", text: "token: 4829 is wrong", secret: "4829"},
		{name: "a word as a password, in prose", text: "password: swordfish is wrong", secret: "swordfish"},
		{name: "a word as a password, before a cause", text: "password: swordfish: no such user", secret: "swordfish"},
		{name: "a passphrase of words", text: "passphrase: correct horse battery staple", secret: "correct"},
		{name: "a word as a password, at the end of a sentence", text: "secret: swordfish.", secret: "swordfish"},
		{name: "a bearer of mixed letters", text: "bearer QWErtyUIOpASDfgh is not valid", secret: "QWErtyUIOpASDfgh"},
		{name: "a token of mixed letters", text: "token: QWErtyUIOpASDfgh is not valid", secret: "QWErtyUIOpASDfgh"},
		{name: "a token of letters and hyphens", text: "signature: nzt-jJhh-ivtYixDVmPbiIkBzJQqyzEt is not valid", secret: "ivtYixDVmPbiIkBzJQqyzEt"},
		{name: "a token of letters and a hyphen", text: "token: DhcabgxdYIatkRsc-PxzydhrylibUDEs.", secret: "PxzydhrylibUDEs"},
		{name: "a token of many letters", text: "token: " + strings.Repeat("swordfish", 4), secret: "swordfish"},
		{name: "unbroken text with a digit", text: "found " + strings.Repeat("a", 39) + "1", secret: "aaa1"},
		{name: "unbroken small letters", text: "found " + strings.Repeat("swordfish", 5), secret: "swordfish"},
		{name: "unbroken letters in two cases", text: "found " + strings.Repeat("aBcDeFgH-", 5), secret: "BcDe"},
		{name: "an API key of small letters", text: "found shop_abcdefgh_abcdefghijklmnopqrs7", secret: "abcdefghijklmnopqrs7"},
	} {
		t.Run("FE11 "+tt.name, func(t *testing.T) {
			got := logged(tt.text)
			require.NotContains(t, got, tt.secret)
			require.Equal(t, got, logged(got), "masked once and for all")
		})
	}
	for _, prose := range []string{
		"Basic authentication is refused", "two bearer verifiers: did you mean token.ByIssuer?", "Bearer tokens are refused.",
		"token: Ed25519 keys have 32 bytes", "token: keys[2]: is nil", "session: Cookie: must not be empty", "credentials: E-mail address or password are wrong",
		"redislimit: Secret: has 12 bytes; did you mean 32?", "the_name_of_a_test_that_is_a_very_long_sentence_indeed",
		"remove Cross-Origin-Embedder-Policy-Report-Only",
	} {
		t.Run("FE11 "+prose, func(t *testing.T) { require.Equal(t, prose, logged(prose)) })
	}
}

// Generated credentials are masked behind every key, in every notation and
// before every following text.
func TestRandomSecretsBesideKeysAreMasked_FE11(t *testing.T) {
	makers := map[string]func() string{
		"text":   rand.Text,
		"hex":    func() string { return hex.EncodeToString(random(16)) },
		"base64": func() string { return base64.RawURLEncoding.EncodeToString(random(24)) },
	}
	for name, newSecret := range makers {
		t.Run("FE11 "+name, func(t *testing.T) {
			for _, key := range []string{"password", "token", "apikey", "api_key", "client_secret", "credentials", "signature", "csrf", "cookie.value", "token: password", "apikey: the record: token"} {
				for _, separator := range []string{": ", ":", "=", " = ", `":"`, ":\n  "} {
					for _, tail := range []string{"", " is not valid", ", next", "\nnext", ".", `"`, ")", ": wrong"} {
						secret := newSecret()
						text := key + separator + secret + tail
						require.NotContains(t, logged(text), secret, text)
					}
				}
			}
		})
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, since Go 1.24
	return b
}
