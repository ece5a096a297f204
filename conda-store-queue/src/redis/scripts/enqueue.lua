-- Adds a job, or gives the one that is there its interval. ARGV: now, name, due, when the interval would end, and the
-- fields of the hash. 1 where the job is new.
local name, due, interval_ends = ARGV[2], ARGV[3], ARGV[4]
local fields = {unpack(ARGV, 5)}

local job = redis.call('HMGET', jobs .. name, 'priority', 'due', 'every', 'token')
if not job[1] then
    redis.call('HSET', jobs .. name, unpack(fields))
    schedule(name, redis.call('HGET', jobs .. name, 'priority'), due)
    announce()
    return 1
end
if job[3] and interval_ends ~= '' then
    for index = 1, #fields, 2 do
        if fields[index] == 'every' then
            redis.call('HSET', jobs .. name, 'every', fields[index + 1])
        end
    end
    if not job[4] and job[2] > interval_ends then
        redis.call('ZREM', later, name)
        schedule(name, job[1], interval_ends)
        announce()
    end
end
return 0
