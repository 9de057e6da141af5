-- Shows that the store takes what an append writes: a stream and a hash, in a script. Nothing is kept.
-- KEYS: 1 a stream, 2 a hash; ARGV: 1 this node
redis.call('XADD', KEYS[1], 'MAXLEN', 1, '*', 'node', ARGV[1])
redis.call('PEXPIRE', KEYS[1], 10000)
redis.call('HSET', KEYS[2], 'node', ARGV[1])
redis.call('PEXPIRE', KEYS[2], 10000)
return redis.status_reply('OK')
