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
	r.floor, r.timeout, r.refresh = positive(floor, r.floor), positive(timeout, r.timeout), positive(refresh, r.refresh)
}
