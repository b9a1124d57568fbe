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
	client, nodes := startCluster(t)
	storetest.TestStore(t, func(t *testing.T) pinterest.Store {
		for _, node := range nodes {
			require.NoError(t, node.FlushAll(t.Context()).Err())
		}
		return &redisstore.Store{Client: client}
	})
	for _, node := range nodes {
		log, err := node.ACLLog(t.Context(), 10).Result()
		require.NoError(t, err)
		require.Empty(t, log, "what Redis refused")
		info, err := node.Info(t.Context(), "commandstats").Result()
		require.NoError(t, err)
		require.Contains(t, info, "cmdstat_hset:", "every node has its part")
	}
}

// The layout is a promise to those who have tokens in it.
func TestRecordsKeepTheirNames(t *testing.T) {
	mini, client := newMini(t)
	s := &redisstore.Store{Client: client}
	keep(t, s, "alice", "value")
	require.Equal(t, []string{"pinterest:{07}:keys", "pinterest:{07}:record:alice"}, mini.Keys())
	require.Equal(t, "value", mini.HGet("pinterest:{07}:record:alice", "value"))
	require.Zero(t, mini.TTL("pinterest:{07}:record:alice"))
	require.Zero(t, mini.TTL("pinterest:{07}:keys"))

	require.NoError(t, s.Update(t.Context(), "alice", returningDue("value", time.UnixMilli(1).Add(1))))
	require.Equal(t, []string{"pinterest:{07}:due", "pinterest:{07}:keys", "pinterest:{07}:record:alice"}, mini.Keys())
	dues, err := mini.SortedSet("pinterest:{07}:due")
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"alice": 1}, dues)
	require.Zero(t, mini.TTL("pinterest:{07}:due"))
	require.NoError(t, s.Delete(t.Context(), "alice"))
	mini.FastForward(2 * time.Minute)
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

// In one bucket there are more than are read at a time; of those as many are due
// as can be noted at once, or one more.
func TestEachOfManyPages(t *testing.T) {
	const page, many = 1000, 1100
	for _, dues := range []int{page, page + 1} {
		_, client := newMini(t)
		s := &redisstore.Store{Client: client}
		pipe := client.Pipeline()
		for i := range many {
			key := fmt.Sprint("key ", i)
			pipe.ZAdd(t.Context(), "pinterest:{07}:keys", redis.Z{Member: key})
			pipe.ZAdd(t.Context(), "pinterest:{07}:due", redis.Z{Score: float64(2 + i/dues), Member: key})
			pipe.HSet(t.Context(), "pinterest:{07}:record:"+key, "value", key)
		}
		_, err := pipe.Exec(t.Context())
		require.NoError(t, err)
		for want, before := range map[int]time.Time{many: {}, dues: time.UnixMilli(3), 0: time.UnixMilli(2)} {
			keys := due(t, s, before)
			require.Len(t, keys, want)
			slices.Sort(keys)
			require.Len(t, slices.Compact(keys), want, "a key was seen twice")
		}
	}
}

// It would go on for ever if what f moves ahead were met again.
func TestAKeyThatStaysDueIsSeenOnce(t *testing.T) {
	_, client := newMini(t)
	s := &redisstore.Store{Client: client}
	const many = 100
	now := time.Now()
	for i := range many {
		require.NoError(t, s.Update(t.Context(), fmt.Sprint(i), returningDue("", now)))
	}
	for _, before := range []time.Time{{}, now.Add(time.Hour)} {
		n := 0
		require.NoError(t, s.Each(t.Context(), before, func(key string, _ []byte) error {
			n++
			return s.Update(t.Context(), key, returningDue("", now.Add(time.Minute)))
		}))
		require.Equal(t, many, n)
	}
}

func TestWhatIsBeingUpdatedIsNotDue(t *testing.T) {
	_, client := newMini(t)
	s, other := &redisstore.Store{Client: client}, &redisstore.Store{Client: client}
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	const many = 60
	for i := range many {
		require.NoError(t, s.Update(t.Context(), fmt.Sprint(i), returningDue("", past)))
	}
	require.ErrorIs(t, s.Update(t.Context(), "0", func(context.Context, []byte) ([]byte, time.Time, error) {
		require.NotContains(t, due(t, other, time.Now()), "0")
		require.Contains(t, due(t, other, time.Time{}), "0")
		return nil, time.Time{}, errRefused
	}), errRefused)
	require.Contains(t, due(t, other, time.Now()), "0", "it is due again")

	// Two sweeps, one of which begins while the other is inside a key of its own:
	// each key is met by one of them.
	var keys []string
	require.NoError(t, s.Each(t.Context(), time.Now(), func(key string, _ []byte) error {
		keys = append(keys, key)
		return s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Time, error) {
			if len(keys) == many/3 {
				assert.NoError(t, other.Each(t.Context(), time.Now(), func(key string, _ []byte) error {
					keys = append(keys, key)
					return other.Update(t.Context(), key, returningDue("", future))
				}))
			}
			return nil, future, nil
		})
	}))
	require.Len(t, keys, many)
	slices.Sort(keys)
	require.Len(t, slices.Compact(keys), many, "a key was met twice")
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
		require.NoError(t, s.Update(t.Context(), key, returningDue(key, due)))
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
