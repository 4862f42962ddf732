-- Gives publications their positions, keeps each, and sends it to every node that reads its channel: all of one, or nothing of it.
-- KEYS: of each publication its meta and its history, and if it has a key, its idempotency record
-- ARGV: 1 generation; then of each publication its body, its feed, and packed:
--       most publications, most bytes, seconds after which their ends are moved on, seconds that the history is kept, seconds that
--       the position is kept, milliseconds since 1970 after which it is too late, epoch of a new channel, milliseconds that its key is
--       kept or 0, fingerprint, '' or the ticket of one that may have been published before, '' or the position that it is to
--       follow, whether the data may lack what it had when that one was asked for first
-- Answers of each: 'P' position, 'K' record, 'M' position where the channel is instead, 'L' too late, 'U' it cannot be known whether
-- it was published before, 'E' error
local call, find, format, match, sub = redis.call, string.find, string.format, string.match, string.sub
local pack, unpack = cmsgpack.pack, cmsgpack.unpack
local t = call('TIME')
local now_s, now_ms = tonumber(t[1]), t[1] * 1000 + math.floor(t[2] / 1000)
-- By how much the clocks of publishers may differ for what is read from the times of their publications.
local CLOCKS_MS, AT_ONCE = 1000, 128

-- The shorter way to write an offset holds 31 bits wherever Redis runs.
local function written(s)
  return format(s < 2147483648 and '%d' or '%.0f', s)
end

-- The offset of the publication with this ticket, or 'U' if it may have been there, and is gone; nil if it was never there.
local function looked_up(history, s, ticket, body)
  local n = call('LLEN', history)
  local last, at_ms = n, struct.unpack('<I8', body, 18)
  while last > 0 do
    local first = math.max(last - AT_ONCE + 1, 1)
    local l = call('LRANGE', history, first - 1, last - 1)
    for i = #l, 1, -1 do
      local space = find(l[i], ' ', 1, true)
      if space and sub(l[i], space + 2, space + 17) == ticket then return match(l[i], ':(%d+) ') end
    end
    local space = find(l[1], ' ', 1, true)
    -- Whatever is before this was published before that one came.
    if space and #l[1] >= space + 25 and struct.unpack('<I8', l[1], space + 18) + CLOCKS_MS < at_ms then return nil end
    last = first - 1
  end
  return n < s and 'U' or nil
end

local function publish(meta, history, record, body, feed, count, bytes, slack, history_s, position_s, till, fresh, key_ms, fingerprint, ticket, follows, lost)
  local late = now_ms > till
  if late and ticket == '' then return 'L' end
  if record then
    local r = call('GET', record)
    if r then return 'K' .. r end
  end
  local e, s, b, x = meta_of(meta)
  if not e then
    e, s, b, x = fresh, 0, 0, 0
    call('DEL', history)
  end
  local head = e .. '-' .. ARGV[1] .. ':'
  -- What has a key has a record, if it was published.
  if ticket ~= '' and not record then
    local offset = looked_up(history, s, ticket, body)
    if offset == 'U' or (lost and not offset) then return 'U' end
    if offset then return 'P' .. head .. offset end
  end
  if late then return 'L' end
  if follows ~= '' then
    local at = head .. written(s)
    if follows ~= at then
      -- From now on the channel has this epoch, so that the next publication can follow it.
      if s == 0 and b == 0 and x == 0 then call('SET', meta, pack(e, s, b, now_s), 'EX', position_s) end
      return 'M' .. at
    end
  end
  s = s + 1
  local place = head .. written(s)
  local entry = place .. ' ' .. body
  if count > 0 then
    local n = call('RPUSH', history, entry)
    -- A list that has expired or was evicted begins anew.
    if n == 1 then b = 0 end
    b = b + #entry
    while n > 0 and (n > count or b > bytes) do
      b = b - #call('LPOP', history)
      n = n - 1
    end
  elseif b > 0 then
    -- The history has no holes: what is not kept ends what was.
    call('DEL', history)
    b = 0
  end
  -- Their ends are moved on now and then, so that neither ends too early.
  if now_s - x >= slack then
    call('SET', meta, pack(e, s, b, now_s), 'EX', position_s)
    call('EXPIRE', history, history_s)
  else
    call('SET', meta, pack(e, s, b, x), 'KEEPTTL')
  end
  call('PUBLISH', feed, entry)
  if record then call('SET', record, place .. ' ' .. fingerprint, 'PX', key_ms) end
  return 'P' .. place
end

local out, k = {}, 1
for a = 2, #ARGV, 3 do
  local count, bytes, slack, history_s, position_s, till, fresh, key_ms, fingerprint, ticket, follows, lost = unpack(ARGV[a + 2])
  local record = key_ms > 0 and KEYS[k + 2] or nil
  local done, answer = pcall(publish, KEYS[k], KEYS[k + 1], record, ARGV[a], ARGV[a + 1],
    count, bytes, slack, history_s, position_s, till, fresh, key_ms, fingerprint, ticket, follows, lost)
  out[#out + 1] = done and answer or 'E' .. (type(answer) == 'table' and answer.err or tostring(answer))
  k = k + (record and 3 or 2)
end
return out
