package redisauth

// The revocations are one stream. Each entry has a random tag under t, and under
// p the ID and the tag of the entry before it, so that a reader notices a missing
// entry, or another entry with the same ID. Under c it has the place at which the
// next sweep continues. newestPlace is the last ID of the stream, with the tag of
// its entry; entries of an earlier version have none.
const streamLua = `
local key = KEYS[1]
local stream = {['last-generated-id'] = '0-0'}
if redis.call('EXISTS', key) == 1 then
  local facts = redis.call('XINFO', 'STREAM', key)
  for i = 1, #facts, 2 do stream[facts[i]] = facts[i + 1] end
end
local newest = stream['last-entry']
local function placeOf(id, entry)
  if entry and entry[1] == id and entry[2][14] then return id .. ' ' .. entry[2][14] end
  return id
end
local newestPlace = placeOf(stream['last-generated-id'], newest)
`

// ARGV: skew, kind, ID, until and issued-before in milliseconds, tag.
// Reply: the ID of the new entry.
//
// An entry is deleted when its tokens have expired by every clock, so a reader that has not
// read it loses nothing. Each addition checks eight entries, from where the last
// one stopped, so one round takes an eighth as many additions as there are
// entries, and the stream has at most a third more entries than were live at
// once. Redis frees entries in nodes (stream-node-max-bytes, 4 KiB): one live
// entry may keep a whole node. An entry of another writer stays and does not stop
// a sweep: no reader continues past it, but later revocations must not be lost.
const addLua = streamLua + `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1]
local some = redis.pcall('XRANGE', key, newest and newest[2][12] or '-', '+', 'COUNT', 8)
for _, entry in ipairs(some) do
  if (tonumber(entry[2][6]) or math.huge) <= now then redis.call('XDEL', key, entry[1]) end
end
local on = some[8] and '(' .. some[8][1] or '-'
return redis.call('XADD', key, '*', 'k', ARGV[2], 'id', ARGV[3], 'u', ARGV[4], 'b', ARGV[5], 'p', newestPlace, 'c', on, 't', ARGV[6])
`

// ARGV: the ID to begin after, the maximum number of entries.
// Reply: the ID of the Redis process, newestPlace, the place of the ID to begin after
// (without a tag if it has no entry), the entries.
const readLua = serverLua + streamLua + `
local from = redis.call('XRANGE', key, ARGV[1], ARGV[1])[1]
return {server, newestPlace, placeOf(ARGV[1], from), redis.call('XRANGE', key, '(' .. ARGV[1], '+', 'COUNT', ARGV[2])}
`
