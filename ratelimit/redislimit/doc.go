// Package redislimit keeps the counts of package ratelimit in Redis.
//
//	user limits on >change-me resetkeys ~rl:* resetchannels -@all +eval +evalsha +get +set +del +time
//	user limits-cluster on >change-me resetkeys ~rl:* resetchannels -@all +eval +evalsha +get +set +del +time +cluster|slots +asking +command
package redislimit
