package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
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
