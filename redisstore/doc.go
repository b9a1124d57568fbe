// Package redisstore keeps Pinterest tokens in Redis, for a fleet of processes
// that shares them. It is a Store of github.com/go-pinterest/pinterest:
//
//	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	store := &redisstore.Store{Client: client}
//	accounts := &pinterest.Accounts{Config: config, Store: store}
//	client := accounts.Client("alice")
//
// It is for those who run Redis as a database, with appendonly yes, and have
// read what it cannot promise, below. Most others are better served by sqlstore.
//
// # Several processes
//
// An Update takes a lease on its key, which Redis ends by itself when the holder
// dies, and renews it while it runs. Whoever waits asks again every 2 to 50
// milliseconds, and the first to ask in vain is next in line, so that no process
// starves the others; the goroutines of one process wait among themselves. A
// process that dies holds its key up for Store.Lease at most, and half a second
// more if it was next in line.
//
// A process can lose its lease and not know it: it was stopped, or swapped out,
// or cut off from Redis. So it is Redis that decides, in the same step that
// writes: if another has been in meanwhile nothing is written, what is newer
// stays, and Update returns [ErrLeaseLost]. For the time in between no lease can
// help: while a stopped process believes for one more moment that it is alone,
// two may be talking to Pinterest.
//
// # What Redis cannot promise
//
// Update returns when Redis has acknowledged the write. Whether that outlasts a
// crash is up to how Redis is run:
//
//   - With appendfsync always nothing that was acknowledged is lost with the
//     process or the machine. With everysec, the default of appendonly, a crash
//     of the machine may lose the last second or two; with snapshots alone,
//     minutes; with neither, everything.
//   - Replication is asynchronous. A failover, by Sentinel, Redis Cluster or a
//     hosting provider, may lose the last writes though the old primary has them
//     on disk: a token that was just renewed, and the lease of whoever is inside,
//     so that a second one gets in. WAIT makes that less likely, not impossible.
//   - maxmemory-policy must be noeviction. The allkeys policies throw tokens away
//     without a word. The volatile ones spare tokens, which have no expiry, but
//     may evict a lease: the loser's write then fails, yet two had been inside.
//
// A lost token may be one that Pinterest has replaced already, and then the user
// has to log in again. If you cannot accept that, use sqlstore, with a database
// that commits to disk.
//
// # Layout and limits
//
// A key is kept in a hash, whose fields are its value, when it is due, in
// milliseconds of Unix time, and the id of the Update that wrote it, without an
// expiry. It is listed in one of 64 sorted sets, from which Each reads page by
// page, in bounded memory, without SCAN or KEYS, which would look through the
// whole of Redis; the price is that every key is stored twice. A hash and the set that lists it share a hash tag, and every script
// keeps to one tag, so Redis Cluster works. Client-side sharding (redis.Ring) is
// refused: it takes a shard that is down for an empty one.
//
// The user that the client logs in as must be allowed these commands on the
// prefix, beside those go-redis itself needs: EVAL, EVALSHA, GET, SET, DEL,
// PEXPIRE, PTTL, HGET, HMGET, HSET, ZADD, ZREM and ZRANGEBYLEX. The store needs
// Redis 5 or later, and is tested with 7.
package redisstore
