-- When the next job is due that a worker can have, or the next lease expires. ARGV: now.
if next(waiting_groups()) then
    return now
end
local first = false
for _, key in ipairs({later, leased}) do
    local name = redis.call('ZRANGE', key, 0, 0)[1]
    local due = name and redis.call('HGET', jobs .. name, 'due')
    if due and (not first or due < first) then
        first = due
    end
end
return first
