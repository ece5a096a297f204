-- Gives the next job to a worker. ARGV: now, expiry, worker, token, the fields that decide what becomes of it.

-- The first job of a group that is due.
local function first_of(group)
    while true do
        local first = redis.call('ZRANGE', ready .. group, 0, 0, 'WITHSCORES')
        if not first[1] then
            return false
        end
        if redis.call('EXISTS', jobs .. string.sub(first[1], 21)) == 1 then
            return {group = group, member = first[1], score = tonumber(first[2])}
        end
        -- A service that is told to throw keys away when memory is short may have thrown away a job and kept its name.
        withdraw(group, first[1])
    end
end

-- Whether it is the turn of `one` before that of `other`.
local function goes_before(one, other)
    for _, field in ipairs({'score', 'held', 'served'}) do
        if one[field] ~= other[field] then
            return one[field] < other[field]
        end
    end
    return one.member < other.member
end

local next = false
for group, held in pairs(waiting_groups()) do
    local first = first_of(group)
    if first then
        first.held, first.served = held, redis.call('HGET', served, group) or ''
        if not next or goes_before(first, next) then
            next = first
        end
    end
end
if not next then
    return false
end
withdraw(next.group, next.member)
redis.call('HSET', served, next.group, now)
local name = string.sub(next.member, 21)
redis.call('HINCRBY', jobs .. name, 'attempt', 1)
redis.call('HSET', jobs .. name, 'due', ARGV[2], 'worker', ARGV[3], 'token', ARGV[4])
redis.call('ZADD', leased, ARGV[2], name)
return {name, redis.call('HGET', jobs .. name, 'payload'), redis.call('HMGET', jobs .. name, unpack(ARGV, 5))}
