package redisstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/redisstore"
)

// BenchmarkUpdate measures an Update of a value as long as a token beside the
// Redis commands that it cannot do without, in as few round trips as they fit
// in: one to take the lease and read, one to write and let the lease go.
func BenchmarkUpdate(b *testing.B) {
	ctx, client := context.Background(), dial(b)
	s := &redisstore.Store{Client: client, Prefix: newPrefix(b)}
	lease, record, keys := s.Prefix+"bare:lease", s.Prefix+"bare:record", s.Prefix+"bare:keys"
	value := make([]byte, 2000)
	bare := func() error {
		_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.SetNX(ctx, lease, "id", 15*time.Second)
			p.HMGet(ctx, record, "value", "by")
			return nil
		})
		if err != nil {
			return err
		}
		_, err = client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.HSet(ctx, record, "value", value, "by", "id")
			p.ZAdd(ctx, keys, redis.Z{Member: "key"})
			p.Del(ctx, lease)
			return nil
		})
		return err
	}
	update := func() error {
		return s.Update(ctx, "key", func(context.Context, []byte) ([]byte, time.Time, error) { return value, time.Time{}, nil })
	}
	require.NoError(b, update())
	require.NoError(b, bare())

	var updates, bares time.Duration
	for b.Loop() {
		began := time.Now()
		require.NoError(b, update())
		between := time.Now()
		require.NoError(b, bare())
		updates += between.Sub(began)
		bares += time.Since(between)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(updates.Microseconds())/float64(b.N), "µs/update")
	b.ReportMetric(float64(bares.Microseconds())/float64(b.N), "µs/bare")
	b.ReportMetric(float64(updates)/float64(bares), "update/bare")
}

// BenchmarkEach measures a sweep over keys none of which is due.
func BenchmarkEach(b *testing.B) {
	for _, many := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			s := &redisstore.Store{Client: dial(b), Prefix: newPrefix(b)}
			const writers = 8
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := w; i < many; i += writers {
						assert.NoError(b, s.Update(b.Context(), fmt.Sprint("account ", i), func(context.Context, []byte) ([]byte, time.Time, error) {
							return make([]byte, 2000), time.Now().Add(time.Hour), nil
						}))
					}
				})
			}
			wg.Wait()
			for b.Loop() {
				require.NoError(b, s.Each(b.Context(), time.Now(), func(key string, _ []byte) error {
					return fmt.Errorf("%s is due", key)
				}))
			}
		})
	}
}
