-- Adds a job, or gives the one that is there its interval. ARGV: now, name, due, when the interval would end, 1 where it
-- belongs to a group and 0 otherwise, the limit of that group ('' for none), and the fields of the hash. 1 where the job is new.
local name, due, interval_ends, has_group, limit = ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1', ARGV[6]
local fields = {unpack(ARGV, 7)}
local new = {}
for index = 1, #fields, 2 do
    new[fields[index]] = fields[index + 1]
end

if has_group then
    if limit == '' then
        redis.call('HDEL', limits, new.group)
    else
        redis.call('HSET', limits, new.group, limit)
    end
end
local job = redis.call('HMGET', jobs .. name, 'priority', 'due', 'every', 'token', 'group')
if not job[1] then
    redis.call('HSET', jobs .. name, unpack(fields))
    schedule(name, new.priority, due, new.group)
    announce()
    return 1
end
if job[3] and interval_ends ~= '' then
    redis.call('HSET', jobs .. name, 'every', new.every)
    if not job[4] and job[2] > interval_ends then
        redis.call('ZREM', later, name)
        schedule(name, job[1], interval_ends, job[5])
        announce()
    end
end
return 0
