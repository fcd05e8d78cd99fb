-- Makes decisions about limits. A decision charges all of its limits or none.
--
-- KEYS[k]  the keys
-- ARGV[1]  packed: the time d in microseconds, 0 for the clock of this server; then a
--          record for each limit, the records of a decision after each other, and in
--          a decision those of a key:
--            key H       its number
--            flags B     4 * operation + 2 if the decision ends here + 1 for a shadow
--                        operation: 0 take, 1 peek, 2 refund, 3 reset
--            id H        of the limit within its key
--            limit I4, window I4 (ms), cost I4, penalty d (us), mark d (us)
--            life Bc0    of the key in milliseconds, as text
--
-- Returns a string for each decision, or the string alone if there is one decision:
-- for each limit remaining, wait, reset and mark, as doubles; all but the first in
-- microseconds, and wait -1 for never. A decision that failed alone is an error text
-- after a '!', with which no decision begins: its first byte is 0, since remaining is
-- below 2^32.
--
-- The value of a key is a sequence of states, one for each id and window:
--            length H, id H, window I4 (ms)
--            banned d    end of the penalty (us)
--            newest d    time of the newest charge (us), began d of its run's first one
--            total I4    charges in all runs, count I4 in the newest
--            then the other runs, oldest first: tick I4 of the last charge, count I4
-- A tick is a microsecond, or a millisecond for windows above 71 minutes, modulo 2^32 and
-- rounded up.
--
-- This is runs.go of package ratelimit once more, in the same integers, and tested
-- against it. A call of a function costs more here than what most of them do: so there
-- are few, all in one loop, and only the oldest run is unpacked. A decision is first made
-- as though it charges all of its limits, and these were alone in their key; if
-- something else happens, it is made again, carefully.
local unpack, pack, sub, concat = struct.unpack, struct.pack, string.sub, table.concat
local call, try = redis.call, redis.pcall
local RECORD, HEAD, RUN, REPLY = '<HBHI4I4I4ddBc0', '<HHI4dddI4I4', '<I4I4', '<dddd'
local LONGEST = 1099511627776 -- of a key, in ms, if a damaged value says more, or no number
local FOREIGN = 'ERR a value that is not of redislimit'
local blob = ARGV[1]
local now, at = unpack('<d', blob)
local stop = #blob
if now == 0 then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local values, lives, broken = {nil}, false, false -- by number of the key
local reply, replies = '', false -- of one decision, of several
-- Of a decision: its first record, whether it is made carefully, its limits so far,
-- whether all allow, and its error.
local start, careful, n, all, failed = at, false, 0, true, false
-- Of a decision that is not made carefully: whether it still may, the new value, and
-- the size of the states in it before.
local plain, value, covered = true, '', 0
local number, p = 0, 1 -- the last key, and where its next state is expected
local S = false -- of a careful decision, 12 fields for each limit
while at <= stop do
  local k, flags, id, limit, window, cost, penalty, mark, life
  k, flags, id, limit, window, cost, penalty, mark, life, at = unpack(RECORD, blob, at)
  local take = flags < 4
  local v = values[k]
  if v == nil then
    v = try('GET', KEYS[k])
    if v and v.err then
      broken = broken or {}
      broken[k], v = v.err, false
    end
    values[k] = v
  end
  if broken and broken[k] then failed = broken[k] end
  if k ~= number then
    if n > 0 then plain = false end
    p, number = 1, k
    while careful and v and p <= #v and not failed do -- all states, also those that nobody asks for
      local length = #v - p < 39 and 0 or unpack('<H', v, p)
      if length < 40 or length > #v - p + 1 or length % 8 ~= 0 then failed = FOREIGN end
      p = p + length
    end
    p = 1
  end

  -- The state of this limit, which usually is the next one.
  local from, size, b, to = 0, 0, 1, 0 -- of the state in the value; of its runs in v
  local banned, newest, began, total, count = 0, 0, 0, 0, 0
  if v then
    local last, again = #v, p > 1
    while true do
      if p > last then
        if not again then break end
        p, again = 1, false
      end
      if last - p < 39 then failed = FOREIGN break end
      local length, name, w
      length, name, w, banned, newest, began, total, count, b = unpack(HEAD, v, p)
      if length < 40 or length > last - p + 1 or length % 8 ~= 0 then failed = FOREIGN break end
      p = p + length
      if name == id and w == window then
        from, size, to = p - length, length, p - 1
        break
      end
    end
    if size == 0 then b, banned, newest, began, total, count = 1, 0, 0, 0, 0, 0 end
  end

  local W, since = window * 1000, now - window * 1000
  local tick, ticks, present = 1, newest, now -- the ticks of newest and of now
  if W >= 4294967295 then
    tick, ticks, present = 1000, (newest - newest % 1000) / 1000, (now - now % 1000) / 1000
  end
  local changed = false -- although nothing is charged
  if newest > now and total > 0 then
    -- The clock went back, after a failover or by hand: the runs go back with it.
    local ahead, runs = ticks - present, {}
    for i = b, to, 8 do
      local last, c = unpack(RUN, v, i)
      runs[#runs + 1] = pack(RUN, (last - ahead) % 4294967296, c)
    end
    v = concat(runs)
    b, to, newest, ticks, began, changed = 1, #v, now, present, began + now - newest, true
  end
  local first, c = newest, count -- the oldest run
  if newest <= since then
    total, count, b = 0, 0, to + 1
  elseif b <= to then
    first, c = unpack(RUN, v, b)
    first = (ticks - (ticks - first) % 4294967296) * tick
    while first <= since do
      total, b = total - c, b + 8
      if b > to then first, c = newest, count break end
      first, c = unpack(RUN, v, b)
      first = (ticks - (ticks - first) % 4294967296) * tick
    end
  end

  if flags >= 8 and flags < 12 and mark > 0 then
    if mark > since and mark <= newest and total > 0 then
      -- The run that has the charge is the first whose last charge is not before it.
      local i, run, m = to + 1, 0, 0
      while i > b do
        local last, c = unpack(RUN, v, i - 8)
        if (ticks - (ticks - last) % 4294967296) * tick < mark then break end
        i, run, m = i - 8, last, c
      end
      if i > to then
        if cost > count then cost = count end
        count = count - cost
      else
        if cost > m then cost = m end
        v = sub(v, b, i - 1) .. (m > cost and pack(RUN, run, m - cost) or '') .. sub(v, i + 8, to)
        b, to = 1, #v
      end
      total, changed = total - cost, true
      if b <= to then
        first, c = unpack(RUN, v, b)
        first = (ticks - (ticks - first) % 4294967296) * tick
      else
        first, c = newest, count
      end
    end
  end

  -- The verdict: what remains, the time until the charge is allowed, and until more
  -- remains.
  local remaining, wait, reset = limit - total, 0, 0
  if remaining < 0 then remaining = 0 end
  local excess = cost > 0 and total + cost - limit or 0
  if cost > limit then wait, excess = -1, 0 end
  if total > 0 then
    local need = total > limit and total - limit + 1 or 1
    reset = first + W - now
    if need > c or excess > 0 then
      -- The runs with which need and excess charges have left.
      local i, left, seen = b, 0, newest
      if excess <= 0 then excess = false end
      while need or excess do
        if i <= to then
          seen, c = unpack(RUN, v, i)
          seen, left, i = (ticks - (ticks - seen) % 4294967296) * tick, left + c, i + 8
        else
          seen, left = newest, total + cost
        end
        if need and left >= need then reset, need = seen + W - now, false end
        if excess and left >= excess then wait, excess = seen + W - now, false end
      end
    end
  end
  if penalty > 0 then
    if banned > now + penalty then banned, changed = now + penalty, true end -- the clock, or the penalty, went down
    if banned <= now and wait > 0 and take then banned, changed = now + penalty, true end -- it begins
    if banned > now then
      remaining, reset = 0, banned - now > wait and banned - now or wait
      if cost > 0 and wait >= 0 then wait = reset end
    end
  elseif banned > now then
    plain = false -- of a process with a penalty: the key must live as long
  end
  if wait ~= 0 and flags % 2 == 0 then all = false end
  n = n + 1

  -- The state after the charge.
  local new, after = false, 0
  if changed then plain = false end
  if take and cost > 0 and wait == 0 then
    local old = b <= to and sub(v, b, to) or ''
    local q = limit + 127
    q = (q - q % 128) / 128
    if count == 0 then
      new = pack(HEAD, 40 + #old, id, window, banned, now, now, total + cost, cost) .. old
      after = old == '' and W or reset
    elseif ticks == present or count < q and now - began < W / 32 then
      new = pack(HEAD, 40 + #old, id, window, banned, now, began, total + cost, count + cost) .. old
      after = old == '' and W or reset
    else
      if #old >= 3072 then -- refunds have hollowed out runs: neighbors are merged
        local runs, run, m = {}, unpack(RUN, old)
        for i = 9, #old, 8 do
          local last, c = unpack(RUN, old, i)
          if m + c > q then
            runs[#runs + 1] = pack(RUN, run, m)
            m = 0
          end
          run, m = last, m + c
        end
        runs[#runs + 1] = pack(RUN, run, m)
        old = concat(runs)
        first = unpack(RUN, old)
        reset = (ticks - (ticks - first) % 4294967296) * tick + W - now
      end
      local last = (newest + -newest % tick) / tick -- rounded up: it must not leave early
      new = pack(HEAD, 48 + #old, id, window, banned, now, now, total + cost, cost) .. old .. pack(RUN, last % 4294967296, count)
      after = old == '' and last * tick + W - now or reset
    end
  else
    plain = false
  end

  if flags >= 12 then
    -- Reset: all windows of the limit go. What is left lives as long as it would.
    local kept, ends, was = '', now, values[k] or ''
    local i = 1
    while i <= #was and not failed do
      if #was - i < 39 then failed = FOREIGN break end
      local length, name, w, ban, last = unpack(HEAD, was, i)
      if length < 40 or length > #was - i + 1 then failed = FOREIGN break end
      last = last + w * 1000
      if ban > last then last = ban end
      if name ~= id and last > now then
        kept = kept .. sub(was, i, i + length - 1)
        if last > ends then ends = last end
      end
      i = i + length
    end
    if was ~= '' and not failed then
      values[k], lives = kept, lives or {nil}
      lives[k] = (ends - now - (ends - now) % 1000) / 1000 + 2
      if not (lives[k] < LONGEST) then lives[k] = LONGEST end
    end
  elseif careful then
    local ends = (new and now or newest) + W
    if banned > ends then ends = banned end
    local altered = false
    if flags >= 8 and changed and total == 0 and banned <= now then
      altered = '' -- all was refunded
    elseif changed and (flags < 4 or flags >= 8) then
      local old = b <= to and sub(v, b, to) or ''
      altered = pack(HEAD, 40 + #old, id, window, banned, newest, began, total, count) .. old
    end
    local y = 11 * (n - 1)
    S[y + 1], S[y + 2], S[y + 3], S[y + 4], S[y + 5], S[y + 6] = k, from, size, new, altered, ends
    S[y + 7], S[y + 8], S[y + 9], S[y + 10], S[y + 11] = remaining, wait, reset, after, cost
  elseif plain then
    value, covered = n == 1 and new or value .. new, covered + size
    reply = reply .. pack(REPLY, remaining - cost, 0, after, now)
  end

  if flags % 4 >= 2 then -- the decision ends here
    local done = true
    if failed then
      reply = '!' .. failed
    elseif flags >= 12 then
      reply = ''
    elseif not careful and plain and all and covered == (values[k] and #values[k] or 0) then
      values[k], lives = value, lives or {nil}
      lives[k] = life
    elseif not careful then
      at, careful, reply, done = start, true, '', false
      S = S or {}
    else
      local charge, i = take and all, 0
      while i < n do
        local y = 11 * i
        local key, kept, used, write, ends = S[y + 1], '', 0, false, now
        local was, mine = values[key], i
        while i < n and S[y + 1] == key do
          local remaining, reset, mark, state = S[y + 7], S[y + 9], 0, S[y + 5]
          if charge and S[y + 4] then remaining, reset, mark, state = remaining - S[y + 11], S[y + 10], now, S[y + 4] end
          reply = reply .. pack(REPLY, remaining, S[y + 8], reset, mark)
          if state then
            kept, write = kept .. state, true
          elseif S[y + 3] > 0 then
            kept = kept .. sub(was, S[y + 2], S[y + 2] + S[y + 3] - 1)
          end
          used = used + S[y + 3]
          if (state or S[y + 3] > 0) and S[y + 6] > ends then ends = S[y + 6] end
          i, y = i + 1, y + 11
        end
        if write then
          local q = 1
          while was and used < #was and q <= #was do -- states that nobody asked for
            local length, _, w, ban, last = unpack(HEAD, was, q)
            last = last + w * 1000
            if ban > last then last = ban end
            for j = mine, i - 1 do
              if S[11 * j + 2] == q then last = 0 end
            end
            if last > now then
              kept = kept .. sub(was, q, q + length - 1)
              if last > ends then ends = last end
            end
            q = q + length
          end
          values[key], lives = kept, lives or {nil}
          lives[key] = (ends - now - (ends - now) % 1000) / 1000 + 2
          if not (lives[key] < LONGEST) then lives[key] = LONGEST end
        end
      end
    end
    if done then
      if replies or at <= stop then
        replies = replies or {}
        replies[#replies + 1], reply = reply, ''
      end
      careful, start = false, at
    end
    n, all, failed, plain, value, covered, number = 0, true, false, true, '', 0, 0
  end
end
if lives then
  for k = 1, #KEYS do
    if lives[k] then
      if values[k] == '' then
        call('DEL', KEYS[k])
      else
        call('SET', KEYS[k], values[k], 'PX', lives[k])
      end
    end
  end
end
return replies or reply
