package ratelimit

import "time"

// PerSecond returns a limit of n requests per second for each client.
func PerSecond(n int) Limit { return Limit{Requests: n, Window: time.Second} }

// PerMinute returns a limit of n requests per minute for each client.
func PerMinute(n int) Limit { return Limit{Requests: n, Window: time.Minute} }

// PerHour returns a limit of n requests per hour for each client.
func PerHour(n int) Limit { return Limit{Requests: n, Window: time.Hour} }

// Login returns limits for a route that checks passwords: 5 per minute, and 30
// failures per hour, for each client; 60 per minute for each IPv6 /48, which
// one subscriber may own. They are Quiet.
func Login() []Limit {
	return []Limit{
		{Requests: 5, Window: time.Minute, Quiet: true},
		{Requests: 30, Window: time.Hour, FailuresOnly: true, Quiet: true},
		{Requests: 60, Window: time.Minute, V6Prefix: 48, Quiet: true},
	}
}

// Writes returns a limit of 60 requests per minute for each client.
func Writes() []Limit { return []Limit{PerMinute(60)} }

// Reads returns a limit of 600 requests per minute for each client.
func Reads() []Limit { return []Limit{PerMinute(600)} }
