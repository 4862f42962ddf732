-- Where a channel is: its epoch, its offset, the bytes of its history, and when its end was last moved on. In front of the scripts that need it.
local function meta_of(key)
  local m = redis.call('GET', key)
  if not m then return nil end
  local e, s, b, x = cmsgpack.unpack(m)
  if type(e) == 'string' and type(s) == 'number' and type(b) == 'number' and type(x) == 'number' then return e, s, b, x end
  error('the position of the channel is something else')
end
