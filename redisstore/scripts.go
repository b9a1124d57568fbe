package redisstore

// Redis runs a script as a whole, and logs what it changed as a whole. The
// scripts are sent each time (EVAL): to name one by its hash takes SHA-1, which
// a program that keeps to FIPS 140 may not compute.
//
// KEYS are what Store.names returns: lease, record, keys, due. ARGV[1] is the
// caller's id, new for every Update and Delete: it is the lease's value while he
// holds it, and stays in the record as the field "by" once he has written it.
// Every script may be sent again when its answer was lost, as go-redis does.
const (
	// takeScript takes the lease for ARGV[2] milliseconds and returns the value,
	// or nothing, and whose it is; or 0, if another has the lease.
	takeScript = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
	return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('HMGET', KEYS[2], 'value', 'by')
`

	// extendScript lets the lease last ARGV[2] milliseconds from now. It returns 0
	// if it is no longer the caller's.
	extendScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`

	// saveScript keeps the value ARGV[4] of the key ARGV[3], due at ARGV[5] or, if
	// that is empty, never, and lets the lease go.
	// It returns 0 and does nothing if the lease is another's; or if it has lapsed
	// and the record is no longer the one that ARGV[2] wrote, or none if that is
	// empty: then another was in.
	// DEL is the first to write: Redis lets a script that has written go on, though
	// its memory be full since the lease was taken.
	saveScript = `
local holder = redis.call('GET', KEYS[1])
local by = redis.call('HGET', KEYS[2], 'by') or ''
if by == ARGV[1] then
	return 1
end
if holder and holder ~= ARGV[1] or not holder and by ~= ARGV[2] then
	return 0
end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[2], 'value', ARGV[4], 'by', ARGV[1])
redis.call('ZADD', KEYS[3], 0, ARGV[3])
if ARGV[5] == '' then
	redis.call('ZREM', KEYS[4], ARGV[3])
else
	redis.call('ZADD', KEYS[4], ARGV[5], ARGV[3])
end
return 1
`

	// letGoScript gives up the lease, if it is the caller's.
	letGoScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
	redis.call('DEL', KEYS[1])
end
return 1
`

	// deleteScript forgets the key ARGV[2]; it returns 0, if another has the lease.
	// It takes no time, hence no lease. For ARGV[3] milliseconds a record without a
	// value says that the caller was in: a save before it may be sent again.
	deleteScript = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
	return 0
end
redis.call('DEL', KEYS[1])
if redis.call('DEL', KEYS[2]) == 1 then
	redis.call('HSET', KEYS[2], 'by', ARGV[1])
	redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[2])
return 1
`

	// The scripts from here on only read. They are scripts because the commands
	// they consist of may be sent to a replica that lags behind, or be answered
	// from a cache, if the client is set up so.
	loadScript = `return redis.call('HGET', KEYS[2], 'value')`

	// keysScript returns ARGV[2] keys of the set KEYS[1], from ARGV[1] on.
	keysScript = `return redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])`

	// dueScript returns ARGV[2] keys of the set KEYS[1], due before ARGV[1].
	dueScript = `return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])`

	// recordsScript returns the values of the keys from ARGV[3] on, or of fewer once
	// they, and a byte for each, have ARGV[2] bytes together. KEYS are the set of what
	// is due, and then lease and record of each. In place of a value stands nothing if
	// there is none; and, unless ARGV[1] is empty, if it is not due before then, or is
	// being updated.
	recordsScript = `
local before = tonumber(ARGV[1])
local values, size = {}, 0
for i = 3, #ARGV do
	local lease, record = KEYS[2*i-4], KEYS[2*i-3]
	local due = before and tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or '')
	local value = false
	if not before or due and due < before and not redis.call('GET', lease) then
		value = redis.call('HGET', record, 'value')
	end
	values[#values+1] = value
	if value then
		size = size + 1 + #value
		if size >= tonumber(ARGV[2]) then
			break
		end
	end
end
return values
`
)
