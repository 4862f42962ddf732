-- Says where a channel is, with its newest publications. One that is new begins here, so that its epoch stays the same.
-- KEYS: meta, history
-- ARGV: 1 epoch of a new channel  2 generation  3 seconds that the position is kept  4 most publications  5 most bytes
-- Answers position, offset up to which publications are gone, publications from the oldest to the newest.
local e, s = meta_of(KEYS[1])
if e then
  -- As long as it is read it stays, though nobody publishes.
  redis.call('EXPIRE', KEYS[1], ARGV[3])
else
  e, s = ARGV[1], 0
  redis.call('DEL', KEYS[2])
  redis.call('SET', KEYS[1], cmsgpack.pack(e, 0, 0, 0), 'EX', ARGV[3])
end
local head = e .. '-' .. ARGV[2] .. ':' .. string.format('%.0f', s)
local n = redis.call('LLEN', KEYS[2])
local out = { head, string.format('%.0f', s - n) }
local want, room = tonumber(ARGV[4]), tonumber(ARGV[5])
if want > 0 and n > 0 then
  local l = redis.call('LRANGE', KEYS[2], -want, -1)
  local first = #l + 1
  while first > 1 and room >= #l[first - 1] do
    first = first - 1
    room = room - #l[first]
  end
  for i = first, #l do out[#out + 1] = l[i] end
end
return out
