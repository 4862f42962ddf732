-- Reads publications of a channel after one offset, up to another.
-- KEYS: meta, history
-- ARGV: 1 generation  2 epoch with its generation  3 after this offset  4 up to this one  5 most publications  6 most bytes
--       7 '1' for the newest of them, else the oldest
-- Answers position, offset up to which publications are gone, publications from the oldest to the newest; at least one if there is one.
local e, s = meta_of(KEYS[1])
if not e then return { '', '0' } end
local head = e .. '-' .. ARGV[1]
local n = redis.call('LLEN', KEYS[2])
local gone = s - n
local out = { head .. ':' .. string.format('%.0f', s), string.format('%.0f', gone) }
if head ~= ARGV[2] then return out end
local after, last, most, room = tonumber(ARGV[3]), math.min(tonumber(ARGV[4]), s), tonumber(ARGV[5]), tonumber(ARGV[6])
if ARGV[7] == '1' then
  local first = math.max(after + 1, gone + 1, last - most + 1)
  if first > last then return out end
  local l = redis.call('LRANGE', KEYS[2], first - gone - 1, last - gone - 1)
  local from = #l + 1
  while from > 1 and (from == #l + 1 or room >= #l[from - 1]) do
    from = from - 1
    room = room - #l[from]
  end
  for i = from, #l do out[#out + 1] = l[i] end
else
  -- What follows is wanted, or nothing.
  if after < gone then return out end
  last = math.min(last, after + most)
  if after >= last then return out end
  local l = redis.call('LRANGE', KEYS[2], after - gone, last - gone - 1)
  for i = 1, #l do
    if i > 1 and room < #l[i] then break end
    room = room - #l[i]
    out[#out + 1] = l[i]
  end
end
return out
