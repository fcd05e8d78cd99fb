-- Decides about the limits of a request, all or nothing, in one round trip.
--
-- KEYS[i]   one key for each limit
-- ARGV[1]   take, peek or refund; see the end for secret
-- ARGV[2]   the time in microseconds; '' for the clock of this server
-- ARGV[3..] for each limit: requests, window, cost, penalty, shadow (0 or 1),
--           mark. Window and penalty are milliseconds.
--
-- Returns for each limit: remaining, wait, reset, mark. All but the first are
-- microseconds; wait is -1 for never.
--
-- A key holds one state for each window that it was counted with, which is one
-- but for the time after a deployment that changes it, joined by ";":
--
--   <window>L<penalty's end> [<first> <later - first> ...]   up to 128: times
--   <window>R<penalty's end> <slot> <count> x 9              a ring of eighths
--
-- This is the kernel of package ratelimit once more (log.go, ring.go and
-- memory.go there): the same names, the same integers, tested against it.
-- There are no fractions. Redis's Lua prints 14 digits of a number, so every
-- time goes through int.
local EXACT, SLOTS = 128, 8

local op, now = ARGV[1], tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end

local floor, max, min = math.floor, math.max, math.min
local function int(n) return string.format('%.0f', n) end

-- milliseconds and width of a slot, for rings
local ms = floor(now / 1000)
local function width(window) return floor((window + SLOTS - 1) / SLOTS) end

local function decode(text)
  local window, kind, banned, rest = string.match(text, '^(%d+)(%u)(%d+)(.*)$')
  local s, n = {window = tonumber(window), banned = tonumber(banned)}, {}
  for x in string.gmatch(rest, '%d+') do n[#n + 1] = tonumber(x) end
  if kind == 'L' then
    for i = 2, #n do n[i] = n[i] + n[1] end
    s.log = n
  else
    s.slot, s.counts = n[1], {}
    for i = 0, SLOTS do s.counts[i] = n[i + 2] end
  end
  return s
end

local function encode(s)
  if s.counts then
    return int(s.window) .. 'R' .. int(s.banned) .. ' ' .. int(s.slot) .. ' ' .. table.concat(s.counts, ' ', 0, SLOTS)
  end
  local log, n = s.log, {}
  for i = 2, #log do n[i - 1] = int(log[i] - log[1]) end
  local text = int(s.window) .. 'L' .. int(s.banned)
  if log[1] then text = text .. ' ' .. int(log[1]) end
  if n[1] then text = text .. ' ' .. table.concat(n, ' ') end
  return text
end

-- ending returns when nothing of a state counts any longer.
local function ending(s)
  local e = s.banned
  if s.counts then
    e = max(e, (s.slot + SLOTS + 1) * width(s.window) * 1000)
  elseif s.log[1] then
    e = max(e, s.log[#s.log] + s.window * 1000)
  end
  return e
end

-- load returns the state of a key. A clock that went back, after a failover or
-- by hand, takes what it finds along: as though the last charge were made now.
-- Nobody gets anything twice, and nobody waits for longer than a window.
local function load(key, window)
  local s, rest, last = nil, '', 0
  local value = redis.call('GET', key)
  if value then
    for text in string.gmatch(value, '[^;]+') do
      local x = decode(text)
      if x.window == window then
        s = x
      elseif ending(x) > now then
        rest, last = rest .. ';' .. text, max(last, ending(x))
      end
    end
  end
  s = s or {window = window, banned = 0, log = {}}
  s.rest, s.last, s.found = rest, last, value
  if s.log and s.log[1] then
    local ahead = s.log[#s.log] - now
    if ahead > 0 then
      for i = 1, #s.log do s.log[i] = s.log[i] - ahead end
      s.dirty = true
    end
  elseif s.counts then
    local slot = floor(ms / width(window))
    if s.slot > slot then s.slot, s.dirty = slot, true end
  end
  return s
end

-- save writes a state, with its expiry.
local function save(key, s)
  local ttl = floor((max(ending(s), s.last) - now + 999) / 1000)
  if ttl > 0 then
    redis.call('SET', key, encode(s) .. s.rest, 'PX', int(ttl))
  elseif s.found then
    redis.call('DEL', key)
  end
end

-- drop forgets what has left the window.
local function drop(s)
  local log, n = s.log, 0
  while log[n + 1] and log[n + 1] <= now - s.window * 1000 do n = n + 1 end
  if n > 0 then
    local kept = {}
    for i = n + 1, #log do kept[i - n] = log[i] end
    s.log = kept
  end
end

-- advance moves a ring to the slot of now.
local function advance(s)
  local by = floor(ms / width(s.window)) - s.slot
  if by <= 0 then return end
  s.slot = s.slot + by
  for i = SLOTS, 0, -1 do s.counts[i] = i >= by and s.counts[i - by] or 0 end
end

local function to_ring(s)
  local w = width(s.window)
  s.slot, s.counts = floor(ms / w), {}
  for i = 0, SLOTS do s.counts[i] = 0 end
  for _, at in ipairs(s.log) do
    local age = s.slot - floor(floor(at / 1000) / w)
    if age <= SLOTS then s.counts[age] = s.counts[age] + 1 end
  end
  s.log = nil
end

-- to_log puts each request of a slot at the slot's end.
local function to_log(s)
  advance(s)
  local newest, room = {}, EXACT
  for age = 0, SLOTS do
    local n = min(s.counts[age], room)
    room = room - n
    local at = min(now, (s.slot - age + 1) * width(s.window) * 1000 - 1)
    for _ = 1, n do newest[#newest + 1] = at end
  end
  s.log, s.slot, s.counts = {}, nil, nil
  for i = #newest, 1, -1 do s.log[#s.log + 1] = newest[i] end
end

local function ask_log(s, limit, cost)
  drop(s)
  local log, window = s.log, s.window * 1000
  local n, wait, reset = #log, 0, 0
  if n > 0 then reset = log[max(0, n - limit) + 1] + window - now end
  if cost > limit then
    wait = -1
  elseif cost > 0 and n + cost > limit then
    wait = log[n + cost - limit] + window - now
  end
  return max(0, limit - n), wait, reset
end

-- sinks returns in how many milliseconds no more than room counts.
local function sinks(s, whole, elapsed, room, w)
  for passed = 0, SLOTS do
    local oldest = s.counts[SLOTS - passed]
    if passed > 0 then whole = whole - oldest end
    local left = room - whole
    if left >= 0 then
      local e = 0
      if left < oldest then e = w - floor(((left + 1) * w - 1) / oldest) end
      if passed == 0 then e = max(e, elapsed) end
      if e < w or passed == SLOTS then return passed * w + e - elapsed end
    end
  end
  return SLOTS * w + w - elapsed
end

local function ask_ring(s, limit, cost)
  advance(s)
  local w, whole = width(s.window), 0
  local elapsed, oldest = ms - s.slot * w, s.counts[SLOTS]
  for i = 0, SLOTS - 1 do whole = whole + s.counts[i] end
  local remaining, wait, reset = max(0, limit - whole - floor(oldest * (w - elapsed) / w)), 0, 0
  if remaining < limit then reset = sinks(s, whole, elapsed, limit - remaining - 1, w) * 1000 end
  if cost > limit then
    wait = -1
  elseif cost > remaining then
    wait = sinks(s, whole, elapsed, limit - cost, w) * 1000
  end
  return remaining, wait, reset
end

local function ask(s, limit, cost)
  if limit <= EXACT then
    if s.counts then to_log(s) end
    return ask_log(s, limit, cost)
  end
  if s.log then to_ring(s) end
  return ask_ring(s, limit, cost)
end

-- ban returns the verdict of a penalty that runs.
local function ban(s, cost, wait)
  local reset = max(wait, s.banned - now)
  if cost > 0 and wait >= 0 then wait = reset end
  return 0, wait, reset
end

-- judge returns the verdict on a charge, and begins the penalty of a denial.
local function judge(s, limit, cost, penalty, punish)
  local remaining, wait, reset = ask(s, limit, cost)
  if penalty <= 0 then return remaining, wait, reset end
  if s.banned > now then
    if s.banned > now + penalty then s.banned, s.dirty = now + penalty, true end -- the clock, or the penalty, went down
    return ban(s, cost, wait)
  end
  if punish and wait > 0 then
    s.banned, s.dirty = now + penalty, true
    return ban(s, cost, wait)
  end
  return remaining, wait, reset
end

local function charge(s, cost)
  if s.counts then
    s.counts[0] = s.counts[0] + cost
  else
    for _ = 1, cost do s.log[#s.log + 1] = now end
  end
  s.dirty = true
end

local function give_back(s, at, cost)
  if s.counts then
    local age = s.slot - floor(floor(at / 1000) / width(s.window))
    if age >= 0 and age <= SLOTS then s.counts[age] = max(0, s.counts[age] - cost) end
  else
    local kept = {}
    for _, t in ipairs(s.log) do
      if t == at and cost > 0 then cost = cost - 1 else kept[#kept + 1] = t end
    end
    s.log = kept
  end
  s.dirty = true
end

-- Whether all processes that share this prefix have the same secret.
if op == 'secret' then
  local known = redis.call('GET', KEYS[1])
  if known and known ~= ARGV[3] then return {0} end
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  return {1}
end

local out, states, all = {}, {}, true
for i = 1, #KEYS do
  local a = 6 * i - 3
  local limit, cost, penalty, mark = tonumber(ARGV[a]), tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]) * 1000, tonumber(ARGV[a + 5])
  local s = load(KEYS[i], tonumber(ARGV[a + 1]))
  states[i] = s
  if op == 'refund' and mark > 0 and s.found then give_back(s, mark, cost) end
  local remaining, wait, reset = judge(s, limit, cost, penalty, op == 'take')
  all = all and (wait == 0 or ARGV[a + 4] == '1')
  out[4 * i - 3], out[4 * i - 2], out[4 * i - 1], out[4 * i] = remaining, wait, reset, 0
end
if op == 'peek' then return out end
for i = 1, #KEYS do
  local a = 6 * i - 3
  local limit, cost, s = tonumber(ARGV[a]), tonumber(ARGV[a + 2]), states[i]
  if op == 'take' and all and cost > 0 and out[4 * i - 2] == 0 then
    charge(s, cost)
    local remaining, _, reset = ask(s, limit, 0)
    out[4 * i - 3], out[4 * i - 1], out[4 * i] = remaining, reset, now
  end
  if s.dirty then save(KEYS[i], s) end
end
return out
