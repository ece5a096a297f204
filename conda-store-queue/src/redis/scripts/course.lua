-- The fields of a job that decide what becomes of it, for its holder. ARGV: now, name, token, the fields.
if not is_held(ARGV[2], ARGV[3]) then
    return false
end
return redis.call('HMGET', jobs .. ARGV[2], unpack(ARGV, 4))
