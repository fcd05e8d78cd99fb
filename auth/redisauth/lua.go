package redisauth

import "github.com/ringwall/ringwall/errors"

// Times and durations are whole microseconds below 2^53, so that they are exact
// in Lua. Numbers become text only by string.format, because Lua prints at most
// 14 digits. The clock is that of Redis, because the clocks of processes differ.

// The sessions of one subject are one hash, because a script is one step only on keys
// of one slot of a Cluster. Its fields:
//
//	<id>    generation created last-used expires absolute attempt left:leaver...
//	<id>v   the value of the session
//	<id>g   the time of the deletion, and "live" if the session had not expired
//	n       the last 16 IDs that a deletion did not find
//	e       the time of the last deletion of all sessions
//	x       the ID of the last session that evicted others, and their IDs
//	d       the names of the last 8 calls that deleted all, and the sessions that
//	        they deleted, as id:time
//	r, rv   the last reuse: the name of its call and the record; the value
//	ra      the attempt of the last reuse, the ID, and the number of further calls
//	        with this attempt to which the reuse may be reported
//
// A call is one call of a method of the store. It has a random name. It is sent up to
// three times, because a reply may be lost, and a retry finds the result of an earlier
// sending in x, d, r or a leaver. An attempt is the client's Refresh-Attempt, which
// several calls may have. A leaver names the call that superseded a generation: the
// first 16 digits of its attempt (the tag), and its name; left is the time. A sending
// that arrives after the retry has finished must have no effect, which <id>g and n
// ensure.
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
-- The hash expires after at least span, or after span if it has no sessions.
local function atLeast(span)
  local ms = math.ceil(span / 1000)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, int(ms)) end
end
local function ifEmptyAtMost(span)
  if #ids() == 0 then redis.call('PEXPIRE', key, int(math.ceil(span / 1000))) end
end
local function reply(id, r, value) return {id, r.gen, r.created, r.last, r.expires, value} end
`

// ARGV: skew, ID, value, idle, absolute, maximum number of sessions, age, window of
// the epoch, the replaced ID, time since the first sending of the call.
// Reply: "created", the record, the evicted records; or "superseded", "", the evicted
// records.
//
// An earlier sending may have created the record, and the record may have been deleted
// since then. The script then returns the IDs that the earlier sending ended, without
// their values.
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

// ARGV: skew, ID, generation, attempt, idle, grace, maximum history, time for
// which ended sessions are stored, the name of the call, time since the first sending
// of the call.
// Reply: "advanced", "rolled back" or "repeated", and the record; "reused", the record,
// and the time since the generation was superseded; or "gone" or "unknown" alone.
//
// The outcome "unknown" means that an earlier sending of the same call may have
// superseded the generation, and that other calls have superseded its successor. A retry
// also gets it if another call with the same Refresh-Attempt rotated, or if the session
// has ended since.
//
// A reuse is reported once, and again to 15 other calls with its Refresh-Attempt,
// because all replies to the first may be lost: while Redis stalls, the client
// calls every second or two, and Redis runs all of the calls when it continues.
// The limit of 15 prevents that a client causes any number of events.
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
// Reply: the records that have not expired.
const listLua = sessionLua + `
local list = {}
for _, id in ipairs(ids()) do
  local r = find(id)
  if now < r.expires then list[#list + 1] = reply(id, r, redis.call('HGET', key, id .. 'v')) end
end
return list
`

// ARGV: skew, time for which ended sessions are stored, IDs.
// Reply: for each deleted session that had not expired, its ID and the time since.
//
// A call whose reply was lost is repeated, so live records that an earlier sending
// deleted are returned again. The last 16 IDs that do not exist are stored in n, because
// the creation of such a session may arrive later, and must have no effect. They are
// limited because a client may send any number of old IDs.
const deleteLua = sessionLua + `
local endedFor, ended, never = tonumber(ARGV[2]), {}, words(redis.call('HGET', key, 'n'))
for i = 3, #ARGV do
  local id = ARGV[i]
  delete(id)
  local mark = words(redis.call('HGET', key, id .. 'g'))
  if #mark == 0 and not contains(never, id) then
    table.insert(never, 1, id)
    redis.call('HSET', key, 'n', table.concat(never, ' ', 1, math.min(#never, 16)))
  elseif mark[2] == 'live' and math.abs(now - mark[1]) < endedFor then
    ended[#ended + 1] = {id, math.max(0, now - mark[1])}
  end
end
ifEmptyAtMost(endedFor)
return ended
`

// ARGV: skew, time for which ended sessions are stored, the name of the call, IDs to
// keep.
// Reply: for each deleted session that had not expired, its ID and the time since.
//
// If every reply to a call was lost, the access tokens of the sessions that it ended are
// not revoked. So the next call returns these sessions too, for the time for which ended
// sessions are stored: at most 1000 in all. A retry finds the name of its call in the list,
// even if other calls deleted all sessions since. It must not end the logins since then.
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

// serverLua returns the ID of the Redis process. Another process, such as a
// promoted replica, may lack the writes of this one, and its cursors differ.
// Servers without a run_id count as one.
const serverLua = `
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
`

// errOtherServer is the error of a read in several calls that reached two processes.
var errOtherServer = errors.New("redisauth: the Redis process has changed or was restarted")
