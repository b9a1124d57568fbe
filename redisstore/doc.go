// Package redisstore keeps Pinterest tokens in Redis, for a fleet of processes
// that shares them. It is a Store of github.com/go-pinterest/pinterest:
//
//	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	store := &redisstore.Store{Client: rdb}
//	accounts := &pinterest.Accounts{Config: config, Store: store}
//	client := accounts.Client("alice")
//
// It is for those who run Redis as a database. Redis used as a cache loses
// tokens, and most others are better served by sqlstore.
//
// # How Redis must be set up
//
//   - appendonly yes. With appendfsync always nothing that Update returned for is
//     lost in a crash; with everysec, the default, the last second or two.
//   - maxmemory-policy noeviction, unless maxmemory is 0. All others throw away
//     tokens or leases when memory is full, so Update refuses them if Redis lets
//     it ask by INFO. If it does not, look yourself.
//
// The user that the client logs in as must be allowed these commands, on the names
// that begin with the prefix:
//
//	+eval +get +set +del +pexpire +hget +hmget +hset
//	+zadd +zrem +zscore +zrangebylex +zrangebyscore
//
// And +info, for Update to ask as told above, and in a cluster +cluster|slots and
// +command, for go-redis.
//
// Redis 5 or later will do; it is tested with 7. Redis Cluster and Sentinel work,
// by go-redis's clients for them. Client-side sharding (redis.Ring) is refused:
// it takes a shard that is down for an empty one.
//
// # Several processes
//
// An Update takes a lease on its key, which Redis ends by itself when the holder
// dies, and extends it while it runs. Others ask for it every 2 to 50 milliseconds,
// in no order. A process that dies holds its key up for [Store.Lease] at most.
//
// A process can lose its lease and not know it: it was stopped, or cut off from
// Redis. So it is Redis that decides, in the same step that writes: if another
// has been in meanwhile, nothing is written and Update returns [ErrLeaseLost].
// That two talk to Pinterest at the same time no lease can rule out. But a lease of
// a minute outlasts a token request, which may take half of that: a Redis that is
// away meanwhile lets nobody in.
//
// # What Redis cannot promise
//
// Replication is asynchronous. A failover, by Sentinel, Redis Cluster or a hosting
// provider, may lose the last writes, though the old primary has them on disk: a
// token that was just renewed, and the lease of whoever is inside, so that a
// second one gets in. If Pinterest has replaced that token already, the user has
// to log in again. min-replicas-to-write makes that less likely, not impossible.
// If you cannot accept that, use sqlstore.
//
// # Layout
//
// Everything is in one of 64 buckets, whose hash tag keeps it in one slot of a
// Redis Cluster. A key's value, and the id of the Update that wrote it, are in a
// hash without an expiry. The key is also in a sorted set of all keys of the
// bucket, and, if it is due at some time, in one by that time, in milliseconds of
// Unix time:
//
//	pinterest:{07}:record:alice
//	pinterest:{07}:keys
//	pinterest:{07}:due
//	pinterest:{07}:lease:alice while it is being updated
package redisstore
