-- A node says that it is alive, and is told which nodes are.
-- KEYS: 1 the nodes (a sorted set by when they were last heard of); ARGV: 1 this node, 2 how long a word counts, in ms
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('ZADD', KEYS[1], now, ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
