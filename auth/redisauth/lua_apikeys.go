package redisauth

// The API keys are one hash. Its fields:
//
//	<id>   the version, a space, and the record
//	-<id>  the time at which the key was deleted, in seconds
//	-      the cursor at which the next sweep continues
//
// A deletion is stored for an hour. The first write of a key may be delayed in the
// network, and arrive after its retry and after the deletion of the key. It must not
// create the key again. TCP delivers such a write for at most half an hour after the
// client gave up the connection (tcp_retries2 in tcp(7)). Later writes of a deleted key
// fail because they need the version before. Each creation and deletion sweeps about
// eight fields, so a sweep of all takes an eighth as many changes as there are fields,
// and few deletions older than an hour remain.
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
// Reply: 1 if the record is stored; 0 if another version is stored, or the key was deleted.
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

// ARGV: ID.
// Reply: the version and the record, or nil.
const getLua = `return redis.call('HGET', KEYS[1], ARGV[1])`

// ARGV: skew in seconds, ID.
// Reply: 1, whether or not the key existed.
const dropLua = keyLua + `
if redis.call('HDEL', key, id) == 1 then
  redis.call('HSET', key, '-' .. id, string.format('%.0f', now))
  sweep()
end
return 1
`

// ARGV: the cursor.
// Reply: the ID of the Redis process, the next cursor, the fields and values.
const scanLua = serverLua + `
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 200)
return {server, page[1], page[2]}
`
