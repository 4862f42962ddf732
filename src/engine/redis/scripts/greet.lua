-- Says which generation the data is of. A process that started since, or that copied another server meanwhile, may have forgotten
-- what it had answered: unless the operator vouches for it, positions are of a new generation from then on, a random one, since
-- what is restored may have forgotten its last.
-- KEYS: generation
-- ARGV: 1 run id of the server  2 '1' when the operator vouches  3 a random number
local g = redis.call('HMGET', KEYS[1], 'run', 'n', 'promotion')
local _, promotion = promotion_of()
local is_known = promotion == '' or promotion == g[3]
if g[1] == ARGV[1] and is_known then return g[2] end
redis.call('HSET', KEYS[1], 'run', ARGV[1], 'promotion', promotion)
if g[1] and ARGV[2] == '1' then return g[2] end
redis.call('HSET', KEYS[1], 'n', ARGV[3])
return ARGV[3]
