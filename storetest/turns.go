package storetest

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
)

func testExclusion(t *testing.T, s pinterest.Store) {
	const goroutines, each = 8, 25
	var inside atomic.Int32
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				err := s.Update(patient(t), "counter", func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
					assert.EqualValues(t, 1, inside.Add(1), "how many Updates run at once")
					defer inside.Add(-1)
					return increment(ctx, old)
				})
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, fmt.Sprint(goroutines*each), kept(t, s, "counter"), "the sum of all Updates")

	// Not by luck either: while one is inside, another stays out.
	h := hold(t, patient(t), s, "counter")
	requireHeld(t, s, "counter")
	require.NoError(t, h.release(t, "held", nil))
	require.Equal(t, "held", kept(t, s, "counter"))
}

// increment is an f that adds one to a decimal number; nothing is zero.
func increment(_ context.Context, old []byte) ([]byte, time.Time, error) {
	if old == nil {
		old = []byte("0")
	}
	n, err := strconv.Atoi(string(old))
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("storetest: the counter is damaged: %w", err)
	}
	return []byte(strconv.Itoa(n + 1)), time.Time{}, nil
}

func testIndependence(t *testing.T, s pinterest.Store) {
	const others = 40
	h := hold(t, patient(t), s, "key")
	for i := range others {
		keep(t, s, fmt.Sprint("other ", i), "value")
	}
	require.NoError(t, s.Delete(patient(t), "other 0"))
	require.Len(t, allKeys(t, s), others-1)
	require.NoError(t, h.release(t, "value", nil))
}

func testLoadDuringUpdate(t *testing.T, s pinterest.Store) {
	h := hold(t, patient(t), s, "key")
	_, err := s.Load(patient(t), "key")
	require.ErrorIs(t, err, fs.ErrNotExist, "nothing was kept before")
	require.Empty(t, allKeys(t, s))
	require.NoError(t, h.release(t, "before", nil))

	h = hold(t, patient(t), s, "key")
	require.Equal(t, "before", kept(t, s, "key"))
	require.Equal(t, []string{"key"}, allKeys(t, s))
	require.NoError(t, h.release(t, "after", nil))
	require.Equal(t, "after", kept(t, s, "key"))
}

// whole returns the value number n, which is long and shows it when a piece of
// another is mixed in; its length goes up and down with n.
func whole(n int) string {
	return strings.Repeat(fmt.Sprintf("%d,", n), 1000+n%7*3000)
}

// requireWhole returns the number of a value made by whole.
func requireWhole(t *testing.T, value string) int {
	t.Helper()
	first, _, _ := strings.Cut(value, ",")
	n, err := strconv.Atoi(first)
	require.NoError(t, err, "half a value: it begins %.40q", value)
	require.True(t, value == whole(n), "half a value: %d bytes that begin %.40q", len(value), value)
	return n
}

func testWholeValues(t *testing.T, s pinterest.Store) {
	const writes = 60
	keep(t, s, "key", whole(0))
	written := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(written)
		for n := range writes {
			assert.NoError(t, s.Update(patient(t), "key", returning(whole(n+1))))
		}
	})
	defer wg.Wait()
	for last := 0; ; {
		n := requireWhole(t, kept(t, s, "key"))
		require.GreaterOrEqual(t, n, last, "a Load went back in time")
		last = n
		for _, value := range seen(t, s, time.Time{}) {
			require.GreaterOrEqual(t, requireWhole(t, value), last, "Each hands out what was kept before it began")
		}
		select {
		case <-written:
			require.Equal(t, writes, requireWhole(t, kept(t, s, "key")))
			return
		default:
		}
	}
}

func testDelete(t *testing.T, s pinterest.Store) {
	keep(t, s, "key", "value")
	keep(t, s, "other", "untouched")
	for range 2 {
		require.NoError(t, s.Delete(patient(t), "key"))
		_, err := s.Load(patient(t), "key")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.Equal(t, []string{"other"}, allKeys(t, s))
	}
	require.NoError(t, s.Update(patient(t), "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
		assert.Nil(t, old, "what f is given after a Delete")
		return []byte("again"), time.Time{}, nil
	}))
	require.Equal(t, "again", kept(t, s, "key"))
	require.Equal(t, "untouched", kept(t, s, "other"))
}

func testDeleteWaits(t *testing.T, s pinterest.Store) {
	h := hold(t, patient(t), s, "key")
	ctx, cancel := context.WithTimeout(context.Background(), glimpse)
	defer cancel()
	require.ErrorIs(t, soon(t, "a Delete whose context is over", func() error { return s.Delete(ctx, "key") }),
		context.DeadlineExceeded, "a Delete while an Update runs")

	deleted := make(chan error, 1)
	go func() { deleted <- s.Delete(patient(t), "key") }()
	require.NoError(t, h.release(t, "value", nil))
	require.NoError(t, receive(t, deleted, "the Delete whose turn it is"))
	_, err := s.Load(patient(t), "key")
	require.ErrorIs(t, err, fs.ErrNotExist, "the Update brought back what was deleted after it")
}

func testDeleteDuringUpdates(t *testing.T, s pinterest.Store) {
	const each = 40
	var inside atomic.Int32
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range each {
				assert.NoError(t, s.Update(patient(t), "key", func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
					assert.EqualValues(t, 1, inside.Add(1), "how many Updates run at once")
					defer inside.Add(-1)
					return increment(ctx, old)
				}))
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range each {
				assert.NoError(t, s.Delete(patient(t), "key"))
			}
		})
	}
	wg.Wait()
	require.NoError(t, s.Delete(patient(t), "key"))
	require.Empty(t, allKeys(t, s))
	keep(t, s, "key", "value")
	require.Equal(t, "value", kept(t, s, "key"))
}
