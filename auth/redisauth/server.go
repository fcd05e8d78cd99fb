package redisauth

import "github.com/ringwall/ringwall/errors"

// serverLua tells which start of which Redis answers. Another one, such as a
// replica that was promoted, may lack what this one had, and means something else
// by a place that this one gave. A server without run_id is taken for one and the
// same.
const serverLua = `
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
`

// errOtherServer ends what is read in steps.
var errOtherServer = errors.New("redisauth: the Redis process has changed or was restarted")
