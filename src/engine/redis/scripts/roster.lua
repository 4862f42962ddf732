-- Says that a node is there, for as long as its lease, and which others are.
-- KEYS: nodes, this node
-- ARGV: 1 its id  2 what it says of itself  3 milliseconds that it holds  4 what the keys of nodes begin with
-- Answers what each node says of itself. Those whose lease is over are forgotten.
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[1], ARGV[1])
local out = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local said = redis.call('GET', ARGV[4] .. id)
  if said then out[#out + 1] = said else redis.call('SREM', KEYS[1], id) end
end
return out
