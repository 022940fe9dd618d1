-- announce.lua - says that a machine is there, and who else is
--
-- The machine that has a name first keeps it until it is silent for so long that it must be gone.
--
-- KEYS: the machines. ARGV: this one's name, its process, its version, its list of machines (a hash), milliseconds of
-- silence after which a name is free. With the name alone, and the process: it leaves.
-- Answer: whether the name is ours (1 or 0), then of each machine its name, milliseconds since it was here, version, list.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local DAY = 86400000

local function parts(text)
    return string.match(text, '^(%S+) (%d+) (%S+) (%S+)$')
end

local held = redis.call('HGET', KEYS[1], ARGV[1])
local process, seen = parts(held or '')
local ours = not process or process == ARGV[2]
if #ARGV == 2 then
    if ours then redis.call('HDEL', KEYS[1], ARGV[1]) end
    return {}
end
if not ours and math.abs(now - tonumber(seen)) >= tonumber(ARGV[5]) then
    ours = true
end
if ours then
    local text = string.format('%s %.0f %s %s', ARGV[2], now, ARGV[3], ARGV[4])
    redis.call('HSET', KEYS[1], ARGV[1], text)
end
redis.call('PEXPIRE', KEYS[1], DAY)
local answer = { ours and 1 or 0 }
local all = redis.call('HGETALL', KEYS[1])
for index = 1, #all, 2 do
    local _, at, version, list = parts(all[index + 1])
    local silent = at and math.max(0, now - tonumber(at))
    if not at or silent > DAY then
        redis.call('HDEL', KEYS[1], all[index])
    else
        for _, value in ipairs({ all[index], silent, version, list }) do
            table.insert(answer, value)
        end
    end
end
return answer
