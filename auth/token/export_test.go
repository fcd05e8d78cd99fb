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
		}
	}
}
