package providers

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Redirect is the redirect URI of the clients. A Browser never opens it.
const Redirect = "https://client.example/callback"

// A Browser has the cookies of one user, so that a later login may use the
// session of an earlier one. It follows redirects and sends forms, and runs no
// script.
type Browser struct {
	Forms int // the number of forms that the user filled in

	provider *Provider
	client   *http.Client
	fields   map[string]string
}

// NewBrowser returns a browser whose user fills in fields of forms by their names.
func (p *Provider) NewBrowser(t testing.TB, fields map[string]string) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := *p.client
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Browser{provider: p, client: &client, fields: fields}
}

// Login returns the tokens of an authorization code flow with PKCE. The
// parameters are added to the authorization request.
func (b *Browser) Login(t testing.TB, c Client, params url.Values) Tokens {
	t.Helper()
	verifier, state := rand.Text()+rand.Text(), rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	back := b.Open(t, b.provider.Metadata.Authorization+"?"+merge(url.Values{
		"client_id": {c.ID}, "redirect_uri": {Redirect}, "response_type": {"code"}, "state": {state},
		"code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}, params).Encode())
	require.Equal(t, state, back.Get("state"), back)
	require.NotEmpty(t, back.Get("code"), back)
	grant := url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {Redirect}, "code_verifier": {verifier},
	}
	if resource := params["resource"]; resource != nil {
		grant["resource"] = resource
	}
	return b.provider.Grant(t, c, grant, nil)
}

// Open opens a page and fills in forms until the provider redirects to Redirect.
// It returns the query of that URL.
func (b *Browser) Open(t testing.TB, page string) url.Values {
	t.Helper()
	current, err := url.Parse(page)
	require.NoError(t, err)
	method, form := http.MethodGet, url.Values(nil)
	for range 20 {
		req, err := http.NewRequestWithContext(t.Context(), method, current.String(), strings.NewReader(form.Encode()))
		require.NoError(t, err)
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := b.client.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		_ = res.Body.Close()
		if location := res.Header.Get("Location"); location != "" {
			current, err = current.Parse(location)
			require.NoError(t, err)
			if strings.HasPrefix(current.String(), Redirect) {
				return current.Query()
			}
			method, form = http.MethodGet, nil
			continue
		}
		require.Equal(t, http.StatusOK, res.StatusCode, string(body))
		action, fields := b.fillForm(string(body))
		require.NotNil(t, fields, "no form in %s", body)
		current, err = current.Parse(action)
		require.NoError(t, err)
		method, form = http.MethodPost, fields
		b.Forms++
	}
	require.Fail(t, "the provider does not redirect to the client")
	return nil
}

var (
	formAction = regexp.MustCompile(`<form[^>]*\saction="([^"]*)"`)
	formInput  = regexp.MustCompile(`<input[^>]*>`)
	attribute  = regexp.MustCompile(`\s(name|value)="([^"]*)"`)
)

// fillForm returns the action of the form of a page, and its fields, nil if it has
// none.
func (b *Browser) fillForm(page string) (action string, fields url.Values) {
	if found := formAction.FindStringSubmatch(page); found != nil {
		action = html.UnescapeString(found[1])
	}
	for _, input := range formInput.FindAllString(page, -1) {
		attributes := map[string]string{}
		for _, found := range attribute.FindAllStringSubmatch(input, -1) {
			attributes[found[1]] = html.UnescapeString(found[2])
		}
		if fields == nil {
			fields = url.Values{}
		}
		name, value := attributes["name"], attributes["value"]
		if filled, ok := b.fields[name]; ok {
			value = filled
		}
		fields.Set(name, value)
	}
	return action, fields
}
