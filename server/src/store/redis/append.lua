-- Appends entries where the log ends as the caller expects; log, state and head change in one step, or nothing does.
-- KEYS: 1 the state (a hash; its field `head` tells where the log ends), 2 the log (a stream)
-- ARGV: 1 the expected head, 2 how many entries, then each one's id, digest and body;
--       how many fields of the state to set (the new head is one), then field and value of each;
--       then the fields to take out
local actual = redis.call('HGET', KEYS[1], 'head') or ''
if actual ~= ARGV[1] then
  return actual
end
local at = 3
for _ = 1, tonumber(ARGV[2]) do
  redis.call('XADD', KEYS[2], ARGV[at], 'digest', ARGV[at + 1], 'body', ARGV[at + 2])
  at = at + 3
end
-- Lua hands over a limited number of arguments at once.
local last = at + 2 * tonumber(ARGV[at])
at = at + 1
while at <= last do
  local upto = math.min(at + 3999, last)
  redis.call('HSET', KEYS[1], unpack(ARGV, at, upto))
  at = upto + 1
end
while at <= #ARGV do
  local upto = math.min(at + 3999, #ARGV)
  redis.call('HDEL', KEYS[1], unpack(ARGV, at, upto))
  at = upto + 1
end
return redis.status_reply('OK')
