package token

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// ProtectedResourceOptions configures [ProtectedResource]. Resource and
// Issuers are required.
type ProtectedResourceOptions struct {
	// Resource is the https URL that clients use as the name of this service in a
	// request for a token, and so the aud of the tokens.
	Resource string
	// Issuers lists the issuers whose tokens this service accepts.
	Issuers []string
	// Scopes lists the scopes of this service.
	Scopes []string
	// Name is the name of this service for users, and Documentation the URL of a page
	// for developers. Empty means none.
	Name, Documentation string
	// DPoP is the DPoP of the verifier. nil means that tokens are not bound to keys.
	DPoP *DPoP
	// InsecureHTTP also accepts http URLs on loopback addresses, for development.
	InsecureHTTP bool
}

// ProtectedResource returns a handler for the metadata of this service (RFC 9728), by
// which a client finds the issuer of its tokens: an MCP client, for example. Serve it at
// [ProtectedResourcePath] without authentication, and name its URL in
// [VerifierOptions].Metadata. It accepts GET and HEAD. It reports all invalid options,
// joined.
func ProtectedResource(o ProtectedResourceOptions) (http.Handler, error) {
	problems := []error{checkMetadataURL("Resource", o.Resource, o.InsecureHTTP)}
	if len(o.Issuers) == 0 {
		problems = append(problems, errors.New("token: Issuers: must not be empty; did you mean the issuer of the verifier?"))
	}
	for i, issuer := range o.Issuers {
		problems = append(problems, checkMetadataURL(fmt.Sprintf("Issuers[%d]", i), issuer, o.InsecureHTTP))
	}
	if o.Documentation != "" {
		problems = append(problems, checkMetadataURL("Documentation", o.Documentation, o.InsecureHTTP))
	}
	for i, scope := range o.Scopes {
		if scope == "" || strings.ContainsAny(scope, " \"\\") || !isVisible(scope) {
			problems = append(problems, fmt.Errorf("token: Scopes[%d] %q: is not a scope (RFC 6749, section 3.3)", i, scope))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	document := struct {
		Resource             string   `json:"resource"`
		AuthorizationServers []string `json:"authorization_servers"`
		Scopes               []string `json:"scopes_supported,omitempty"`
		Methods              []string `json:"bearer_methods_supported"`
		Name                 string   `json:"resource_name,omitempty"`
		Documentation        string   `json:"resource_documentation,omitempty"`
		ProofAlgorithms      []Alg    `json:"dpop_signing_alg_values_supported,omitempty"`
		ProofRequired        bool     `json:"dpop_bound_access_tokens_required,omitempty"`
	}{
		Resource: o.Resource, AuthorizationServers: o.Issuers, Scopes: o.Scopes, Methods: []string{"header"},
		Name: o.Name, Documentation: o.Documentation,
	}
	if o.DPoP != nil {
		document.ProofAlgorithms, document.ProofRequired = slices.Clone(o.DPoP.algorithms), o.DPoP.required
	}
	return newDocument(document)
}

// ProtectedResourcePath returns the path at which the metadata of a resource must be
// served (RFC 9728, section 3.1), for a route of the service.
func ProtectedResourcePath(resource string) string {
	const path = "/.well-known/oauth-protected-resource"
	u, err := url.Parse(resource)
	if err != nil {
		return path
	}
	return path + strings.TrimSuffix(u.EscapedPath(), "/")
}

// MetadataOptions configures the metadata of an [Issuer]. JWKS is required.
type MetadataOptions struct {
	// JWKS is the https URL of [Keys.JWKS], on the host of the issuer.
	JWKS string
	// TokenEndpoint is the https URL at which clients get tokens. Empty means none.
	TokenEndpoint string
	// Scopes lists the scopes of the tokens. Empty means that they are not published.
	Scopes []string
	// InsecureHTTP also accepts http URLs on loopback addresses, for development.
	InsecureHTTP bool
}

// Metadata returns a handler for the metadata of the issuer (RFC 8414), so that another
// service can set [RemoteOptions].Issuer to it. Serve it without authentication at the
// path of the issuer with /.well-known/openid-configuration appended, or at
// /.well-known/oauth-authorization-server before it. It accepts GET and HEAD. It reports
// all invalid options, joined, and an issuer that is not a URL.
func (i *Issuer) Metadata(o MetadataOptions) (http.Handler, error) {
	problems := []error{checkMetadataURL("Issuer", i.issuer, o.InsecureHTTP), checkMetadataURL("JWKS", o.JWKS, o.InsecureHTTP)}
	if o.TokenEndpoint != "" {
		problems = append(problems, checkMetadataURL("TokenEndpoint", o.TokenEndpoint, o.InsecureHTTP))
	}
	if hostOf(o.JWKS) != hostOf(i.issuer) {
		problems = append(problems, fmt.Errorf("token: JWKS %q: is on another host than the issuer %q, so that a Remote would refuse it", o.JWKS, i.issuer))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return newDocument(struct {
		Issuer        string   `json:"issuer"`
		JWKS          string   `json:"jwks_uri"`
		TokenEndpoint string   `json:"token_endpoint,omitempty"`
		Scopes        []string `json:"scopes_supported,omitempty"`
		ResponseTypes []string `json:"response_types_supported"`
	}{i.issuer, o.JWKS, o.TokenEndpoint, o.Scopes, []string{"none"}}) // required by RFC 8414; there is no authorization endpoint
}

// checkMetadataURL returns the problem of a URL in a document, or nil.
func checkMetadataURL(place, text string, allowHTTP bool) error {
	problem := checkFetchURL(text, allowHTTP)
	if u, err := url.Parse(text); problem == "" && (err != nil || u.RawQuery != "") {
		problem = "must not have a query"
	}
	if problem == "" {
		return nil
	}
	return fmt.Errorf("token: %s %q: %s", place, text, problem)
}

// newDocument returns a handler that serves a JSON document.
func newDocument(document any) (http.Handler, error) {
	body, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			errors.Respond(w, r, errors.ErrMethodNotAllowed.Header("Allow", "GET, HEAD"))
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}), nil
}
