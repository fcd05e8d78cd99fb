package headers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// A service behind a load balancer that terminates TLS reads the scheme only from
// that load balancer.
func ExampleForwarded_Scheme() {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8"), Proto: "X-Forwarded-Proto"}))
	for _, peer := range []string{"10.0.0.7:4711", "203.0.113.9:4711"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		r.Header.Set("X-Forwarded-Proto", "https")
		fmt.Println(peer, proxy.Scheme(r))
	}
	// Output:
	// 10.0.0.7:4711 https
	// 203.0.113.9:4711 http
}

// A logout deletes the data of the origin in the browser.
func ExampleClearSiteData() {
	logout := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		headers.ClearSiteData(w, "cookies", "storage")
		w.WriteHeader(http.StatusNoContent)
	})
	w := httptest.NewRecorder()
	logout.ServeHTTP(w, httptest.NewRequest("POST", "/auth/logout", nil))
	fmt.Println(w.Header().Get("Clear-Site-Data"))
	// Output: "cookies", "storage"
}
