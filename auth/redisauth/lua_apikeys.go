package redisauth

// The API keys are one hash:
//
//	<id>   the version, a space, and the record
//	-<id>  when it was deleted, in seconds
//	-      where the next sweep goes on
//
// What was deleted is known for an hour, since the first write of a key may
// arrive when it was made again, and the key revoked: a connection that its
// client gave up is kept by TCP for at most half an hour (tcp_retries2 in tcp(7)).
// Later writes find no key. Each change looks at a few fields, so that one scan
// of all takes an eighth as many changes as there are fields: beside those of
// the last hour, few are left.
const keyLua = `
local key, id = KEYS[1], ARGV[2]
local now = redis.call('TIME')[1] + ARGV[1]
local function sweep()
  local page = redis.pcall('HSCAN', key, redis.call('HGET', key, '-') or '0', 'COUNT', 8)
  if page.err then page = {'0', {}} end
  for i = 1, #page[2], 2 do
    local field, at = page[2][i], tonumber(page[2][i + 1]) or 0
    if string.find(field, '^%-.') and math.abs(now - at) > 3600 then redis.call('HDEL', key, field) end
  end
  redis.call('HSET', key, '-', page[1])
end
`

// ARGV: skew in seconds, ID, the version before, version and record.
const putLua = keyLua + `
local before, record = ARGV[3], ARGV[4]
local stored = redis.call('HGET', key, id)
if stored == record then return 1 end
if before == '0' and redis.call('HEXISTS', key, '-' .. id) == 1 then return 0 end
local version = stored and string.match(stored, '^%d+') or '0'
if version ~= before then return 0 end
redis.call('HSET', key, id, record)
if before == '0' then sweep() end
return 1
`

const getLua = `return redis.call('HGET', KEYS[1], ARGV[1])`

// ARGV: skew in seconds, ID.
const dropLua = keyLua + `
if redis.call('HDEL', key, id) == 1 then
  redis.call('HSET', key, '-' .. id, string.format('%.0f', now))
  sweep()
end
return 1
`

// ARGV: the cursor.
const scanLua = serverLua + `
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 200)
return {server, page[1], page[2]}
`
