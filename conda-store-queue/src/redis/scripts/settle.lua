-- Ends a lease, unless the job changed since its holder read the fields that decide what becomes of it. ARGV: now, name,
-- token, interval and cancellation as they were read, when it is due again ('' where it is gone), attempt, handed back.
-- 1 where that is done, 0 where the job changed, nothing where it is no longer held.
local name, every, canceled, due = ARGV[2], ARGV[4], ARGV[5], ARGV[6]
if not is_held(name, ARGV[3]) then
    return false
end
local job = redis.call('HMGET', jobs .. name, 'priority', 'every', 'canceled', 'group')
if (job[2] or '') ~= every or (job[3] or '') ~= canceled then
    return 0
end
redis.call('ZREM', leased, name)
if due == '' then
    redis.call('DEL', jobs .. name)
else
    redis.call('HDEL', jobs .. name, 'token', 'worker')
    redis.call('HSET', jobs .. name, 'attempt', ARGV[7], 'handed_back', ARGV[8])
    schedule(name, job[1], due, job[4])
    announce()
end
return 1
