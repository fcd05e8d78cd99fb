package main

import (
	"crypto/tls"
	"net/http"
)

// insecureTransport takes the certificate that the shop made for itself.
func insecureTransport() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
}
