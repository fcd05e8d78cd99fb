package token

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
)

const (
	// maxMetadata bounds the metadata of an issuer, in bytes, and
	// maxMetadataMembers its members.
	maxMetadata        = 64 << 10
	maxMetadataMembers = 200
	// metadataAge is the age at which the metadata of an issuer is fetched again.
	metadataAge = time.Hour
)

// A discovery finds the URL of the key set in the metadata of an issuer. One fetch
// at a time uses it.
type discovery struct {
	issuer   string   // "" means that the URL is configured
	hosts    []string // the hosts with ports that jwks_uri may name
	http     bool     // plain HTTP is accepted on loopback addresses
	keysURL  string   // of the last good metadata, or configured
	fetched  time.Time
	doubtful bool // the last fetch from keysURL failed
}

// metadataURLs returns where an issuer publishes its metadata: OpenID Connect
// Discovery 1.0, section 4, and RFC 8414, section 3.
func metadataURLs(issuer string) []string {
	base := strings.TrimSuffix(issuer, "/")
	urls := []string{base + "/.well-known/openid-configuration"}
	if u, err := url.Parse(base); err == nil {
		u.Path = "/.well-known/oauth-authorization-server" + u.Path
		urls = append(urls, u.String())
	}
	return urls
}

// findKeysURL returns the URL of the key set. It fetches the metadata first if it has
// none, if it is old, and after a failure at its URL. If the metadata cannot be
// fetched, the last one is used up to MaxStale.
func (r *Remote) findKeysURL(ctx context.Context) (string, error) {
	d := &r.discovery
	known := d.keysURL != ""
	if d.issuer == "" || known && !d.doubtful && age(r.now(), d.fetched) < metadataAge {
		return d.keysURL, nil
	}
	began := r.now()
	found, err := r.fetchMetadata(ctx)
	switch {
	case err == nil:
		d.keysURL, d.fetched, d.doubtful = found, began, false
		return found, nil
	case known && age(r.now(), d.fetched) < r.maxStale:
		r.reporter.report(ctx, Event{Reason: FetchFailed, Err: err})
		return d.keysURL, nil
	}
	return "", err
}

// fetchMetadata returns the jwks_uri of the metadata of the issuer.
func (r *Remote) fetchMetadata(ctx context.Context) (string, error) {
	var body []byte
	var err error
	for _, location := range metadataURLs(r.discovery.issuer) {
		body, err = r.fetchBody(ctx, location, "application/json", maxMetadata)
		if status, ok := errors.AsType[statusError](err); !ok || status.code != http.StatusNotFound {
			break
		}
	}
	if err != nil {
		return "", fmt.Errorf("fetch metadata: %w", err)
	}
	found, err := r.discovery.readMetadata(string(body))
	if err != nil {
		return "", fmt.Errorf("read metadata: %w", err)
	}
	return found, nil
}

// readMetadata returns the jwks_uri of the metadata in text.
func (d *discovery) readMetadata(text string) (string, error) {
	list, ok := members(text, nil, maxMetadataMembers)
	if !ok {
		return "", errors.New("the metadata is not a JSON object with distinct names")
	}
	issuer, _ := published(list).stringMember("issuer")
	if issuer != d.issuer {
		// OpenID Connect Discovery 1.0, section 4.3: otherwise any host could name the
		// keys of another issuer.
		return "", fmt.Errorf("the issuer is %q, and must be %q", clipText(issuer), d.issuer)
	}
	location, _ := published(list).stringMember("jwks_uri")
	if problem := checkFetchURL(location, d.http); problem != "" {
		return "", fmt.Errorf("jwks_uri %q: %s", clipText(location), problem)
	}
	if host := hostOf(location); !slices.Contains(d.hosts, host) {
		return "", fmt.Errorf("jwks_uri %q: is on another host than the issuer; did you mean KeyHosts: %q?", clipText(location), strings.TrimSuffix(host, ":443"))
	}
	return location, nil
}

// checkFetchURL returns the problem of a URL from which keys are fetched, or "".
func checkFetchURL(text string, allowHTTP bool) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return "must be an https URL without user and fragment"
	case u.Scheme == "http" && allowHTTP && !isLoopback(u.Hostname()):
		return "must be an https URL, because its host is not a loopback address"
	case u.Scheme != "https" && (u.Scheme != "http" || !allowHTTP):
		return "must be an https URL without user and fragment"
	}
	return ""
}

// isLoopback reports whether a host is localhost or a loopback address.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// hostOf returns the host of a URL in lower case, with its port.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	return strings.ToLower(u.Hostname()) + ":" + port
}

// newDiscovery checks the options URL, Issuer, KeyHosts and InsecureHTTP.
func newDiscovery(o RemoteOptions) (d discovery, problems []error) {
	report := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("token: "+format, args...))
	}
	d = discovery{issuer: o.Issuer, http: o.InsecureHTTP, keysURL: o.URL}
	if o.Issuer == "" {
		if problem := checkFetchURL(o.URL, o.InsecureHTTP); problem != "" {
			report(`URL %q: %s; did you mean "https://issuer.example/.well-known/jwks.json", or Issuer?`, o.URL, problem)
		}
		if len(o.KeyHosts) > 0 {
			report("KeyHosts: has no effect without Issuer; did you mean to leave it out?")
		}
		return d, problems
	}
	if o.URL != "" {
		report("URL %q: contradicts Issuer, whose metadata has the URL; did you mean to leave one out?", o.URL)
	}
	u, err := url.Parse(o.Issuer)
	if problem := checkFetchURL(o.Issuer, o.InsecureHTTP); problem != "" {
		report("Issuer %q: %s; did you mean the iss of its tokens?", o.Issuer, problem)
	} else if err == nil && u.RawQuery != "" {
		report("Issuer %q: must not have a query (RFC 8414, section 2)", o.Issuer)
	}
	if strings.Contains(o.Issuer, "/.well-known/") {
		before, _, _ := strings.Cut(o.Issuer, "/.well-known/")
		report("Issuer %q: is the URL of its metadata; did you mean %q?", o.Issuer, before)
	}
	d.keysURL, d.hosts = "", []string{hostOf(o.Issuer)}
	for i, host := range o.KeyHosts {
		full := hostOf("https://" + host)
		if host == "" || strings.ContainsAny(host, "/@?# ") || full == "" {
			report("KeyHosts[%d] %s: must be a host with an optional port; did you mean %q?", i, strconv.Quote(host), "www.googleapis.com")
			continue
		}
		d.hosts = append(d.hosts, full)
		if o.InsecureHTTP {
			d.hosts = append(d.hosts, hostOf("http://"+host))
		}
	}
	return d, problems
}
