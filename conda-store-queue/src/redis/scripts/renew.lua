-- Renews a lease. ARGV: now, name, token, expiry. 1 where the job is canceled, nothing where it is no longer held.
local name = ARGV[2]
if not is_held(name, ARGV[3]) then
    return false
end
redis.call('HSET', jobs .. name, 'due', ARGV[4])
redis.call('ZADD', leased, ARGV[4], name)
return redis.call('HEXISTS', jobs .. name, 'canceled')
