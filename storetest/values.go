package storetest

import (
	"context"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
)

func testMissing(t *testing.T, s pinterest.Store) {
	_, err := s.Load(patient(t), "missing")
	require.ErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, s.Update(patient(t), "missing", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
		assert.Nil(t, old, "what f is given for a missing key")
		return []byte("found"), time.Time{}, nil
	}))
	require.Equal(t, "found", kept(t, s, "missing"))
	require.NoError(t, s.Delete(patient(t), "never there"))
	require.Equal(t, []string{"missing"}, allKeys(t, s))
}

func testUpdate(t *testing.T, s pinterest.Store) {
	keep(t, s, "key", "first")
	keep(t, s, "other", "untouched")
	runs := 0
	require.NoError(t, s.Update(patient(t), "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
		runs++
		assert.Equal(t, "first", string(old))
		return []byte("second"), time.Time{}, nil
	}))
	require.Equal(t, 1, runs, "how often f ran")
	require.Equal(t, "second", kept(t, s, "key"))
	require.Equal(t, "untouched", kept(t, s, "other"))
}

func testEmptyValue(t *testing.T, s pinterest.Store) {
	for _, empty := range [][]byte{nil, {}} {
		require.NoError(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) { return empty, time.Time{}, nil }))
		require.Empty(t, kept(t, s, "key"))
		require.Equal(t, []string{"key"}, allKeys(t, s))
		require.ErrorIs(t, s.Update(patient(t), "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
			assert.NotNil(t, old, "nil would say that nothing is kept")
			assert.Empty(t, old)
			return nil, time.Time{}, errRefused
		}), errRefused)
	}
}

func testValues(t *testing.T, s pinterest.Store) {
	var everyByte strings.Builder
	for b := range 256 {
		everyByte.WriteByte(byte(b))
	}
	for name, value := range map[string]string{
		"every byte":    everyByte.String(),
		"zeros":         strings.Repeat("\x00", 100),
		"invalid UTF-8": "\xff\xfe\xc3\x28\xed\xa0\x80",
		"line ends":     "\r\n\n\r \t\x1a",
		"quotes":        `'"\` + "`%s$1;--",
		"64 KiB":        strings.Repeat("0123456789abcdef", 64<<6),
		"64 KiB + 1":    strings.Repeat("0123456789abcdef", 64<<6) + "!",
		"1 MiB":         strings.Repeat(everyByte.String(), 1<<12),
	} {
		keep(t, s, "key", value)
		require.True(t, value == kept(t, s, "key"), "a value of %s is not what was kept", name)
		err := s.Update(patient(t), "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
			assert.True(t, value == string(old), "a value of %s is not what f is given", name)
			return nil, time.Time{}, errRefused
		})
		require.ErrorIs(t, err, errRefused)
	}
}

func testError(t *testing.T, s pinterest.Store) {
	refuse := func(context.Context, []byte) ([]byte, time.Time, error) {
		return []byte("must not be kept"), time.Now(), fmt.Errorf("no: %w", errRefused)
	}
	require.ErrorIs(t, s.Update(patient(t), "missing", refuse), errRefused)
	_, err := s.Load(patient(t), "missing")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Empty(t, allKeys(t, s))

	keep(t, s, "key", "good")
	runs := 0
	err = s.Update(patient(t), "key", func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		runs++
		return refuse(ctx, old)
	})
	require.ErrorIs(t, err, errRefused)
	require.Equal(t, 1, runs, "how often f ran")
	require.Equal(t, "good", kept(t, s, "key"))

	// f's own context errors are no less f's.
	require.ErrorIs(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
		return nil, time.Time{}, context.DeadlineExceeded
	}), context.DeadlineExceeded)
	require.Equal(t, "good", kept(t, s, "key"))
}

func testPanic(t *testing.T, s pinterest.Store) {
	keep(t, s, "key", "good")
	require.PanicsWithValue(t, "f panics", func() {
		_ = s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) { panic("f panics") })
	})
	require.Equal(t, "good", kept(t, s, "key"))
	keep(t, s, "key", "after a panic")

	// A test that fails inside f ends its goroutine this way.
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
			runtime.Goexit()
			return nil, time.Time{}, nil
		})
	}()
	receive(t, gone, "the Update whose f ended its goroutine")
	require.Equal(t, "after a panic", kept(t, s, "key"))
	keep(t, s, "key", "after all")
	require.Equal(t, "after all", kept(t, s, "key"))
}

// scribble writes to all that b can reach.
func scribble(b []byte) {
	for i := range b[:cap(b)] {
		b[:cap(b)][i] = 'x'
	}
}

func testOwnership(t *testing.T, s pinterest.Store) {
	given := []byte("first")
	require.NoError(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) { return given, time.Time{}, nil }))
	scribble(given)
	require.Equal(t, "first", kept(t, s, "key"), "after the caller wrote to what f had returned")

	loaded, err := s.Load(patient(t), "key")
	require.NoError(t, err)
	scribble(loaded)
	require.Equal(t, "first", kept(t, s, "key"), "after the caller wrote to what Load had returned")

	require.ErrorIs(t, s.Update(patient(t), "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
		scribble(old)
		return nil, time.Time{}, errRefused
	}), errRefused)
	require.Equal(t, "first", kept(t, s, "key"), "after f wrote to what it was given and failed")

	var old []byte
	require.NoError(t, s.Update(patient(t), "key", func(_ context.Context, b []byte) ([]byte, time.Time, error) {
		old = b
		return []byte("other"), time.Time{}, nil
	}))
	loaded, err = s.Load(patient(t), "key")
	require.NoError(t, err)
	keep(t, s, "key", "third")
	require.Equal(t, "third", kept(t, s, "key"))
	require.Equal(t, "first", string(old), "what f was given, two Updates later")
	require.Equal(t, "other", string(loaded), "what Load returned, an Update later")
}
