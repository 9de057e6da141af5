-- A node's part in filling a lost log again. The first to come opens a window, in which no append can succeed; every node
-- claims with what it knows; when the window closes, the highest claim fills the log. One that dies over it is given up, and the
-- window opens again.
-- KEYS: 1 the state, 2 the claims (a hash)
-- ARGV: 1 this node, 2 its claim (texts of equal length that sort as the claims do; empty for a node that knows nothing),
--       3 the head that it saw, 4 the length of the window in ms, 5 how long a node that fills may be silent, in ms
-- Answers: `moved` (the log is not as it was seen), `open`, `wait`, `fill` (this node is to fill it).
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local head = redis.call('HGET', KEYS[1], 'head') or ''
local opened = tonumber(redis.call('HGET', KEYS[2], 'opened') or nil)
if head ~= 'reseeding' then
  if head ~= ARGV[3] or ARGV[2] == '' then
    return 'moved'
  end
  redis.call('HSET', KEYS[1], 'head', 'reseeding')
  opened = nil
end
local filler = redis.call('HGET', KEYS[2], 'filler') or nil
local beat = tonumber(redis.call('HGET', KEYS[2], 'beat') or nil) or now
local is_overdue = opened and not filler and now - opened > tonumber(ARGV[4]) + tonumber(ARGV[5])
if not opened or is_overdue or (filler and now - beat > tonumber(ARGV[5])) then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'opened', now)
  opened, filler = now, nil
end
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[2], 'claim:' .. ARGV[1], ARGV[2])
end
if now - opened < tonumber(ARGV[4]) then
  return 'open'
end
if not filler then
  local highest = ''
  local claims = redis.call('HGETALL', KEYS[2])
  for at = 1, #claims, 2 do
    if string.sub(claims[at], 1, 6) == 'claim:' and claims[at + 1] > highest then
      highest, filler = claims[at + 1], string.sub(claims[at], 7)
    end
  end
  if filler ~= ARGV[1] then
    return 'wait'
  end
  redis.call('HSET', KEYS[2], 'filler', filler)
end
if filler ~= ARGV[1] then
  return 'wait'
end
redis.call('HSET', KEYS[2], 'beat', now)
return 'fill'
