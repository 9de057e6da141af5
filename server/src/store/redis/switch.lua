-- Puts a log that was filled aside in the place of the old one, in one step.
-- KEYS: 1 the state, 2 the log, 3 the claims, 4 the state and 5 the log that were filled aside
-- ARGV: 1 the node that fills, or nothing where no claim is needed
if ARGV[1] ~= '' and redis.call('HGET', KEYS[3], 'filler') ~= ARGV[1] then
  return 0
end
redis.call('RENAME', KEYS[5], KEYS[2])
redis.call('RENAME', KEYS[4], KEYS[1])
redis.call('PERSIST', KEYS[2])
redis.call('PERSIST', KEYS[1])
redis.call('DEL', KEYS[3])
return 1
