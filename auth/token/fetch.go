package token

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/errors"
)

const (
	// maxSet bounds a published key set, in bytes, and maxSetKeys its keys.
	maxSet     = 512 << 10
	maxSetKeys = 100
)

// keySet is what one successful fetch brought. It is immutable.
type keySet struct {
	keys    map[string]*Key
	fetched time.Time // when the fetch began
	sum     [sha256.Size]byte
}

// newFetchClient returns a client that follows no redirect: where keys come from is
// the application's decision.
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

// load fetches the keys and puts them into use. On an error the old ones stay.
func (r *Remote) load(ctx context.Context) (err error) {
	// The goroutine is ours, and a Client's fault must not end the process.
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("fetch keys: panic: %v", v)
		}
	}()
	began := r.now()
	body, err := r.fetchBody(ctx)
	if err != nil {
		return fmt.Errorf("fetch keys: %w", err)
	}
	old, set := r.set.Load(), &keySet{fetched: began, sum: sha256.Sum256(body)}
	if old != nil && old.sum == set.sum {
		set.keys = old.keys
		r.set.Store(set)
		return nil
	}
	var ignored []Event
	set.keys, ignored, err = parseSet(string(body), r.rsa)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if old != nil {
		set.reuseKeys(old)
	}
	r.set.Store(set)
	for _, e := range append(ignored, Event{Reason: KeysChanged}) {
		r.reportEvent(ctx, e)
	}
	return nil
}

// reuseKeys goes on with the old Key where it is the same, so that what was
// verified with it stays verified.
func (s *keySet) reuseKeys(old *keySet) {
	for kid, key := range s.keys {
		if before := old.keys[kid]; before != nil && before.same(key) {
			s.keys[kid] = before
		}
	}
}

// fetchBody returns the body of a good answer, of at most maxSet bytes.
func (r *Remote) fetchBody(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // it was read as far as it counts
	if res.StatusCode != http.StatusOK {
		return nil, errors.New("the response is " + res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxSet+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxSet:
		return nil, errors.New("the response has more than 512 KiB")
	}
	return body, nil
}
