package headers

import (
	"net/http"

	"github.com/ringwall/ringwall/errors"
)

// report reports the effects that the policy would have on a request.
func (p *Policy) report(r *http.Request) {
	secure := p.isHTTPS(r)
	err := p.checkRequest(r, secure, p.host(r))
	if err != nil || !secure {
		p.reportRequest(r, secure, Event{Reported: err != nil}, err)
	}
	if err != nil {
		errors.Report(r, err)
		return
	}
	if p.onEvent != nil && p.blocksEmbedding(r) {
		p.notifyHook(r, Event{Reason: EmbeddedElsewhere, Reported: true})
	}
}

// blocksEmbedding reports whether a browser would not use the response because of
// Cross-Origin-Resource-Policy. It applies to requests of pages without CORS (Fetch,
// section 3.7).
func (p *Policy) blocksEmbedding(r *http.Request) bool {
	if p.resourcePolicy == "" || p.resourcePolicy == "cross-origin" || firstLine(r, "Sec-Fetch-Mode") != "no-cors" {
		return false
	}
	site := firstLine(r, "Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site" && p.resourcePolicy == "same-origin"
}

func firstLine(r *http.Request, key string) string {
	if lines := r.Header[key]; len(lines) > 0 {
		return lines[0]
	}
	return ""
}
