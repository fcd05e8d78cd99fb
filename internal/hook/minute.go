package hook

import (
	"sync/atomic"
	"time"
)

// OncePerMinute bounds a log record that every request could cause. The zero value
// is ready, and safe for concurrent use.
type OncePerMinute struct{ last atomic.Int64 }

// Allow reports whether it was not called in the minute of now before. Of
// concurrent calls, one gets true.
func (o *OncePerMinute) Allow(now time.Time) bool {
	minute := now.Unix()/60 + 1 // 0 means never
	last := o.last.Load()
	return last != minute && o.last.CompareAndSwap(last, minute)
}
