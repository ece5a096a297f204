-- How many jobs are ready, delayed and leased. ARGV: now.
local due = 0
for _, group in ipairs(redis.call('SMEMBERS', groups)) do
    due = due + redis.call('ZCARD', ready .. group)
end
return {due, redis.call('ZCARD', later), redis.call('ZCARD', leased)}
