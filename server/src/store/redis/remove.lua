-- Removes a log, unless it has moved on: it is another one by then.
-- KEYS: 1 the state, 2 the log, 3 the claims; ARGV: 1 the head that the caller knows
if (redis.call('HGET', KEYS[1], 'head') or '') ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
