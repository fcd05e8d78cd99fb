package headers

import "net/http"

// A Reason is the reason for an [Event], in snake_case.
type Reason string

const (
	// CredentialInHeader means that a plain HTTP request has one of the headers
	// that hold credentials.
	CredentialInHeader Reason = "credential_in_header"
	// CredentialInURL means that a plain HTTP request has a credential in its
	// URL and none in a header: before the host of an absolute target, or in
	// the query parameters access_token, id_token, refresh_token, api_key,
	// apikey, api-key, client_secret or password.
	CredentialInURL Reason = "credential_in_url"
	// PlainHTTP means that a request without a credential is refused or
	// redirected, because it is not an HTTPS request.
	PlainHTTP Reason = "plain_http"
	// UnlistedHost means that a request is refused because AllowedHosts does not
	// list its host.
	UnlistedHost Reason = "unlisted_host"
	// EmbeddedElsewhere means that ResourcePolicy would keep a browser from
	// using the response, because a page of another origin embeds it, for example
	// as an image. It is reported only with InsecureReportOnly.
	EmbeddedElsewhere Reason = "embedded_elsewhere"
)

// An Event is a refused request, or a credential that crossed a network
// unencrypted, so that an application may revoke it. Verify the credential
// first, because any client can send one that is not its own.
type Event struct {
	Reason Reason
	// Refused is true if the request is refused or redirected. It is false if
	// it is served because of InsecureAllowHTTP, Exempt or InsecureReportOnly.
	Refused bool
	// Reported is true if the request is served only because of
	// InsecureReportOnly.
	Reported bool
	// Request is the request. The hook must not change it, and must not use it
	// after it returns.
	Request *http.Request
}
