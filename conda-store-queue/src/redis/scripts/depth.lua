-- How many jobs are ready, delayed and leased. ARGV: now.
return {redis.call('ZCARD', ready), redis.call('ZCARD', later), redis.call('ZCARD', leased)}
