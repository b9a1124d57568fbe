package storetest

import (
	"context"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// outage is how long a store is away: a moment for whoever restarts a server.
const outage = time.Second

func testReadOnly(t *testing.T, s Shared, place string) {
	store := s.Open(t, place)
	keep(t, store, "key", "old")
	writable := s.ReadOnly(t, place)
	for _, key := range []string{"key", "missing"} {
		var in intruder
		ctx := patient(t)
		err := soon(t, "an Update of a store that refuses writes", func() error { return store.Update(ctx, key, in.f) })
		require.False(t, in.ran.Load(), "f runs, and spends a refresh token, though what it returns cannot be kept")
		require.Error(t, err, "Update of a store that refuses writes")
		require.NotErrorIs(t, err, fs.ErrNotExist, "Update of a store that refuses writes")
		require.NotErrorIs(t, err, context.DeadlineExceeded, "Update of a store that refuses writes waited for it to change its mind")
	}
	require.Equal(t, "old", kept(t, store, "key"))
	require.Equal(t, []string{"key"}, allKeys(t, store))
	_, err := store.Load(patient(t), "missing")
	require.ErrorIs(t, err, fs.ErrNotExist, "Load of a missing key from a store that refuses writes")
	writable()
	keep(t, store, "key", "new")
	require.Equal(t, "new", kept(t, store, "key"), "what was kept once the store could be written to again")
}

// wait lets the outage pass.
func wait() { <-time.After(outage) }

// Whether a call fails at once or waits for the store is up to the store.
func testAway(t *testing.T, s Shared, place string) {
	store := s.Open(t, place)
	keep(t, store, "key", "old")
	calls := map[string]func(ctx context.Context) error{
		"Load": func(ctx context.Context) error {
			value, err := store.Load(ctx, "key")
			if err == nil {
				assert.Equal(t, "old", string(value), "what Load returned")
			}
			return err
		},
		"Update": func(ctx context.Context) error {
			return store.Update(ctx, "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
				assert.Equal(t, "old", string(old), "what f was given")
				return old, time.Time{}, nil
			})
		},
		"Each": func(ctx context.Context) error {
			n := 0
			err := store.Each(ctx, time.Time{}, func(string, []byte) error {
				n++
				return nil
			})
			if err == nil {
				assert.Equal(t, 1, n, "how many keys Each showed")
			}
			return err
		},
		"Delete": func(ctx context.Context) error { return store.Delete(ctx, "gone") },
	}
	done := make(map[string]chan error)
	back := s.Away(t, place)
	for name, call := range calls {
		c := make(chan error, 1)
		done[name] = c
		go func() { c <- call(patient(t)) }()
	}
	wait()
	back()
	for name, done := range done {
		err := receive(t, done, "a call of "+name+" that began while the store was away")
		assert.NotErrorIs(t, err, fs.ErrNotExist, "%s while the store was away", name)
	}
	require.Equal(t, "old", kept(t, store, "key"), "once the store was back")
	keep(t, store, "key", "new")
	require.Equal(t, "new", kept(t, store, "key"))
}

func testAwayInside(t *testing.T, s Shared, place string) {
	store := s.Open(t, place)
	keep(t, store, "key", "old")

	h := hold(t, patient(t), store, "key")
	back := s.Away(t, place)
	wait()
	back()
	require.NoError(t, h.release(t, "first", nil), "an Update while whose f the store was away for %v", outage)
	require.Equal(t, "first", kept(t, store, "key"))

	h = hold(t, patient(t), store, "key")
	back = s.Away(t, place)
	h.leave <- outcome{value: "second"}
	wait()
	back()
	require.NoError(t, receive(t, h.done, "the Update whose f has returned"), "an Update that found the store away for %v when it came to save", outage)
	require.Equal(t, "second", kept(t, s.Open(t, place), "key"))
}
