-- Uses every command of the other scripts that writes or reads, on keys of its own, so that a missing right is seen at once
-- and not in the middle of a commit.
--
-- answers  {'ok'}

local hash, set, other = prefix .. 'probe:hash', prefix .. 'probe:set', prefix .. 'probe:other'
redis.call('HSET', hash, 'field', 'value')
redis.call('HGET', hash, 'field')
redis.call('HGETALL', hash)
redis.call('HGETALL', KEYS[1])
redis.call('ZADD', set, 0, 'member')
redis.call('ZRANGE', set, '-', '+', 'BYLEX')
redis.call('EXISTS', set)
redis.call('RENAME', set, other)
redis.call('ZREM', other, 'member')
redis.call('DEL', hash)
return { 'ok' }
