package redisstore_test

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/redisstore"
	"github.com/go-pinterest/pinterest/storetest"
)

func TestStoreInProcess(t *testing.T) {
	storetest.TestStore(t, func(t *testing.T) pinterest.Store {
		_, client := newMini(t)
		return &redisstore.Store{Client: client}
	})
}

func TestStoreOnRedis(t *testing.T) {
	const lease = 2 * time.Second
	redisURL(t)
	storetest.TestSharedStore(t, storetest.Shared{
		Place: func(t *testing.T) string { return newPrefix(t) },
		Open: func(t *testing.T, prefix string) pinterest.Store {
			return &redisstore.Store{Client: dial(t), Prefix: prefix, Lease: lease}
		},
		Takeover: lease + 3*time.Second,
	})
}

func TestStoreOnCluster(t *testing.T) {
	client := startCluster(t)
	storetest.TestStore(t, func(t *testing.T) pinterest.Store {
		require.NoError(t, client.ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
			return node.FlushAll(ctx).Err()
		}))
		return &redisstore.Store{Client: client}
	})
}

// The layout is a promise to those who have tokens in it.
func TestRecordsKeepTheirNames(t *testing.T) {
	mini, client := newMini(t)
	s := &redisstore.Store{Client: client}
	keep(t, s, "alice", "value")
	require.Equal(t, []string{"pinterest:{07}:keys", "pinterest:{07}:record:alice"}, mini.Keys())
	require.Equal(t, "value", mini.HGet("pinterest:{07}:record:alice", "value"))
	require.Empty(t, mini.HGet("pinterest:{07}:record:alice", "due"), "never")
	require.Zero(t, mini.TTL("pinterest:{07}:record:alice"))
	require.Zero(t, mini.TTL("pinterest:{07}:keys"))
	require.NoError(t, s.Delete(t.Context(), "alice"))
	require.Empty(t, mini.Keys(), "nothing is left behind")
}

func TestPrefixesKeepStoresApart(t *testing.T) {
	_, client := newMini(t)
	stores := []*redisstore.Store{{Client: client}, {Client: client, Prefix: "a"}, {Client: client, Prefix: "a:"}, {Client: client, Prefix: "a*"}}
	for i, s := range stores {
		requireMissing(t, s, "key")
		keep(t, s, "key", fmt.Sprint(i))
		keep(t, s, fmt.Sprint(i), "")
	}
	for i, s := range stores {
		require.Equal(t, fmt.Sprint(i), kept(t, s, "key"))
		var keys []string
		require.NoError(t, s.Each(t.Context(), time.Time{}, func(key string, _ []byte) error {
			keys = append(keys, key)
			return nil
		}))
		require.ElementsMatch(t, []string{"key", fmt.Sprint(i)}, keys)
	}
}

func TestEachOfManyPages(t *testing.T) {
	_, client := newMini(t)
	s := &redisstore.Store{Client: client}
	// Full pages and a page and a bit, in one bucket or other.
	const many = 64 * 200
	pipe := client.Pipeline()
	add := func(bucket int, key string, due int64) {
		name := fmt.Sprintf("pinterest:{%02x}:", bucket)
		pipe.ZAdd(t.Context(), name+"keys", redis.Z{Member: key})
		pipe.HSet(t.Context(), name+"record:"+key, "value", key, "due", due)
	}
	for i := range many {
		add(i%64, fmt.Sprint("key ", i), int64(i%2+1))
	}
	for i := range 128 {
		pipe.ZRem(t.Context(), "pinterest:{00}:keys", fmt.Sprint("key ", i*64))
	}
	for i := range 128 + 56 {
		add(0, fmt.Sprint("more ", i), 2)
	}
	_, err := pipe.Exec(t.Context())
	require.NoError(t, err)

	for want, before := range map[int]time.Time{many + 56: {}, many/2 - 128: time.UnixMilli(2)} {
		var keys []string
		require.NoError(t, s.Each(t.Context(), before, func(key string, value []byte) error {
			require.Equal(t, key, string(value))
			keys = append(keys, key)
			return nil
		}))
		require.Len(t, keys, want)
		slices.Sort(keys)
		require.Len(t, slices.Compact(keys), want, "a key was seen twice")
	}
}

func TestBadSettingsAreRefused(t *testing.T) {
	_, client := newMini(t)
	for want, s := range map[string]*redisstore.Store{
		"redisstore: the Store has no Client":                                                                               {},
		`redisstore: the Prefix "{a}" holds a brace`:                                                                        {Client: client, Prefix: "{a}"},
		"redisstore: a Lease of 50ms is too short: at least 100ms":                                                          {Client: client, Lease: 50 * time.Millisecond},
		"redisstore: a Lease of -1s is too short: at least 100ms":                                                           {Client: client, Lease: -time.Second},
		"redisstore: a Ring looks elsewhere for what a shard that is down has kept, and finds nothing: use a ClusterClient": {Client: redis.NewRing(&redis.RingOptions{})},
	} {
		for name, err := range tryAll(t.Context(), s) {
			assert.EqualError(t, err, want, name)
		}
	}
}

// tryAll calls every method and returns their errors by name.
func tryAll(ctx context.Context, s pinterest.Store) map[string]error {
	errs := make(map[string]error)
	_, errs["Load"] = s.Load(ctx, "key")
	errs["Update"] = s.Update(ctx, "key", func(context.Context, []byte) ([]byte, time.Time, error) {
		panic("f runs")
	})
	errs["Delete"] = s.Delete(ctx, "key")
	errs["Each"] = s.Each(ctx, time.Time{}, func(string, []byte) error { panic("f runs") })
	return errs
}

func TestErrorsNameTheKeyAndTheDeed(t *testing.T) {
	mini, client := newMini(t)
	s := &redisstore.Store{Client: client}
	_, err := s.Load(t.Context(), "alice")
	require.EqualError(t, err, `redisstore: nothing is kept under "alice": file does not exist`)
	mini.SetError("LOADING Redis is loading the dataset in memory")
	for name, err := range tryAll(t.Context(), s) {
		what := strings.ToLower(name) + ` "key"`
		if name == "Each" {
			what = "list the keys"
		}
		assert.EqualError(t, err, "redisstore: cannot "+what+": LOADING Redis is loading the dataset in memory")
		assert.NotErrorIs(t, err, fs.ErrNotExist)
	}
}

func TestOnlyWhatIsDueIsSeen(t *testing.T) {
	mini, client := newMini(t)
	s := &redisstore.Store{Client: client}
	now := time.Now()
	for key, due := range map[string]time.Time{"never": {}, "past": now.Add(-time.Minute), "future": now.Add(time.Minute)} {
		require.NoError(t, s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Time, error) {
			return []byte(key), due, nil
		}))
	}
	require.ElementsMatch(t, []string{"past"}, due(t, s, now))
	require.ElementsMatch(t, []string{"future", "past"}, due(t, s, now.Add(time.Hour)))
	require.ElementsMatch(t, []string{"future", "never", "past"}, due(t, s, time.Time{}))
	keep(t, s, "past", "never again")
	require.Empty(t, due(t, s, now))

	// What is listed and not there is nothing.
	_, err := mini.ZAdd("pinterest:{07}:keys", 0, "alice")
	require.NoError(t, err)
	require.NotContains(t, due(t, s, time.Time{}), "alice")
}

func due(t *testing.T, s *redisstore.Store, before time.Time) (keys []string) {
	t.Helper()
	require.NoError(t, s.Each(t.Context(), before, func(key string, _ []byte) error {
		keys = append(keys, key)
		return nil
	}))
	return keys
}

func TestPagesOfLargeValuesAreShort(t *testing.T) {
	_, client := newMini(t)
	s := &redisstore.Store{Client: client}
	large := strings.Repeat("x", 700<<10)
	var want []string
	for i := range 200 { // some of which share a bucket
		value := "small"
		if i%10 == 0 {
			value = large
		}
		keep(t, s, fmt.Sprint(i), value)
		want = append(want, fmt.Sprint(i))
	}
	require.ElementsMatch(t, want, due(t, s, time.Time{}))
}
