package headers

import (
	"fmt"
	"strconv"
	"time"
)

// HSTS configures the Strict-Transport-Security header (RFC 6797). The zero value
// means two years, including subdomains.
type HSTS struct {
	// MaxAge is the max-age of the policy, in whole seconds, without a maximum.
	// 0 means two years.
	MaxAge time.Duration
	// ExcludeSubdomains omits includeSubDomains.
	ExcludeSubdomains bool
	// Preload requests an entry in the lists that browsers ship, which is hard
	// to remove. It requires subdomains and a MaxAge of at least one year.
	Preload bool
	// Clear makes browsers delete the policy of the host: max-age=0.
	Clear bool
}

const year = 365 * 24 * time.Hour

func (h HSTS) headerValue() string {
	if h.Clear {
		return "max-age=0"
	}
	if h.MaxAge == 0 {
		h.MaxAge = 2 * year
	}
	value := "max-age=" + strconv.FormatInt(int64(h.MaxAge/time.Second), 10)
	if !h.ExcludeSubdomains {
		value += "; includeSubDomains"
	}
	if h.Preload {
		value += "; preload"
	}
	return value
}

func (h HSTS) checkFields() error {
	switch {
	case h.MaxAge < 0:
		return fmt.Errorf("headers: HSTS.MaxAge %v: is negative; did you mean Clear?", h.MaxAge)
	case h.MaxAge > 0 && h.MaxAge < time.Second: // a plain number is in nanoseconds
		return fmt.Errorf("headers: HSTS.MaxAge %v: must be whole seconds; did you mean %v?", h.MaxAge, h.MaxAge*time.Second)
	case h.MaxAge%time.Second != 0:
		return fmt.Errorf("headers: HSTS.MaxAge %v: must be whole seconds", h.MaxAge)
	case h.Clear && h != HSTS{Clear: true}:
		return fmt.Errorf("headers: HSTS.Clear true: contradicts the other fields; did you mean HSTS{Clear: true}?")
	case h.Preload && (h.ExcludeSubdomains || h.MaxAge != 0 && h.MaxAge < year):
		return fmt.Errorf("headers: HSTS.Preload true: requires subdomains and a max-age of at least one year; did you mean HSTS{Preload: true}?")
	}
	return nil
}
