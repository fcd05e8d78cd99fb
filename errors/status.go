package errors

import (
	"net/http"
	"strings"
)

// renamed has the phrases of RFC 9110, section 15.5, where net/http has those of older
// RFCs, and a phrase for the unregistered 499.
var renamed = map[int]string{
	413: "Content Too Large",
	414: "URI Too Long",
	416: "Range Not Satisfiable",
	422: "Unprocessable Content",
	499: "Client Closed Request",
}

// statusText returns the phrase of a status, or "" for a status without one.
func statusText(status int) string {
	if text := renamed[status]; text != "" {
		return text
	}
	return http.StatusText(status)
}

// statusKinds maps each status with a phrase to the kind that replaces a foreign
// body. A status of an exported kind, such as 413, maps to that kind, so that one
// failure has one code.
var statusKinds = defineStatuses()

func defineStatuses() map[int]*Kind {
	kinds := map[int]*Kind{404: ErrNotFound, 405: ErrMethodNotAllowed, 413: ErrTooLarge, 499: ErrCanceled, 500: ErrInternal}
	for status := 400; status <= 599; status++ {
		text := statusText(status)
		if text == "" || kinds[status] != nil {
			continue
		}
		code := strings.ToLower(strings.NewReplacer(" ", "_", "-", "_", "'", "").Replace(text))
		kinds[status] = define(status, code, text+".")
	}
	return kinds
}

var (
	unknownClient = Define(400, "client_error", "The request cannot be processed.")
	unknownServer = Define(500, "server_error", "Something went wrong on our side.")
)

// kindOf returns the kind of a status. A status without a phrase keeps its number,
// and has the code and the message of its class.
func kindOf(status int) *Kind {
	if k := statusKinds[status]; k != nil {
		return k
	}
	k := *unknownServer
	if status < 500 {
		k = *unknownClient
	}
	k.status = status
	return &k
}
