-- Says which generation the data is of, and writes it down again where it was flushed with everything else. An error where this
-- server is no primary, or has been none meanwhile.
-- KEYS: generation
-- ARGV: 1 run id of the server  2 the generation as the caller knows it
local is_replica, promotion = promotion_of()
if is_replica then return redis.error_reply('READONLY it has become a replica') end
local g = redis.call('HMGET', KEYS[1], 'n', 'promotion')
if not g[1] then
  redis.call('HSET', KEYS[1], 'run', ARGV[1], 'n', ARGV[2], 'promotion', promotion)
  return ARGV[2]
end
if promotion ~= '' and promotion ~= g[2] then return redis.error_reply('READONLY it was a replica meanwhile') end
return g[1]
