-- Decides about the limits of a request, all or nothing, in one round trip.
--
-- KEYS[i]   the keys, each of which has some of the limits
-- ARGV[1]   take, peek or refund; reset, whose ARGV[3] is a name; secret
-- ARGV[2]   the time in microseconds; '' for the clock of this server
-- ARGV[3]   the limits, packed: the number of the key, whether it is a shadow,
--           requests, window (ms), cost, phase of its ring (ms), penalty (us),
--           mark (us), name
--
-- Returns for each limit: remaining, wait, reset, mark. All but the first are
-- microseconds; wait is -1 for never.
--
-- A value is a sequence of states, one for each name and window: length, window,
-- kind, end of the penalty (us), name; then for kind 0 the times (us) of up to
-- 128 requests, oldest first, and for kind 1 a ring: number of the current slot,
-- and what was counted in it and in the eight before it.
--
-- This is the kernel of package ratelimit once more (log.go, ring.go and
-- memory.go there), in the same integers, and tested against it. Numbers are
-- packed, since Redis's Lua prints 14 digits of them, and slowly; a - a % b is
-- the floor, without a call. For the same reason there are few functions: a
-- script makes all of them each time.
local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local ms, unpack_, pack = (now - now % 1000) / 1000, struct.unpack, struct.pack
local HEAD, RING, op = '<HI4BdBc0', '<dI4I4I4I4I4I4I4I4I4', ARGV[1]

-- Whether all processes that share a prefix have the same secret.
if op == 'secret' then
  local known = redis.call('GET', KEYS[1])
  if known and known ~= ARGV[3] then return {0} end
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  return {1}
end

-- In a ring, [1] is the slot, [2] the current count, [10] the oldest. Each has
-- a phase of its own, so that not all clients come back at the same time.

-- sinks returns in how many milliseconds no more than room counts.
local function sinks(ring, whole, elapsed, room, w)
  for passed = 0, 8 do
    local oldest = ring[10 - passed]
    if passed > 0 then whole = whole - oldest end
    local left = room - whole
    if left >= 0 then
      local e = 0
      if left < oldest then
        local top = (left + 1) * w - 1
        e = w - (top - top % oldest) / oldest
      end
      if passed == 0 and e < elapsed then e = elapsed end
      if e < w or passed == 8 then return passed * w + e - elapsed end
    end
  end
  return 9 * w - elapsed
end

-- ask returns the verdict on a charge: remaining, wait, reset.
local function ask(s, limit, cost)
  if s.log and limit > 128 then -- it was below
    local w, slot = s.w, (s.ms - s.ms % s.w) / s.w
    local ring = {slot, 0, 0, 0, 0, 0, 0, 0, 0, 0}
    for _, at in ipairs(s.log) do
      local m = (at - at % 1000) / 1000 + s.phase
      local age = slot - (m - m % w) / w
      if age <= 8 then ring[age + 2] = ring[age + 2] + 1 end
    end
    s.log, s.ring = false, ring
  elseif s.ring and limit <= 128 then -- it was above: a request of a slot is at its end
    local newest, room, log = {}, 128, {}
    for age = 0, 8 do
      local n = math.min(s.ring[age + 2], room)
      room = room - n
      local at = math.min(now, ((s.ring[1] - age + 1) * s.w - s.phase) * 1000 - 1)
      for _ = 1, n do newest[#newest + 1] = at end
    end
    for i = #newest, 1, -1 do
      if newest[i] > now - s.window * 1000 then log[#log + 1] = newest[i] end
    end
    s.log, s.ring = log, false
  end
  local remaining, wait, reset = limit, 0, 0
  local log, ring = s.log, s.ring
  if log then
    local n, window = #log, s.window * 1000
    if n > 0 then
      local first = n - limit
      reset = log[first > 0 and first + 1 or 1] + window - now
      remaining = n < limit and limit - n or 0
    end
    if cost > limit then
      wait = -1
    elseif cost > 0 and n + cost > limit then
      wait = log[n + cost - limit] + window - now
    end
    return remaining, wait, reset
  end
  local w, whole = s.w, 0
  local elapsed = s.ms - ring[1] * w
  for i = 2, 9 do whole = whole + ring[i] end
  local part = ring[10] * (w - elapsed)
  remaining = limit - whole - (part - part % w) / w
  if remaining < 0 then remaining = 0 end
  if remaining < limit then reset = sinks(ring, whole, elapsed, limit - remaining - 1, w) * 1000 end
  if cost > limit then
    wait = -1
  elseif cost > remaining then
    wait = sinks(ring, whole, elapsed, limit - cost, w) * 1000
  end
  return remaining, wait, reset
end

-- The states of each key.
local keys, dirty = {}, {}
for k = 1, #KEYS do
  local states, value = {}, redis.call('GET', KEYS[k])
  if value then
    local at, last = 1, #value
    while at <= last do
      local length, window, kind, banned, name, body = unpack_(HEAD, value, at)
      if length < 16 then return redis.error_reply('ERR a value that is not of redislimit') end
      states[#states + 1] = { -- with all fields, so that it is made once
        name = name, window = window, kind = kind, banned = banned, body = body, from = at, to = at + length - 1, value = value,
        log = false, ring = false, dirty = false, w = 0, ms = 0, phase = 0, key = 0, limit = 0, cost = 0,
      }
      at = at + length
    end
  end
  keys[k] = states
end

local limits, out, all, at, last = {}, {}, true, 1, #ARGV[3]
if op == 'reset' then -- one name, in all its windows
  for _, s in ipairs(keys[1]) do
    if s.name == ARGV[3] then s.log, s.banned, s.dirty, dirty[1] = {}, 0, true, true end
  end
  last = 0
end
while at <= last do
  local key, shadow, limit, window, cost, phase, penalty, mark, name
  key, shadow, limit, window, cost, phase, penalty, mark, name, at = unpack_('<BBI4I4I4I4ddBc0', ARGV[3], at)
  local states, s = keys[key], nil
  for i = 1, #states do
    if states[i].window == window and states[i].name == name then s = states[i] end
  end
  local w, m = window + 7, ms + phase
  w = (w - w % 8) / 8

  -- Decode, and bring it to now. A clock that went back, after a failover or by
  -- hand, takes what it finds along, as though the last charge were made now:
  -- nobody gets anything twice, and nobody waits for longer than a window.
  if not s then
    s = {
      name = name, window = window, kind = 0, banned = 0, body = 0, from = 0, to = 0, value = false,
      log = {}, ring = false, dirty = false, w = 0, ms = 0, phase = 0, key = 0, limit = 0, cost = 0,
    }
    states[#states + 1] = s
  elseif s.kind == 0 then
    local n = (s.to + 1 - s.body) / 8
    local log = {unpack_('<' .. string.rep('d', n), s.value, s.body)}
    log[n + 1] = nil -- where it ended
    local ahead = n > 0 and log[n] - now or 0
    if ahead > 0 then
      for i = 1, n do log[i] = log[i] - ahead end
      dirty[key], s.dirty = true, true
    end
    local gone, since = 0, now - window * 1000
    while limit <= 128 and gone < n and log[gone + 1] <= since do gone = gone + 1 end
    if gone > 0 then
      for i = 1, n do log[i] = log[i + gone] end
    end
    s.log = log
  else
    local ring, slot = {unpack_(RING, s.value, s.body)}, (m - m % w) / w
    ring[11] = nil -- where it ended
    local by = slot - ring[1]
    if by < 0 then
      dirty[key], s.dirty = true, true
    elseif by > 0 then
      for i = 10, 2, -1 do ring[i] = i - by >= 2 and ring[i - by] or 0 end
    end
    ring[1], s.ring = slot, ring
  end
  s.w, s.ms, s.phase, s.key, s.limit, s.cost = w, m, phase, key, limit, cost

  if op == 'refund' and mark > 0 then
    if s.ring then
      local then_ = (mark - mark % 1000) / 1000 + phase
      local age = s.ring[1] - (then_ - then_ % w) / w
      if age >= 0 and age <= 8 then s.ring[age + 2] = math.max(0, s.ring[age + 2] - cost) end
    else
      local kept, back = {}, cost
      for _, t in ipairs(s.log) do
        if t == mark and back > 0 then back = back - 1 else kept[#kept + 1] = t end
      end
      s.log = kept
    end
    if s.value then dirty[key], s.dirty = true, true end
  end

  local remaining, wait, reset = ask(s, limit, cost)
  if penalty > 0 then
    if s.banned > now + penalty then s.banned, s.dirty, dirty[key] = now + penalty, true, true end -- the clock, or the penalty, went down
    if s.banned <= now and wait > 0 and op == 'take' then
      s.banned, s.dirty, dirty[key] = now + penalty, true, true -- it begins
    end
    if s.banned > now then
      remaining, reset = 0, s.banned - now > wait and s.banned - now or wait
      if cost > 0 and wait >= 0 then wait = reset end
    end
  end
  all = all and (wait == 0 or shadow == 1)
  local n = #limits + 1
  limits[n] = s
  out[4 * n - 3], out[4 * n - 2], out[4 * n - 1], out[4 * n] = remaining, wait, reset, 0
end
if op == 'peek' then return out end

if op == 'take' and all then
  for n = 1, #limits do
    local s = limits[n]
    local cost = s.cost
    if cost > 0 and out[4 * n - 2] == 0 then
      if s.ring then
        s.ring[2] = s.ring[2] + cost
      else
        local size = #s.log
        for i = size + 1, size + cost do s.log[i] = now end
      end
      local remaining, _, reset = ask(s, s.limit, 0)
      out[4 * n - 3], out[4 * n - 1], out[4 * n] = remaining, reset, now
      s.dirty, dirty[s.key] = true, true
    end
  end
end

-- Write each key once, with its expiry. What nobody asked for, and what has
-- ended, is kept as it is, or left out.
for key in pairs(dirty) do
  local value, ends = {}, now
  for _, s in ipairs(keys[key]) do
    local e, body = s.banned, nil
    if s.ring or not s.log and s.kind == 1 then
      local slot = s.ring and s.ring[1] or unpack_('<d', s.value, s.body)
      local w = s.window + 7
      local ring = (slot + 9) * (w - w % 8) / 8 * 1000
      if ring > e then e = ring end
      if s.dirty and s.ring then body = pack(RING, unpack(s.ring)) end
    else
      local newest = s.log and s.log[#s.log]
      if not s.log and s.to > s.body then newest = unpack_('<d', s.value, s.to - 7) end
      if newest and newest + s.window * 1000 > e then e = newest + s.window * 1000 end
      if s.dirty then body = pack('<' .. string.rep('d', #s.log), unpack(s.log)) end
    end
    if e > now then
      if e > ends then ends = e end
      if s.dirty then
        local name = s.name
        value[#value + 1] = pack('<HI4BdB', 16 + #name + #body, s.window, s.ring and 1 or 0, s.banned, #name) .. name .. body
      elseif s.value then
        value[#value + 1] = string.sub(s.value, s.from, s.to)
      end
    end
  end
  if value[1] then
    local ttl = ends - now + 999
    redis.call('SET', KEYS[key], table.concat(value), 'PX', (ttl - ttl % 1000) / 1000)
  else
    redis.call('DEL', KEYS[key])
  end
end
return out
