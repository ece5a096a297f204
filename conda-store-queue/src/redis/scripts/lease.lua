-- Gives the next job to a worker. ARGV: now, expiry, worker, token.
local next = redis.call('ZPOPMIN', ready)[1]
-- A service that is told to throw keys away when memory is short may have thrown away a job and kept its name.
while next and redis.call('EXISTS', jobs .. string.sub(next, 21)) == 0 do
    next = redis.call('ZPOPMIN', ready)[1]
end
if not next then
    return false
end
local name = string.sub(next, 21)
redis.call('HINCRBY', jobs .. name, 'attempt', 1)
redis.call('HSET', jobs .. name, 'due', ARGV[2], 'worker', ARGV[3], 'token', ARGV[4])
redis.call('ZADD', leased, ARGV[2], name)
return {name, redis.call('HGET', jobs .. name, 'payload'), redis.call('HMGET', jobs .. name, unpack(ARGV, 5))}
