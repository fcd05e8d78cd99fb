package token

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/internal/wiring"
)

const (
	// maxSet is the maximum size of a published key set in bytes, and maxSetKeys the
	// maximum number of its keys.
	maxSet     = 512 << 10
	maxSetKeys = 100
)

// A keySet is the result of one successful fetch. It is immutable.
type keySet struct {
	keys    map[string]*Key
	fetched time.Time // when the fetch began
	sum     [sha256.Size]byte
}

// checkClient returns the problem of the option Client, or "". A Client without a
// Transport uses http.DefaultTransport.
func checkClient(c *http.Client) string {
	if c == nil || c.Transport == nil || !wiring.IsNil(c.Transport) {
		return ""
	}
	return fmt.Sprintf("Client: its Transport must not be a nil %T; did you mean no Transport?", c.Transport)
}

// newFetchClient returns a client that follows no redirect, because the application
// decides from which server keys come.
func newFetchClient(given *http.Client) *http.Client {
	c := http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 1, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: fetchTimeout, MaxResponseHeaderBytes: 64 << 10,
	}}
	if given != nil {
		c = *given
	}
	c.Jar = nil
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// load fetches the keys, and replaces the old ones. On an error it keeps them.
func (r *Remote) load(ctx context.Context) (err error) {
	// load runs in a goroutine of this package, where a panic of Client would end the
	// process.
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("fetch keys: panic: %v", v)
		}
	}()
	began := r.now()
	location, err := r.findKeysURL(ctx)
	if err != nil {
		return err
	}
	r.discovery.doubtful = true // until the keys are read
	body, err := r.fetchBody(ctx, location, "application/jwk-set+json, application/json", maxSet)
	if err != nil {
		return fmt.Errorf("fetch keys: %w", err)
	}
	old, set := r.set.Load(), &keySet{fetched: began, sum: sha256.Sum256(body)}
	if old != nil && old.sum == set.sum {
		set.keys = old.keys
		r.set.Store(set)
		r.discovery.doubtful = false
		return nil
	}
	var ignored []Event
	set.keys, ignored, err = parseSet(string(body), r.rsa)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	news := Event{Reason: KeysFetched}
	if old != nil {
		set.reuseKeys(old)
		news.Reason = KeysChanged
	}
	r.set.Store(set)
	r.discovery.doubtful = false
	for _, e := range append(ignored, news) {
		r.reporter.report(ctx, e)
	}
	return nil
}

// reuseKeys replaces each key by an equal key of the old set, because the cache compares
// keys by their pointers.
func (s *keySet) reuseKeys(old *keySet) {
	for kid, key := range s.keys {
		if before := old.keys[kid]; before != nil && before.same(key) {
			s.keys[kid] = before
		}
	}
}

// A statusError is the error for a response whose status is not 200.
type statusError struct {
	code   int
	status string
}

func (e statusError) Error() string { return "the response is " + e.status }

// fetchBody returns the body of a document, of at most the given number of bytes.
func (r *Remote) fetchBody(ctx context.Context, location, accept string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	return sendRequest(r.client, req, most)
}

// sendRequest returns the body of a response with status 200, of at most the given
// number of bytes.
func sendRequest(client *http.Client, req *http.Request, most int64) ([]byte, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // the body was read, or is not needed
	if res.StatusCode != http.StatusOK {
		return nil, statusError{res.StatusCode, res.Status}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(body)) > most:
		return nil, fmt.Errorf("the response has more than %d KiB", most>>10)
	}
	return body, nil
}
