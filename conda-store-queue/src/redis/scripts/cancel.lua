-- Removes a waiting job, marks a held one. ARGV: now, name. 0 where there is none, 1 where it is gone, 2 where it is held.
local name = ARGV[2]
local job = redis.call('HMGET', jobs .. name, 'due', 'token', 'group')
if not job[1] then
    return 0
end
if job[2] then
    redis.call('HSET', jobs .. name, 'canceled', 1)
    return 2
end
withdraw(job[3], job[1] .. ':' .. name)
redis.call('ZREM', later, name)
redis.call('DEL', jobs .. name)
return 1
