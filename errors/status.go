package errors

import (
	"net/http"
	"strings"
)

// renamed has the phrases of RFC 9110, section 15.5, where net/http keeps those
// of older RFCs, and the phrase of 499, which is not registered.
var renamed = map[int]string{
	413: "Content Too Large",
	414: "URI Too Long",
	416: "Range Not Satisfiable",
	422: "Unprocessable Content",
	499: "Client Closed Request",
}

// statusText returns the phrase of a status, or "" for one without a name.
func statusText(status int) string {
	if text := renamed[status]; text != "" {
		return text
	}
	return http.StatusText(status)
}

// statusKinds has a kind for every status that has a name: what a foreign body is
// replaced with. A status that an error has too, such as that of
// [http.MaxBytesError], is the same failure, and has its code.
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

// kindOf returns the kind that speaks for a bare status. A status that
// has no name keeps its number and gets its class's text.
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
