-- lend.lua - lends tokens of one bucket, and takes back what was not spent
--
-- Counts in millionths of a token, and reads no clock: how much has come back is claimed by those who ask, since they
-- were answered last (`claim`), and the largest claim holds. The arithmetic is that of src/core/gate/buckets/limit.rs: `full` is where the
-- bucket will be full again, and what has flowed back by itself is not given a second time.
-- A bucket that is missing is empty, never full; so is one that another run of the server has left, for it may be old.
--
-- KEYS: the bucket. ARGV: tokens of a full bucket, tokens wanted, the server's run, the claim (bucket, parts), what is
-- unspent (tokens, bucket, parts), what was refunded (the same).
-- Answer: tokens lent, tokens left, the bucket, parts that have come back, parts where what was lent will have.

local PART, DAY = 1000000, 86400000
local burst, wanted = tonumber(ARGV[1]) * PART, tonumber(ARGV[2])
local row = redis.call('HMGET', KEYS[1], 'run', 'epoch', 'back', 'full')
local epoch, back, full = tonumber(row[2]), tonumber(row[3]), tonumber(row[4])
if row[1] ~= ARGV[3] or not (epoch and back and full) then
    local time = redis.call('TIME')
    epoch, back, full = time[1] * 1000000 + time[2], 0, burst
end
if tonumber(ARGV[4]) == epoch then
    back = math.max(back, tonumber(ARGV[5]))
end
full = math.min(full, back + burst)
for first = 6, 9, 3 do
    if tonumber(ARGV[first + 1]) == epoch then
        local most = math.max(0, tonumber(ARGV[first + 2]) - back)
        full = full - math.min(most, tonumber(ARGV[first]) * PART)
    end
end
full = math.max(full, back)
local level = math.floor((back + burst - full) / PART)
local lent = math.min(wanted, level)
full = full + lent * PART
redis.call('HSET', KEYS[1], 'run', ARGV[3], 'epoch', string.format('%.0f', epoch),
    'back', string.format('%.0f', back), 'full', string.format('%.0f', full))
redis.call('PEXPIRE', KEYS[1], DAY)
return { lent, level - lent, epoch, back, full }
