-- Begins every script. KEYS[1] is the prefix of all keys.
--
-- job:NAME  a hash: the job, and where it stands
-- ready     what is due: by priority, and among equals by 'DUE:NAME' as text
-- later     what is due later, by when
-- leased    what somebody holds, by when the lease expires
--
-- Times are microseconds since 1970 in 19 digits, so that they sort as text as they do as numbers.
local jobs = KEYS[1] .. 'job:'
local ready, later, leased = KEYS[1] .. 'ready', KEYS[1] .. 'later', KEYS[1] .. 'leased'
local now = ARGV[1]

local function announce()
    redis.call('PUBLISH', KEYS[1] .. 'news', '')
end

-- Has a job that nobody holds wait until it is due.
local function schedule(name, priority, due)
    redis.call('HSET', jobs .. name, 'due', due)
    if due <= now then
        redis.call('ZADD', ready, -priority, due .. ':' .. name)
    else
        redis.call('ZADD', later, due, name)
    end
end

-- What came true by the mere passing of time.
local function catch_up()
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now)) do
        redis.call('ZREM', later, name)
        local job = redis.call('HMGET', jobs .. name, 'priority', 'due')
        if job[1] then
            schedule(name, job[1], job[2])
        end
    end
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', leased, '-inf', now)) do
        redis.call('ZREM', leased, name)
        local job = redis.call('HMGET', jobs .. name, 'priority', 'due', 'canceled')
        if job[3] then
            redis.call('DEL', jobs .. name)
        elseif job[1] then
            redis.call('HDEL', jobs .. name, 'token', 'worker')
            schedule(name, job[1], job[2])
        end
    end
end

local function is_held(name, token)
    return redis.call('HGET', jobs .. name, 'token') == token
end

catch_up()
