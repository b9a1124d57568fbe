package redisstore

import "github.com/redis/go-redis/v9"

// Redis runs a script as a whole, and logs what it changed as a whole.
//
// KEYS are what Store.names returns. ARGV[1] is the caller's id, new for every
// Update and Delete: it is the lease's value while he holds it, and stays in the
// record as the field "by" once he has written it. Every script may be sent
// again when its answer was lost, as go-redis does.

// turnScript begins a script that has to wait for its turn, and ends it with 0
// while it is not. ARGV[2] is how many milliseconds the first to ask in vain is
// next in line: while he keeps asking nobody overtakes him, least of all the
// process that lets the lease go, which would else be the quickest to ask again.
const turnScript = `
local holder = redis.call('GET', KEYS[1])
local first = redis.call('GET', KEYS[2])
local mine = first == ARGV[1]
if holder and holder ~= ARGV[1] then
	if not first or mine and redis.call('PTTL', KEYS[2]) < ARGV[2] / 2 then
		redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
	end
	return 0
end
if not holder and first and not mine then
	return 0
end
if mine then
	redis.call('DEL', KEYS[2])
end
`

var (
	// takeScript takes the lease for ARGV[3] milliseconds and returns the value,
	// or nothing, and whose it is.
	takeScript = redis.NewScript(turnScript + `
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return redis.call('HMGET', KEYS[3], 'value', 'by')
`)

	// deleteScript forgets the key ARGV[3]. It takes no time, hence no lease.
	deleteScript = redis.NewScript(turnScript + `
redis.call('DEL', KEYS[3])
redis.call('ZREM', KEYS[4], ARGV[3])
return 1
`)

	// renewScript lets the lease last ARGV[2] milliseconds from now. It returns 0
	// if it is no longer the caller's.
	renewScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)

	// saveScript keeps the value ARGV[3] of the key ARGV[2], due at ARGV[5], and
	// lets the lease go.
	// It returns 0 and does nothing if the lease is another's; or if it has lapsed
	// and the record is no longer the one that ARGV[4] wrote, or none if that is
	// empty: then another was in.
	saveScript = redis.NewScript(`
local holder = redis.call('GET', KEYS[1])
local by = redis.call('HGET', KEYS[3], 'by') or ''
if by == ARGV[1] then
	return 1
end
if holder and holder ~= ARGV[1] or not holder and by ~= ARGV[4] then
	return 0
end
redis.call('HSET', KEYS[3], 'value', ARGV[3], 'due', ARGV[5], 'by', ARGV[1])
redis.call('ZADD', KEYS[4], 0, ARGV[2])
redis.call('DEL', KEYS[1])
return 1
`)

	// letGoScript gives up what the caller holds: the lease, his place in line.
	letGoScript = redis.NewScript(`
for i = 1, 2 do
	if redis.call('GET', KEYS[i]) == ARGV[1] then
		redis.call('DEL', KEYS[i])
	end
end
return 1
`)

	// loadScript and pageScript only read. They are scripts because the commands
	// they consist of may be sent to a replica that lags behind, or be answered
	// from a cache, if the client is set up so.
	loadScript = redis.NewScript(`return redis.call('HGET', KEYS[3], 'value')`)

	// pageScript returns where the next page begins, or an empty string if there is
	// none, and then key and value of the records that are due before ARGV[4], or
	// of all if that is empty. It looks at ARGV[2] keys of the index KEYS[1] from
	// ARGV[1] on, or fewer if their values have ARGV[3] bytes together. The
	// records' names begin with KEYS[2] and are in its slot. A record without due,
	// or with an empty one, is never due.
	pageScript = redis.NewScript(`
local keys = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
local before = tonumber(ARGV[4])
local page = {''}
local size = 0
for i, key in ipairs(keys) do
	local record = redis.call('HMGET', KEYS[2] .. key, 'value', 'due')
	local due = tonumber(record[2] or '')
	if record[1] and (not before or due and due < before) then
		page[#page + 1] = key
		page[#page + 1] = record[1]
		size = size + #record[1]
	end
	if i == tonumber(ARGV[2]) or size >= tonumber(ARGV[3]) then
		page[1] = '(' .. key
		break
	end
end
return page
`)
)
