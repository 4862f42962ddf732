-- Empties a history; the position stays.
-- KEYS: meta, history
-- ARGV: 1 feed  2 generation
-- Answers the position, or '' for a channel that there is not.
local m = redis.call('HMGET', KEYS[1], 'e', 's')
if not m[1] then return '' end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'b', 0)
local head = m[1] .. '-' .. ARGV[2] .. ':' .. m[2]
redis.call('PUBLISH', ARGV[1], head .. ' C')
return head
