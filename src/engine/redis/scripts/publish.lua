-- Gives a publication its position, keeps it, and sends it to every node that reads the channel: all of it, or nothing.
-- KEYS: meta, history, idempotency record
-- ARGV: 1 body  2 feed  3 most publications  4 most bytes  5 seconds that the history is kept  6 seconds that the position is kept
--       7 epoch of a new channel  8 generation  9 milliseconds that the key is kept, or ''  10 fingerprint
--       11 milliseconds since 1970 after which it is too late  12 ticket of one that may have been published before, or ''
local t = redis.call('TIME')
if t[1] * 1000 + math.floor(t[2] / 1000) > tonumber(ARGV[11]) then return 'L' end
if ARGV[9] ~= '' then
  local r = redis.call('GET', KEYS[3])
  if r then return 'K' .. r end
end
local m = redis.call('HMGET', KEYS[1], 'e', 's', 'b', 'x')
local e, s, b, x = m[1], m[2], m[3], m[4]
if not e then
  e, s, b = ARGV[7], 0, 0
  redis.call('DEL', KEYS[2])
end
local head = e .. '-' .. ARGV[8] .. ':'
if ARGV[12] ~= '' then
  local l = redis.call('LRANGE', KEYS[2], -128, -1)
  for i = #l, 1, -1 do
    local at = string.find(l[i], ' ', 1, true)
    if string.sub(l[i], at + 2, at + 17) == ARGV[12] then return 'P' .. head .. string.match(l[i], ':(%d+) ') end
  end
end
s = string.format('%.0f', s + 1)
local entry = head .. s .. ' ' .. ARGV[1]
local most = tonumber(ARGV[3])
if most > 0 then
  local most_bytes = tonumber(ARGV[4])
  local n = redis.call('RPUSH', KEYS[2], entry)
  -- A list that has expired or was evicted begins anew.
  if n == 1 then b = 0 end
  b = b + #entry
  while n > 0 and (n > most or b > most_bytes) do
    b = b - #redis.call('LPOP', KEYS[2])
    n = n - 1
  end
elseif tonumber(b) > 0 then
  -- The history has no holes: what is not kept ends what was.
  redis.call('DEL', KEYS[2])
  b = 0
end
-- Their ends are moved on now and then, so that neither ends too early.
local slack = math.floor(ARGV[5] / 16)
if not x or t[1] - x >= slack then
  redis.call('HSET', KEYS[1], 'e', e, 's', s, 'b', string.format('%.0f', b), 'x', t[1])
  redis.call('EXPIRE', KEYS[1], ARGV[6] + slack + 1)
  redis.call('EXPIRE', KEYS[2], ARGV[5] + slack + 1)
else
  redis.call('HSET', KEYS[1], 'e', e, 's', s, 'b', string.format('%.0f', b))
end
redis.call('PUBLISH', ARGV[2], entry)
if ARGV[9] ~= '' then redis.call('SET', KEYS[3], head .. s .. ' ' .. ARGV[10], 'PX', ARGV[9]) end
return 'P' .. head .. s
