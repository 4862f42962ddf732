-- Says which generation the data is of, and writes it down again where it was flushed with everything else.
-- KEYS: generation
-- ARGV: 1 run id of the server  2 the generation as the caller knows it
local n = redis.call('HGET', KEYS[1], 'n')
if n then return n end
redis.call('HSET', KEYS[1], 'run', ARGV[1], 'n', ARGV[2])
return ARGV[2]
