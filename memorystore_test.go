package pinterest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMemoryStoreWaitsUnderTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewMemoryStore()
		go func() {
			assert.NoError(t, s.Update(t.Context(), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
				time.Sleep(time.Hour) // of the bubble's time: a slow token endpoint
				return []byte("first"), time.Time{}, nil
			}))
		}()
		synctest.Wait()

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, s.Delete(ctx, "key"), context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(began))

		require.NoError(t, s.Update(t.Context(), "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
			assert.Equal(t, "first", string(old))
			return []byte("second"), time.Time{}, nil
		}))
		require.Equal(t, time.Hour, time.Since(began))
	})
}

func TestMemoryStoreKeepsNoLockNobodyWants(t *testing.T) {
	s := NewMemoryStore().(*memoryStore)
	refused := errors.New("refused")
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, s.Update(ctx, "key", func(context.Context, []byte) ([]byte, time.Time, error) {
		require.NoError(t, s.Update(ctx, "other", func(context.Context, []byte) ([]byte, time.Time, error) { return nil, time.Time{}, nil }))
		assert.Len(t, s.turns.taken, 1)
		cancel()
		require.ErrorIs(t, s.Delete(ctx, "key"), context.Canceled)
		return nil, time.Time{}, refused
	}), refused)
	require.Panics(t, func() {
		_ = s.Update(t.Context(), "key", func(context.Context, []byte) ([]byte, time.Time, error) { panic("f panics") })
	})
	require.NoError(t, s.Delete(t.Context(), "other"))
	require.Empty(t, s.turns.taken)
	require.Empty(t, s.values)
}

func TestMemoryStoreKnowsToTheNanosecondWhatIsDue(t *testing.T) {
	s := NewMemoryStore()
	due := time.Date(2030, time.January, 2, 3, 4, 5, 678, time.UTC)
	for key, due := range map[string]time.Time{"due": due, "never": {}, "first": time.Time{}.Add(1)} {
		require.NoError(t, s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Time, error) { return nil, due, nil }))
	}
	for _, c := range []struct {
		before time.Time
		want   []string
	}{
		{time.Time{}.Add(1), nil},
		{time.Time{}.Add(2), []string{"first"}},
		{due.Add(-1), []string{"first"}},
		{due, []string{"first"}},
		{due.Add(1), []string{"first", "due"}},
		{due.Add(1).In(time.FixedZone("", 3600)), []string{"first", "due"}},
		{due.AddDate(9000, 0, 0), []string{"first", "due"}},
		{time.Time{}, []string{"first", "due", "never"}},
	} {
		var keys []string
		require.NoError(t, s.Each(t.Context(), c.before, func(key string, _ []byte) error {
			keys = append(keys, key)
			return nil
		}))
		assert.ElementsMatch(t, c.want, keys, "before %v", c.before)
	}
}
