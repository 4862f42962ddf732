-- Whether this server follows another now, and by which promotion it takes writes: '' where it was never a replica, or does not
-- say. One that becomes a primary begins a replication id, and says beside it which it followed before. In front of the scripts
-- that need it.
local function promotion_of()
  local about = redis.pcall('INFO', 'replication')
  if type(about) ~= 'string' then return false, '' end
  local id, followed = string.match(about, 'master_replid:(%x+)'), string.match(about, 'master_replid2:(%x+)')
  local is_promoted = id and followed and not string.match(followed, '^0+$')
  return string.match(about, 'role:slave') ~= nil, is_promoted and id or ''
end
