package redisstore

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Store keeps values in Redis, and is a pinterest.Store. Client must be set;
// the zero value of every other field works. The fields must not change once a
// method was called, and a Store must not be copied.
//
// A Store is safe for use by many goroutines at once. It costs neither a
// goroutine nor a connection while none of its methods runs.
type Store struct {
	// Client reaches Redis: a *redis.Client, which may be a Sentinel's failover
	// client, or a *redis.ClusterClient. The caller closes it.
	Client redis.UniversalClient

	// Prefix begins the name of all that the store keeps in Redis, so that
	// stores with different prefixes can share one. It must not hold a brace,
	// which would mean something to Redis Cluster. Empty: "pinterest:".
	Prefix string

	// Lease is how long a process that dies inside Update keeps the others out.
	// It is extended while Update runs, so f may take longer; but a process that
	// cannot reach Redis for that long, or two thirds of it if it is unlucky, loses
	// its turn. So it should be twice as long as f may wait for Pinterest's
	// answer. Zero: a minute; less than a tenth of a second is an error.
	Lease time.Duration

	turns  turns
	spared atomic.Bool // Redis evicts nothing, or does not tell
}

const (
	defaultPrefix = "pinterest:"
	defaultLease  = time.Minute
	shortestLease = time.Second / 10
)

// Load returns what is kept under key; missing: an error that is fs.ErrNotExist.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	if err := s.ready(ctx, key); err != nil {
		return nil, err
	}
	value, err := answer(ctx, func() (string, error) {
		return s.Client.Eval(ctx, loadScript, s.names(key)).Text()
	}, nil)
	switch {
	case errors.Is(err, redis.Nil):
		return nil, fmt.Errorf("redisstore: nothing is kept under %q: %w", key, fs.ErrNotExist)
	case err != nil:
		return nil, failure(fmt.Sprintf("load %q", key), err)
	}
	return []byte(value), nil
}

// buckets is how many parts a store has. What must change together has to be in
// one slot of a Redis Cluster: a record and the sets that list it. One bucket
// would put the whole store on one node; many spread it. The number cannot
// change without losing sight of what was kept.
const buckets = 64

// A bucket is what the names of all that is in it begin with.
type bucket string

func (s *Store) bucket(b uint32) bucket {
	prefix := s.Prefix
	if prefix == "" {
		prefix = defaultPrefix
	}
	return bucket(fmt.Sprintf("%s{%02x}:", prefix, b))
}

func (b bucket) lease(key string) string  { return string(b) + "lease:" + key }
func (b bucket) record(key string) string { return string(b) + "record:" + key }

// keys names the sorted set of all keys, in their own order.
func (b bucket) keys() string { return string(b) + "keys" }

// due names the sorted set of the keys that are due at some time, by that time.
func (b bucket) due() string { return string(b) + "due" }

// names returns what the scripts know as KEYS.
func (s *Store) names(key string) []string {
	b := s.bucket(crc32.ChecksumIEEE([]byte(key)) % buckets)
	return []string{b.lease(key), b.record(key), b.keys(), b.due()}
}

func (s *Store) lease() time.Duration {
	if s.Lease == 0 {
		return defaultLease
	}
	return s.Lease
}

func (s *Store) ready(ctx context.Context, key string) error {
	if err := s.usable(); err != nil {
		return err
	}
	if key == "" {
		return errors.New("redisstore: the key is empty: name the account that the token belongs to")
	}
	return ctx.Err()
}

func (s *Store) usable() error {
	switch {
	case s.Client == nil:
		return errors.New("redisstore: the Store has no Client")
	case strings.ContainsAny(s.Prefix, "{}"):
		return fmt.Errorf("redisstore: the Prefix %q holds a brace", s.Prefix)
	case s.lease() < shortestLease:
		return fmt.Errorf("redisstore: a Lease of %v is too short: at least %v", s.Lease, shortestLease)
	}
	if _, ok := s.Client.(*redis.Ring); ok {
		return errors.New("redisstore: a Ring looks elsewhere for what a shard that is down has kept, and finds nothing: use a ClusterClient")
	}
	return nil
}

// failure says what could not be done. It hides from errors.Is that a missing
// Unix socket is fs.ErrNotExist, which would be taken for a missing key.
func failure(what string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New(err.Error())
	}
	return fmt.Errorf("redisstore: cannot %s: %w", what, err)
}
