package ratelimit

import "time"

// Login returns limits for a route that checks passwords: 5 per minute, and 30
// failures per hour, for each client; 60 per minute for each IPv6 /48, which
// is what one subscriber may own. What remains is not told.
func Login() []Limit {
	return []Limit{
		{Requests: 5, Window: time.Minute, Quiet: true},
		{Requests: 30, Window: time.Hour, FailuresOnly: true, Quiet: true},
		{Requests: 60, Window: time.Minute, V6Prefix: 48, Quiet: true},
	}
}

// Writes returns a limit of 60 requests per minute for each client.
func Writes() []Limit { return []Limit{{Requests: 60, Window: time.Minute}} }

// Reads returns a limit of 600 requests per minute for each client.
func Reads() []Limit { return []Limit{{Requests: 600, Window: time.Minute}} }
