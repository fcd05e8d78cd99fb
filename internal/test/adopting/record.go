package adopting

import (
	"net/http"
	"net/url"
)

// A Sent is a request of the record.
type Sent struct {
	Name, Method, Path string
	Header             http.Header
	Body               string
}

// Record returns 31 requests as the clients of the service send them: a page of another
// origin, a mobile app, an old client, a provider of webhooks and one of logins, probes, and
// somebody who guesses. All but the probes come through a proxy that ends TLS.
func Record() []Sent {
	proxied := func(more ...string) http.Header {
		h := http.Header{"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"https"}}
		for i := 0; i+1 < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	const page = "https://www.example.com"
	fromPage := func(more ...string) http.Header { return proxied(append([]string{"Origin", page}, more...)...) }
	asUser := func(more ...string) http.Header {
		return fromPage(append([]string{"Authorization", "Bearer good", "Content-Type", "application/json"}, more...)...)
	}
	preflight := func(method, headers string) http.Header {
		return fromPage("Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
	}
	return []Sent{
		{"probe health", "GET", "/healthz", http.Header{}, ""},
		{"scrape metrics", "GET", "/metrics", http.Header{}, ""},
		{"version", "GET", "/version", proxied(), ""},
		{"robots", "GET", "/robots.txt", proxied(), ""},
		{"webhook", "POST", "/hooks/payment", proxied("Content-Type", "application/json", "X-Signature", "abc"), `{ "paid" : true }`},
		{"login at a provider", "POST", "/oidc/callback", proxied("Origin", "https://idp.example.net", "Content-Type", "application/x-www-form-urlencoded"), url.Values{"state": {"xyz"}, "code": {"abc"}}.Encode()},
		{"register", "POST", "/api/users", fromPage("Content-Type", "application/json"), `{"name":"eve"}`},
		{"register a taken name", "POST", "/api/users", fromPage("Content-Type", "application/json"), `{"name":"ada"}`},
		{"register without JSON", "POST", "/api/users", fromPage("Content-Type", "application/json"), `name=eve`},
		{"login", "POST", "/api/users/login", fromPage("Content-Type", "application/json"), `{"name":"ada"}`},
		{"refresh", "POST", "/api/users/refresh", fromPage(), ""},
		{"logout", "POST", "/api/users/logout", fromPage(), ""},
		{"tags", "GET", "/api/tags", fromPage(), ""},
		{"articles", "GET", withQuery("/api/articles", "limit", "20"), fromPage(), ""},
		{"articles that fail", "GET", withQuery("/api/articles", "limit", "boom"), fromPage(), ""},
		{"article", "GET", "/api/articles/a", fromPage(), ""},
		{"no article", "GET", "/api/articles/none", fromPage(), ""},
		{"user", "GET", "/api/user", asUser(), ""},
		{"user without a token", "GET", "/api/user", fromPage(), ""},
		{"preflight of PUT", "OPTIONS", "/api/user", preflight("PUT", "authorization,content-type"), ""},
		{"change user", "PUT", "/api/user", asUser(), `{"name":"ada"}`},
		{"create", "POST", "/api/articles", asUser(), `{"slug":"b","title":"B","body":"text"}`},
		{"create by an old client", "POST", "/api/articles", asUser(), `{"Slug":"b","Title":"B"}`},
		{"create with an unknown member", "POST", "/api/articles", asUser(), `{"slug":"b","title":"B","draft":true}`},
		{"create without a title", "POST", "/api/articles", asUser(), `{"slug":"b"}`},
		{"delete", "DELETE", "/api/articles/b", asUser(), ""},
		{"comment of a mobile app", "POST", "/api/articles/a/comments", proxied("Authorization", "Bearer good", "Content-Type", "application/json"), `{"body":"nice"}`},
		{"upload", "POST", "/api/uploads", asUser("Content-Type", "application/octet-stream"), "\x00\x01\x02"},
		{"stream with a token in the query", "GET", withQuery("/api/stream", "token", "good"), fromPage("Accept", "text/event-stream"), ""},
		{"image in the page", "GET", "/images/a", fromPage("Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"), ""},
		{"unknown path", "GET", "/wp-login.php", proxied(), ""},
	}
}

func withQuery(path, name, value string) string {
	return path + "?" + url.Values{name: {value}}.Encode()
}
