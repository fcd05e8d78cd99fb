package headers

import (
	"net/http"
	"strings"
)

// ClearSiteData makes the browser forget what it stored for our origin: the
// answer to a log-out has it (W3C Clear Site Data; ASVS 5.0 14.3.1). Kinds are
// "cache", "cookies", "storage", "executionContexts", "clientHints",
// "prefetchCache", "prerenderCache" and "*". None: "cache", "cookies" and
// "storage". Browsers take it over HTTPS only, ignore a kind that they do not
// know, and forget cookies for the whole registrable domain.
//
// A kind that is not made of letters is left out. Call it before WriteHeader.
func ClearSiteData(w http.ResponseWriter, kinds ...string) {
	if len(kinds) == 0 {
		kinds = []string{"cache", "cookies", "storage"}
	}
	var quoted []string
	for _, kind := range kinds {
		letters := strings.Trim(kind, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && kind != ""
		if letters || kind == "*" {
			quoted = append(quoted, `"`+kind+`"`)
		}
	}
	if len(quoted) > 0 {
		w.Header().Set("Clear-Site-Data", strings.Join(quoted, ", "))
	}
}
