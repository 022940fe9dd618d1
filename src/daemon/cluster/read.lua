-- read.lua - what was told since an entry, this one too, and what time it is
--
-- An entry that is longer than any of ours comes as an empty one: who else writes here fills nobody's memory.
--
-- KEYS: the stream. ARGV: the entry's number, how many entries at most, octets of a record at most.
-- Answer: microseconds since 1970, then of each entry its number, who tells it, and the record.

local time = redis.call('TIME')
local answer = { time[1] * 1000000 + time[2] }
local longest = tonumber(ARGV[3])
local entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
for _, entry in ipairs(entries) do
    local fields, machine, record = entry[2], '', ''
    for index = 1, #fields, 2 do
        if fields[index] == 'm' then machine = fields[index + 1] end
        if fields[index] == 'r' then record = fields[index + 1] end
    end
    if #machine > 253 or #record > longest then machine, record = '', '' end
    for _, value in ipairs({ entry[1], machine, record }) do
        table.insert(answer, value)
    end
end
return answer
