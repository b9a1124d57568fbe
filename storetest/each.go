package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
)

// allKeys returns the keys that Each calls f with when it is given no time.
func allKeys(t *testing.T, s pinterest.Store) []string {
	t.Helper()
	var keys []string
	require.NoError(t, s.Each(patient(t), time.Time{}, func(key string, _ []byte) error {
		keys = append(keys, key)
		return nil
	}), "Each")
	return keys
}

// seen returns what Each calls f with.
func seen(t *testing.T, s pinterest.Store, before time.Time) map[string]string {
	t.Helper()
	found := make(map[string]string)
	require.NoError(t, s.Each(patient(t), before, func(key string, value []byte) error {
		_, twice := found[key]
		assert.False(t, twice, "Each calls f with %.50q twice", key)
		assert.NotNil(t, value, "Each calls f with a nil value for %.50q: what is kept may be empty, but is there", key)
		found[key] = string(value)
		return nil
	}), "Each")
	return found
}

// requireDue shows that Each calls f with key before now.
func requireDue(t *testing.T, s pinterest.Store, key, value, why string) {
	t.Helper()
	found := seen(t, s, time.Now())
	require.Contains(t, found, key, "a key that is due is left out: %s", why)
	require.Equal(t, value, found[key], "what Each hands out for %q: %s", key, why)
}

func testEachDue(t *testing.T, s pinterest.Store) {
	require.Empty(t, seen(t, s, time.Time{}), "what an empty store shows")
	require.Empty(t, seen(t, s, time.Now()), "what an empty store shows as due")

	now := time.Now().Round(0) // whose reading of the monotonic clock would not be kept
	dues := map[string]time.Time{
		"never":                      {},
		"in antiquity":               time.Time{}.Add(1),
		"before Unix time":           time.Unix(-1, -1),
		"when Unix time began":       time.Unix(0, 0),
		"yesterday":                  now.Add(-24 * time.Hour),
		"a second ago, in Chatham":   now.Add(-time.Second).In(time.FixedZone("+1345", 13*3600+45*60)),
		"a millisecond ago":          now.Add(-time.Millisecond),
		"a nanosecond ago":           now.Add(-1),
		"now":                        now,
		"in a nanosecond":            now.Add(1),
		"in an hour":                 now.Add(time.Hour),
		"in an hour and a bit":       now.Add(time.Hour + 1),
		"in some ten thousand years": time.Date(9999, time.December, 31, 23, 59, 59, 999_999_999, time.UTC),
	}
	for key, due := range dues {
		keepDue(t, s, key, key, due)
	}
	for _, before := range []time.Time{now, now.Add(1), now.Add(999), now.Add(time.Millisecond), now.Add(time.Hour + 1), now.Add(time.Hour + 2)} {
		found := seen(t, s, before)
		for key, due := range dues {
			if !due.IsZero() && due.Before(before) {
				require.Contains(t, found, key, "Each before %v leaves out a key that is due at %v; a store that cannot tell calls f with every key", before, due)
			}
		}
		for key, value := range found {
			require.Equal(t, key, value, "what Each hands out for %q", key)
		}
	}
	want := slices.Collect(maps.Keys(dues))
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(seen(t, s, time.Time{}))), "what Each shows if it is given no time: every key, due or not")
}

func testDueChanges(t *testing.T, s pinterest.Store) {
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	keepDue(t, s, "never", "first", time.Time{})
	keepDue(t, s, "never", "second", past)
	requireDue(t, s, "never", "second", "an Update gave a due to a key that had none")

	keepDue(t, s, "later", "first", future)
	keepDue(t, s, "later", "second", past)
	requireDue(t, s, "later", "second", "an Update made it due earlier than it was")

	keepDue(t, s, "earlier", "first", past)
	keepDue(t, s, "earlier", "second", future)
	found := seen(t, s, future.Add(time.Second))
	require.Equal(t, "second", found["earlier"], "a key whose due an Update made later is due then")

	keepDue(t, s, "deleted", "first", future)
	require.NoError(t, s.Delete(patient(t), "deleted"))
	keepDue(t, s, "deleted", "second", past)
	requireDue(t, s, "deleted", "second", "an Update gave a due to a key that had been deleted")
	require.NoError(t, s.Delete(patient(t), "deleted"))
	require.NotContains(t, seen(t, s, time.Now()), "deleted", "what is deleted is not due")
}

func testDueAfterFailure(t *testing.T, s pinterest.Store) {
	past := time.Now().Add(-time.Hour)
	keepDue(t, s, "key", "value", past)
	for name, due := range map[string]time.Time{"never": {}, "in an hour": time.Now().Add(time.Hour)} {
		require.ErrorIs(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
			return []byte("must not be kept"), due, errRefused
		}), errRefused)
		requireDue(t, s, "key", "value", "an Update whose f failed made it due "+name)
	}
	require.Panics(t, func() {
		_ = s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) { panic("f panics") })
	})
	requireDue(t, s, "key", "value", "an Update whose f panicked changed it")

	require.ErrorIs(t, s.Update(patient(t), "missing", func(context.Context, []byte) ([]byte, time.Time, error) {
		return nil, past, errRefused
	}), errRefused)
	require.NotContains(t, seen(t, s, time.Now()), "missing", "an Update that failed made a key")
}

func testEachValues(t *testing.T, s pinterest.Store) {
	const many = 20
	past := time.Now().Add(-time.Hour)
	for i := range many {
		keepDue(t, s, fmt.Sprint(i), whole(i), past)
	}
	keepDue(t, s, "empty", "", past)
	for _, before := range []time.Time{{}, time.Now()} {
		held := make(map[string][]byte)
		each := func(then func(value []byte)) {
			t.Helper()
			n := 0
			require.NoError(t, s.Each(patient(t), before, func(key string, value []byte) error {
				n++
				if key == "empty" {
					assert.NotNil(t, value, "the value of a key that holds an empty one: nil would say that nothing is kept")
					assert.Empty(t, value, "the value of a key that holds an empty one")
				} else {
					assert.Equal(t, key, fmt.Sprint(requireWhole(t, string(value))), "Each hands out another key's value")
				}
				held[key] = value
				then(value)
				return nil
			}))
			require.Equal(t, many+1, n, "how many keys Each called f with")
		}
		each(func([]byte) {})
		for i := range many {
			keepDue(t, s, fmt.Sprint(i), whole(i+many), past)
		}
		for i := range many {
			require.True(t, string(held[fmt.Sprint(i)]) == whole(i), "a value that f was given changed afterwards: it is not f's own")
			keepDue(t, s, fmt.Sprint(i), whole(i), past)
		}
		each(scribble)
		each(func([]byte) {}) // which fails if f could write to what is kept
	}
}

func testEachError(t *testing.T, s pinterest.Store) {
	const many = 12
	for i := range many {
		keepDue(t, s, fmt.Sprint("key ", i), "value", time.Now().Add(-time.Hour))
	}
	for _, before := range []time.Time{{}, time.Now()} {
		for _, failed := range []error{errRefused, fmt.Errorf("no: %w", errRefused), context.DeadlineExceeded} {
			for _, last := range []int{1, 2, many} {
				n := 0
				err := s.Each(patient(t), before, func(string, []byte) error {
					if n++; n >= last {
						return failed
					}
					return nil
				})
				require.ErrorIs(t, err, failed, "what Each returns when f has failed")
				require.Equal(t, last, n, "how often f ran though its call %d failed", last)
			}
		}
	}
}

// Half are updated and half deleted while Each stands still, as a sweep over all
// accounts does, and others are changed before Each comes to them.
func testEachUse(t *testing.T, s pinterest.Store) {
	const many = 30
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for _, before := range []time.Time{{}, time.Now()} {
		left := make(map[string]bool) // what Each has still to come to
		for i := range many {
			key := fmt.Sprint("key ", i)
			keepDue(t, s, key, "before", past)
			left[key] = true
		}
		another := func() string { // or "" if there is none
			for key := range left {
				return key
			}
			return ""
		}
		calls := make(map[string]int)
		n := 0
		err := s.Each(patient(t), before, func(key string, value []byte) error {
			if strings.HasPrefix(key, "new") {
				return nil
			}
			n++
			calls[key]++
			delete(left, key)
			assert.Contains(t, []string{"before", "after"}, string(value))
			if n%2 == 0 {
				require.NoError(t, s.Delete(patient(t), key), "Delete of the key that f is called with")
			} else {
				keepDue(t, s, key, "after", future)
				assert.Equal(t, "after", kept(t, s, key))
			}
			keepDue(t, s, fmt.Sprint("new ", n), "new", past)
			if other := another(); other != "" {
				keepDue(t, s, other, "after", past)
			}
			if other := another(); other != "" && n%5 == 0 {
				require.NoError(t, s.Delete(patient(t), other), "Delete of another key")
				delete(left, other) // f may be called with it all the same
			}
			if n == 3 {
				assert.Contains(t, allKeys(t, s), key, "what an Each within an Each sees")
			}
			return nil
		})
		require.NoError(t, err, "Each")
		require.Empty(t, left, "keys that were there from beginning to end and that Each left out")
		for key, times := range calls {
			require.Equal(t, 1, times, "how often f was called with %q", key)
		}
		for _, key := range allKeys(t, s) {
			require.NoError(t, s.Delete(patient(t), key))
		}
	}
}

func testEachLeft(t *testing.T, s pinterest.Store) {
	past := time.Now().Add(-time.Hour)
	for i := range 5 {
		keepDue(t, s, fmt.Sprint("key ", i), "value", past)
	}
	leave := func(how func() error) func(string, []byte) error {
		n := 0
		return func(string, []byte) error {
			if n++; n == 2 {
				return how()
			}
			return nil
		}
	}
	for _, before := range []time.Time{{}, time.Now()} {
		for range 20 { // what was left open would run out
			require.ErrorIs(t, s.Each(patient(t), before, leave(func() error { return errRefused })), errRefused, "an Each after others whose f had failed or panicked")
			require.PanicsWithValue(t, "f panics", func() {
				_ = s.Each(patient(t), before, leave(func() error { panic("f panics") }))
			}, "f runs, and its panic gets through, though an f has failed or panicked before")
		}
		gone := make(chan struct{})
		go func() { // as a test that fails inside f does
			defer close(gone)
			_ = s.Each(patient(t), before, leave(func() error {
				runtime.Goexit()
				return nil
			}))
		}()
		receive(t, gone, "the Each whose f ended its goroutine")
	}
	keepDue(t, s, "key 0", "changed", past)
	require.Equal(t, "changed", kept(t, s, "key 0"))
	require.NoError(t, s.Delete(patient(t), "key 1"))
	require.Len(t, allKeys(t, s), 4)
}

func testEachDuringChanges(t *testing.T, s pinterest.Store) {
	const stable, changes = 20, 100
	past := time.Now().Add(-time.Hour)
	times := make(map[string]int)
	for i := range stable {
		for _, key := range []string{fmt.Sprint("stable ", i), fmt.Sprint("changing ", i)} {
			keepDue(t, s, key, "0", past)
			times[key] = 0
		}
	}
	stop := make(chan struct{})
	var changed atomic.Int32
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				passing := fmt.Sprint("passing ", w, " ", i%20)
				assert.NoError(t, s.Update(patient(t), passing, returningDue("1", past)))
				assert.NoError(t, s.Update(patient(t), fmt.Sprint("changing ", i%stable), returningDue(fmt.Sprint(i), past)))
				assert.NoError(t, s.Delete(patient(t), passing))
				changed.Add(1)
			}
		})
	}
	defer wg.Wait()
	defer close(stop)
	before := time.Time{}
	for began := time.Now(); changed.Load() < changes; {
		require.Less(t, time.Since(began), patience, "changes are slow, or wait for Each")
		calls := maps.Clone(times)
		require.NoError(t, s.Each(patient(t), before, func(key string, _ []byte) error {
			if !strings.HasPrefix(key, "passing ") {
				assert.Contains(t, times, key, "a key nobody kept")
				calls[key]++
			}
			return nil
		}))
		for key, n := range calls {
			if !before.IsZero() && strings.HasPrefix(key, "changing ") && n == 0 {
				continue // an Update of it was running
			}
			require.Equal(t, 1, n, "how often f was called with %q, which was there from beginning to end", key)
		}
		if before.IsZero() {
			before = time.Now()
		} else {
			before = time.Time{}
		}
	}
}

func testEachContext(t *testing.T, s pinterest.Store) {
	for i := range 12 {
		keepDue(t, s, fmt.Sprint("key ", i), "value", time.Now().Add(-time.Hour))
	}
	why := errors.New("the operator ends the sweep")
	for _, before := range []time.Time{{}, time.Now()} {
		ctx, cancel := context.WithCancelCause(patient(t))
		n := 0
		err := s.Each(ctx, before, func(string, []byte) error {
			if n++; n == 3 {
				cancel(why)
			}
			return nil
		})
		require.ErrorIs(t, err, context.Canceled, "what Each returns when its context is over")
		require.Equal(t, 3, n, "how often f ran though the context was over after the third time")
	}
}

// What a sweep renews may be due again at once, and a sweep that met it again
// would go on for ever.
func testEachMovedAhead(t *testing.T, s pinterest.Store) {
	const many, writers = 300, 4 // more than a page has
	now := time.Now()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < many; i += writers {
				assert.NoError(t, s.Update(patient(t), fmt.Sprint("key ", i), returningDue("", now.Add(time.Duration(i-many)*time.Second))))
			}
		})
	}
	wg.Wait()
	n, times := 0, make(map[string]int)
	require.NoError(t, s.Each(patient(t), now.Add(time.Hour), func(key string, _ []byte) error {
		if n++; n > many {
			return errors.New("f was called more often than there are keys: again with those that it gave a later due")
		}
		times[key]++
		return s.Update(patient(t), key, returningDue("", now.Add(time.Duration(n)*time.Second)))
	}), "Each")
	require.Len(t, times, many, "the keys that f was called with, and gave a later due that is still before the given time")
}
