package redisstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/redisstore"
)

func TestARestartOfRedisDuringAnUpdateLosesNothing(t *testing.T) {
	const lease = time.Second
	r := startServer(t)
	s := &redisstore.Store{Client: newClient(t, &redis.Options{Addr: r.addr}), Lease: lease}
	other := &redisstore.Store{Client: newClient(t, &redis.Options{Addr: r.addr}), Lease: lease}
	keep(t, s, "key", "0")
	keep(t, s, "untouched", "value")

	t.Run("while f runs: it holds its lease", func(t *testing.T) {
		require.NoError(t, s.Update(patient(t), "key", func(fctx context.Context, _ []byte) ([]byte, time.Time, error) {
			r.kill()
			r.start(t)
			wait, stop := context.WithTimeout(t.Context(), lease+lease/2)
			defer stop()
			require.ErrorIs(t, other.Update(wait, "key", returning("other")), context.DeadlineExceeded)
			require.NoError(t, fctx.Err())
			return []byte("1"), time.Time{}, nil
		}))
		require.Equal(t, "1", kept(t, other, "key"))
	})

	t.Run("when f has returned: it is saved as soon as Redis is back", func(t *testing.T) {
		back := make(chan struct{})
		require.NoError(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
			r.kill()
			time.AfterFunc(lease/3, func() {
				defer close(back)
				r.start(t)
			})
			return []byte("2"), time.Time{}, nil
		}))
		receive(t, back, "the restart")
		require.Equal(t, "2", kept(t, other, "key"))
	})

	t.Run("while f runs, for longer than the lease: f is told, and what it returns is kept", func(t *testing.T) {
		require.NoError(t, s.Update(patient(t), "key", func(fctx context.Context, _ []byte) ([]byte, time.Time, error) {
			r.kill()
			receive(t, fctx.Done(), "the end of f's context")
			require.ErrorIs(t, context.Cause(fctx), redisstore.ErrLeaseLost)
			r.start(t)
			return []byte("3"), time.Time{}, nil
		}))
		require.Equal(t, "3", kept(t, other, "key"))
	})

	t.Run("for too long: an error says so, and what was kept is kept", func(t *testing.T) {
		began := time.Now()
		err := s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
			r.kill()
			return []byte("4"), time.Time{}, nil
		})
		require.ErrorContains(t, err, `redisstore: cannot keep what is new under "key": given up after 1s: `)
		require.NotErrorIs(t, err, redisstore.ErrLeaseLost)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context is not over")
		require.Less(t, time.Since(began), lease+5*time.Second)
		r.start(t)
		require.Equal(t, "3", kept(t, other, "key"))
	})

	require.Equal(t, "value", kept(t, s, "untouched"))
}

// Every Update adds its number to the value, so that one that is lost, or that
// came in twice, shows.
func TestRestartsOfRedisLoseNoUpdateItAnsweredFor(t *testing.T) {
	const writers, restarts = 3, 6
	r := startServer(t)
	ctx, cancel := context.WithCancel(patient(t))
	defer cancel()
	var mu sync.Mutex // guards acknowledged
	acknowledged := make(map[string]bool)
	var wg sync.WaitGroup
	for w := range writers {
		s := &redisstore.Store{Client: newClient(t, &redis.Options{Addr: r.addr}), Lease: 2 * time.Second}
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				number := fmt.Sprintf("%d-%d", w, n)
				err := s.Update(ctx, "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
					return append(append(old, number...), ' '), time.Time{}, nil
				})
				mu.Lock()
				acknowledged[number] = err == nil
				mu.Unlock()
			}
		})
	}
	for range restarts {
		<-time.After(50*time.Millisecond + rand.N(200*time.Millisecond)) // a crash keeps no schedule
		r.kill()
		r.start(t)
	}
	cancel()
	wg.Wait()

	s := &redisstore.Store{Client: newClient(t, &redis.Options{Addr: r.addr})}
	times, sure, unsure := make(map[string]int), 0, 0
	for number := range strings.FieldsSeq(kept(t, s, "key")) {
		times[number]++
	}
	for number, ok := range acknowledged {
		if ok {
			sure++
			assert.Equal(t, 1, times[number], "how often Update %s is there", number)
		} else {
			unsure++
			assert.LessOrEqual(t, times[number], 1, "how often Update %s is there", number)
		}
	}
	require.Greater(t, sure, 10*restarts)
	t.Logf("%d restarts: %d Updates acknowledged, %d failed, none lost", restarts, sure, unsure)
}
