package headers

import (
	"net/http"
	"strings"
)

// ClearSiteData tells the browser to delete the data of the service's origin
// (W3C Clear Site Data; ASVS 5.0 14.3.1). Call it in the response to a logout,
// before WriteHeader. Kinds are "cache", "cookies", "storage",
// "executionContexts", "clientHints", "prefetchCache", "prerenderCache" and "*".
// No kinds mean "cache", "cookies" and "storage".
//
// Browsers read the header only over HTTPS, ignore unknown kinds, and delete the
// cookies of the whole registrable domain. ClearSiteData ignores a kind that is
// neither "*" nor made of ASCII letters.
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
