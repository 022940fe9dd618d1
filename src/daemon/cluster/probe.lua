-- probe.lua - whether the store takes what is written, and what time it is
--
-- KEYS: a key of its own. ARGV: milliseconds for which it stays.
-- Answer: microseconds since 1970.

redis.call('HSET', KEYS[1], 'asked', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
local time = redis.call('TIME')
return time[1] * 1000000 + time[2]
