-- Begins every script. KEYS[1] is the prefix of all keys.
--
-- job:NAME     a hash: the job, and where it stands
-- groups       the groups of which something is due
-- ready:GROUP  what is due of a group: by priority, and among equals by 'DUE:NAME' as text
-- later        what is due later, by when
-- leased       what somebody holds, by when the lease expires
-- limits       how many jobs of a group are leased at most, where there is a limit
-- served       when a group last got a worker
--
-- Times are microseconds since 1970 in 19 digits, so that they sort as text as they do as numbers.
local jobs, ready = KEYS[1] .. 'job:', KEYS[1] .. 'ready:'
local later, leased = KEYS[1] .. 'later', KEYS[1] .. 'leased'
local groups, limits, served = KEYS[1] .. 'groups', KEYS[1] .. 'limits', KEYS[1] .. 'served'
local now = ARGV[1]

local function announce()
    redis.call('PUBLISH', KEYS[1] .. 'news', '')
end

-- Has a job that nobody holds wait until it is due.
local function schedule(name, priority, due, group)
    redis.call('HSET', jobs .. name, 'due', due)
    if due <= now then
        redis.call('ZADD', ready .. group, -priority, due .. ':' .. name)
        redis.call('SADD', groups, group)
    else
        redis.call('ZADD', later, due, name)
    end
end

-- Takes a job out of what is due.
local function withdraw(group, member)
    redis.call('ZREM', ready .. group, member)
    if redis.call('EXISTS', ready .. group) == 0 then
        redis.call('SREM', groups, group)
    end
end

-- What came true by the mere passing of time.
local function catch_up()
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now)) do
        redis.call('ZREM', later, name)
        local job = redis.call('HMGET', jobs .. name, 'priority', 'due', 'group')
        if job[1] then
            schedule(name, job[1], job[2], job[3])
        end
    end
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', leased, '-inf', now)) do
        redis.call('ZREM', leased, name)
        local job = redis.call('HMGET', jobs .. name, 'priority', 'due', 'group', 'canceled')
        if job[4] then
            redis.call('DEL', jobs .. name)
        elseif job[1] then
            redis.call('HDEL', jobs .. name, 'token', 'worker')
            schedule(name, job[1], job[2], job[3])
        end
    end
end

local function is_held(name, token)
    return redis.call('HGET', jobs .. name, 'token') == token
end

-- How many jobs of each group are leased.
local function held_by_group()
    local held = {}
    for _, name in ipairs(redis.call('ZRANGE', leased, 0, -1)) do
        local group = redis.call('HGET', jobs .. name, 'group')
        if group then
            held[group] = (held[group] or 0) + 1
        end
    end
    return held
end

-- The groups of which something is due, without those that have as many leases as they may, each with how many it has.
local function waiting_groups()
    local held, waiting = held_by_group(), {}
    for _, group in ipairs(redis.call('SMEMBERS', groups)) do
        local limit, count = redis.call('HGET', limits, group), held[group] or 0
        if not limit or count < tonumber(limit) then
            waiting[group] = count
        end
    end
    return waiting
end

catch_up()
