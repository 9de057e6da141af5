-- Puts a log that was filled aside in the place of a damaged one, if it ends where the log ends. The state stays as it is.
-- KEYS: 1 the state, 2 the log, 3 the log that was filled aside; ARGV: 1 the head that both end with
if (redis.call('HGET', KEYS[1], 'head') or '') ~= ARGV[1] then
  return 0
end
redis.call('RENAME', KEYS[3], KEYS[2])
redis.call('PERSIST', KEYS[2])
return 1
