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
)

// An Event is a credential that crossed a network unencrypted, so that an
// application may revoke it. Verify the credential first, because any client
// can send one that is not its own.
type Event struct {
	Reason Reason
	// Refused is true if the request is refused or redirected, and false if
	// it is served because of InsecureAllowHTTP or Exempt.
	Refused bool
	// Request has the credential. The hook must not change it, and must not
	// use it after it returns.
	Request *http.Request
}
