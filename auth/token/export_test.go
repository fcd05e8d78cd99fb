package token

import "time"

// SetClock replaces the clocks of an issuer and what else is given.
func SetClock(now func() time.Time, all ...any) {
	for _, v := range all {
		switch v := v.(type) {
		case *Issuer:
			v.now = now
		case *Verifier:
			v.now = now
		case *Keys:
			v.now = now
		case *Remote:
			v.now = now
		}
	}
}

// Members reads a JSON object as headers and payloads are read.
func Members(text string, most int) (list [][2]string, ok bool) {
	found, ok := members(text, nil, most)
	for _, m := range found {
		list = append(list, [2]string{m.name, m.value})
	}
	return list, ok
}

// SetPace replaces the times of a Remote; zero leaves one as it is.
func SetPace(r *Remote, floor, timeout, refresh time.Duration) {
	r.floor, r.timeout, r.refresh = orDefault(floor, r.floor), orDefault(timeout, r.timeout), orDefault(refresh, r.refresh)
}

// Cached returns the number of cached tokens, and their size in bytes.
func Cached(v *Verifier) (entries, bytes int) {
	for i := range v.cache.shards {
		s := &v.cache.shards[i]
		s.mu.RLock()
		entries, bytes = entries+len(s.byToken), bytes+s.size
		s.mu.RUnlock()
	}
	return entries, bytes
}

// Remember puts a token into the cache as if it were verified.
func Remember(v *Verifier, token string) { v.cache.addEntry(&entry{token: token}) }

// VerifySignature checks only the three parts and the signature.
func VerifySignature(k Key, token string) error {
	p, err := split(token)
	if err != nil {
		return err
	}
	signature, err := strict.DecodeString(p.signature)
	if err != nil {
		return err
	}
	return k.algorithm.method.Verify(p.input, signature, k.verify)
}

// Sign returns the signature of a signing input.
func Sign(k Key, input string) ([]byte, error) { return k.sign(input) }

// SmallOrder returns the table of y-coordinates of weak points, each as 32
// bytes without a sign.
func SmallOrder() (all []string) {
	for _, y := range smallOrder {
		all = append(all, string(y[:]))
	}
	return all
}
