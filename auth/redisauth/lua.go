package redisauth

import "github.com/ringwall/ringwall/errors"

// Times and spans are whole microseconds: below 2^53, so that Lua's numbers
// hold them. Numbers become text by string.format alone, since Lua shortens
// what it prints by itself to 14 digits. The clock is Redis's: those of the
// processes differ.

// The sessions of one subject are one hash, so that each script is one step,
// also on a Cluster:
//
//	<id>    generation created last-used expires absolute attempt left:leaver...
//	<id>v   the value
//	<id>g   when it was deleted; and "live", if it was
//	n       the last 16 IDs that were deleted without being there
//	e       when they were all deleted last
//	x       the ID of the last session that evicted others, and theirs
//	d       the last 8 calls that deleted all, and what was deleted so, id:when
//	r, rv   the call and the record of the last reuse, and its value
//	ra      its attempt, with the number of calls of that which may still be told
//
// The words: a call is one of the store's methods, with a name that no other
// has. It is sent in up to three tries, for a reply may be lost: the later ones
// find what an earlier one did in x, d, r, and the leavers. An attempt is the
// client's, and may be made in several calls. The leaver of a generation is what
// led on from it: 16 digits of the attempt, its tag, and the call. A try may
// also arrive when nobody waits for it any longer, and a later one has come and
// gone: then it must do nothing, which is what <id>g and n are for.
const sessionLua = `
local key = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2] + ARGV[1]
local function int(n) return string.format('%.0f', n) end
local function parse(text)
  local f = {}
  for word in string.gmatch(text, '%S+') do f[#f + 1] = word end
  local r = {gen = tonumber(f[1]), created = tonumber(f[2]), last = tonumber(f[3]), expires = tonumber(f[4]), absolute = tonumber(f[5]), attempt = f[6], left = {}, leaver = {}}
  for i = 7, #f do
    local at, leaver = string.match(f[i], '^(%d+):(.+)$')
    r.left[i - 6], r.leaver[i - 6] = tonumber(at), leaver
  end
  return r
end
local function find(id)
  local text = redis.call('HGET', key, id)
  return text and parse(text)
end
local function format(r)
  local f = {int(r.gen), int(r.created), int(r.last), int(r.expires), int(r.absolute), r.attempt}
  for i, at in ipairs(r.left) do f[6 + i] = int(at) .. ':' .. r.leaver[i] end
  return table.concat(f, ' ')
end
local function ids()
  local list = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if #field == 32 then list[#list + 1] = field end
  end
  return list
end
local function words(text)
  local list = {}
  for word in string.gmatch(text or '', '%S+') do list[#list + 1] = word end
  return list
end
local function delete(id)
  local r = find(id)
  if not r then return end
  redis.call('HDEL', key, id, id .. 'v')
  redis.call('HSET', key, id .. 'g', int(now) .. (r.expires and now >= r.expires and '' or ' live'))
end
local function contains(list, word)
  for _, other in ipairs(list) do
    if other == word then return true end
  end
end
-- The hash lives for at least a span; and no longer than one, without sessions.
local function atLeast(span)
  local ms = math.ceil(span / 1000)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, int(ms)) end
end
local function ifEmptyAtMost(span)
  if #ids() == 0 then redis.call('PEXPIRE', key, int(math.ceil(span / 1000))) end
end
local function reply(id, r, value) return {id, r.gen, r.created, r.last, r.expires, value} end
`

// ARGV: skew, ID, value, idle, absolute, the most, age, window of the epoch, the
// ID of the one whose place it takes, how long after the first try this one is.
//
// An earlier try may have made the record, and all of the owner's, or this one,
// may have been deleted since: then what that try ended is still to be told.
const createLua = sessionLua + `
local id, value, idle, absolute, most = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local age, epochWindow, replaces = ARGV[7] + ARGV[10], tonumber(ARGV[8]), ARGV[9]
local epoch = tonumber(redis.call('HGET', key, 'e') or 0)
local r, evicted = find(id), {}
local deleted = redis.call('HEXISTS', key, id .. 'g') == 1
if r or deleted then
  local evictor = words(redis.call('HGET', key, 'x'))
  if evictor[1] == id then
    for i = 2, #evictor do evicted[i - 1] = {evictor[i], 0, 0, 0, 0, ''} end
  end
end
if deleted and replaces ~= '' and words(redis.call('HGET', key, replaces .. 'g'))[2] == 'live' then
  evicted[#evicted + 1] = {replaces, 0, 0, 0, 0, ''}
end
local began = now >= epoch and now - epoch < epochWindow and now - age <= epoch
if began or deleted or contains(words(redis.call('HGET', key, 'n')), id) then return {'superseded', '', evicted} end
if r then return {'created', reply(id, r, value), evicted} end
if replaces ~= '' then delete(replaces) end
local others = {}
for _, field in ipairs(redis.call('HKEYS', key)) do
  if #field == 33 and string.sub(field, 33) == 'g' and math.abs(now - words(redis.call('HGET', key, field))[1]) > 60000000 then redis.call('HDEL', key, field) end
end
for _, other in ipairs(ids()) do
  local o = find(other)
  if not (now < o.expires) then delete(other) else others[#others + 1] = {other, o} end
end
table.sort(others, function(a, b) return a[2].last < b[2].last end)
local evictor = {id}
for i = 1, #others + 1 - most do
  local other, o = others[i][1], others[i][2]
  evicted[i] = reply(other, o, redis.call('HGET', key, other .. 'v'))
  evictor[i + 1] = other
  delete(other)
end
if #evicted > 0 then redis.call('HSET', key, 'x', table.concat(evictor, ' ')) end
r = {gen = 0, created = now, last = now, expires = math.min(now + idle, now + absolute), absolute = now + absolute, attempt = '-', left = {}, leaver = {}}
redis.call('HSET', key, id, format(r), id .. 'v', value)
atLeast(r.expires - now)
return {'created', reply(id, r, value), evicted}
`

// ARGV: skew, ID, generation, attempt, idle, grace, the longest history, how long
// ended ones are known, the call, how long after the first try this one is.
//
// What a try cannot know is "unknown": an earlier one of its call left the
// generation, and others went on from there. To a later try it is so also where
// another call of the same attempt did, and where the session has ended since.
//
// A reuse is told once, and again to 15 other calls of its attempt, since all
// replies to the first may be lost: while Redis stalls, the client calls each
// second or two, and Redis runs all of the calls when it goes on. More would be a
// flood of thefts, at will.
const rotateLua = sessionLua + `
local id, gen, attempt, idle, grace = ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local history, endedFor, call, later = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], ARGV[10] ~= '0'
local tag = string.sub(attempt, 1, 16)
local leaver = tag .. call
local function reused(r, value)
  local at = r.left[math.min(r.gen - gen, #r.left)]
  return {'reused', reply(id, r, value), at and math.abs(now - at) or 0}
end
local r = find(id)
if not r then
  local text, mine = redis.call('HGET', key, 'r') or '', call .. ' ' .. id .. ' '
  local again = words(redis.call('HGET', key, 'ra'))
  if again[1] == attempt and again[2] == id and again[3] ~= '0' and string.sub(text, 1, #mine) ~= mine then
    text = mine .. string.sub(text, #mine + 1)
    redis.call('HSET', key, 'r', text, 'ra', attempt .. ' ' .. id .. ' ' .. int((again[3] or 1) - 1))
  end
  if string.sub(text, 1, #mine) == mine then
    return reused(parse(string.sub(text, #mine + 1)), redis.call('HGET', key, 'rv'))
  end
end
if not r or not (now < r.expires) then
  delete(id)
  return {later and 'unknown' or 'gone'}
end
local value = redis.call('HGET', key, id .. 'v')
if gen < r.gen then
  local back = r.gen - gen
  if back == 1 and (attempt == r.attempt or r.left[1] and math.abs(now - r.left[1]) < grace) then
    return {'repeated', reply(id, r, value)}
  end
  if r.leaver[back] == leaver or (later and string.sub(r.leaver[back] or '', 1, 16) == tag) then return {'unknown'} end
  redis.call('HSET', key, 'r', call .. ' ' .. id .. ' ' .. format(r), 'rv', value, 'ra', attempt .. ' ' .. id .. ' 15')
  delete(id)
  ifEmptyAtMost(endedFor)
  return reused(r, value)
end
local outcome, skipped = 'advanced', gen - r.gen
if skipped > 0 then outcome = 'rolled back' end
for i = math.min(skipped, history - 1), 0, -1 do
  table.insert(r.left, 1, now)
  table.insert(r.leaver, 1, i == 0 and leaver or '-')
end
while #r.left > history do
  table.remove(r.left)
  table.remove(r.leaver)
end
r.gen, r.attempt, r.last, r.expires = gen + 1, attempt, now, math.min(now + idle, r.absolute)
redis.call('HSET', key, id, format(r))
atLeast(r.expires - now)
return {outcome, reply(id, r, value)}
`

// ARGV: skew.
const listLua = sessionLua + `
local list = {}
for _, id in ipairs(ids()) do
  local r = find(id)
  if now < r.expires then list[#list + 1] = reply(id, r, redis.call('HGET', key, id .. 'v')) end
end
return list
`

// ARGV: skew, how long ended ones are known, IDs.
//
// A call that was perhaps never answered is made again: what lived is told again.
//
// One that is not there may be a login that failed, and is still to arrive; or
// long dead, and there are any number of these.
const deleteLua = sessionLua + `
local endedFor, ended, never = tonumber(ARGV[2]), {}, words(redis.call('HGET', key, 'n'))
for i = 3, #ARGV do
  local id = ARGV[i]
  delete(id)
  local gone = words(redis.call('HGET', key, id .. 'g'))
  if #gone == 0 and not contains(never, id) then
    table.insert(never, 1, id)
    redis.call('HSET', key, 'n', table.concat(never, ' ', 1, math.min(#never, 16)))
  elseif gone[2] == 'live' and math.abs(now - gone[1]) < endedFor then
    ended[#ended + 1] = {id, math.max(0, now - gone[1])}
  end
end
ifEmptyAtMost(endedFor)
return ended
`

// ARGV: skew, how long ended ones are known, the call, IDs to spare.
//
// When every reply to a call was lost, nobody has revoked the access tokens of
// what it ended. So the next call tells of that too, for as long as such a token
// lives, and of at most 1000, the newest: one call ends no more. A later try finds
// its call in the list, also when others have deleted all since: it must not end
// the logins of the time between.
const deleteAllLua = sessionLua + `
local endedFor, call, spare = tonumber(ARGV[2]), ARGV[3], {}
for i = 4, #ARGV do spare[ARGV[i]] = true end
local ended, list = {}, {}
local function add(id, at)
  ended[#ended + 1], list[#list + 1] = {id, math.max(0, now - at)}, id .. ':' .. int(at)
end
local before, calls = words(redis.call('HGET', key, 'd')), {}
for name in string.gmatch(before[1] or '', '[^,]+') do calls[#calls + 1] = name end
local done = contains(calls, call)
for _, id in ipairs(done and {} or ids()) do
  if not spare[id] then
    if now < find(id).expires then add(id, now) end
    delete(id)
  end
end
for i = 2, #before do
  local id, at = string.match(before[i], '^(%x+):(%d+)$')
  if id and #ended < 1000 and math.abs(now - at) < endedFor then add(id, tonumber(at)) end
end
if done then return ended end
table.insert(calls, 1, call)
redis.call('HSET', key, 'e', int(now), 'd', table.concat(calls, ',', 1, math.min(#calls, 8)) .. ' ' .. table.concat(list, ' '))
atLeast(endedFor)
ifEmptyAtMost(endedFor)
return ended
`

// serverLua tells which start of which Redis answers. Another one, such as a
// replica that was promoted, may lack what this one had, and means something else
// by a place that this one gave. A server without run_id is taken for one and the
// same.
const serverLua = `
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
`

// errOtherServer ends what is read in steps.
var errOtherServer = errors.New("redisauth: the Redis process has changed or was restarted")
