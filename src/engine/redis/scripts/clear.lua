-- Empties a history; the position stays.
-- KEYS: meta, history
-- ARGV: 1 feed  2 generation
-- Answers the position, or '' for a channel that there is not.
local e, s, _, x = meta_of(KEYS[1])
if not e then return '' end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], cmsgpack.pack(e, s, 0, x), 'KEEPTTL')
local head = e .. '-' .. ARGV[2] .. ':' .. string.format('%.0f', s)
redis.call('PUBLISH', ARGV[1], head .. ' C')
return head
