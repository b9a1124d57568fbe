package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
)

func testContextOver(t *testing.T, s pinterest.Store) {
	keep(t, s, "key", "value")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()

	_, err := s.Load(ctx, "key")
	require.ErrorIs(t, err, context.Canceled, "Load")
	for range 20 { // a lock that is free must not win by chance
		var in intruder
		require.ErrorIs(t, s.Update(ctx, "key", in.f), context.Canceled, "Update")
		require.False(t, in.ran.Load(), "f runs though the context is over")
		require.ErrorIs(t, s.Delete(ctx, "key"), context.Canceled, "Delete")
	}
	require.Equal(t, "value", kept(t, s, "key"))

	for _, before := range []time.Time{{}, time.Now()} {
		require.ErrorIs(t, s.Each(ctx, before, func(string, []byte) error {
			assert.Fail(t, "Each calls f though the context is over")
			return nil
		}), context.Canceled, "Each")
	}
}

func testWaiterLeaves(t *testing.T, s pinterest.Store) {
	keep(t, s, "key", "0")
	h := hold(t, patient(t), s, "key")

	// Ten wait; half of them may leave.
	ctx, cancel := context.WithCancel(patient(t))
	left, stayed := make(chan error, 5), make(chan error, 5)
	var in intruder
	for range 5 {
		go func() { left <- s.Update(ctx, "key", in.f) }()
		go func() {
			stayed <- s.Update(patient(t), "key", increment)
		}()
	}
	requireHeld(t, s, "key") // by now they stand in line
	cancel()
	for range 5 {
		require.ErrorIs(t, receive(t, left, "a waiter whose context is over"), context.Canceled)
	}
	select {
	case err := <-stayed:
		require.FailNow(t, "a waiter got in while another was inside, or gave up", "%v", err)
	default:
	}
	require.NoError(t, h.release(t, "10", nil))
	for range 5 {
		require.NoError(t, receive(t, stayed, "a waiter whose turn it is"))
	}
	require.Equal(t, "15", kept(t, s, "key"))
	require.False(t, in.ran.Load(), "f ran for a waiter that had left")
}

type contextKey struct{}

func testContextOfF(t *testing.T, s pinterest.Store) {
	ctx, cancel := context.WithCancel(context.WithValue(patient(t), contextKey{}, "value"))
	defer cancel()
	h := hold(t, ctx, s, "key")
	require.Equal(t, "value", h.ctx.Value(contextKey{}))
	require.NoError(t, h.ctx.Err())
	cancel()
	receive(t, h.ctx.Done(), "f's context to end with the caller's")
	require.ErrorIs(t, h.release(t, "", h.ctx.Err()), context.Canceled)

	// The lock was not left behind.
	keep(t, s, "key", "value")
}

func testContextEndsInside(t *testing.T, s pinterest.Store) {
	keep(t, s, "key", "before")
	ctx, cancel := context.WithCancel(context.Background())
	h := hold(t, ctx, s, "key")
	cancel()
	receive(t, h.ctx.Done(), "f's context to end with the caller's")
	requireHeld(t, s, "key")
	require.Equal(t, "before", kept(t, s, "key"))
	require.NoError(t, h.release(t, "a new refresh token", nil))
	require.Equal(t, "a new refresh token", kept(t, s, "key"))

	require.NoError(t, s.Update(patient(t), "key", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
		assert.Equal(t, "a new refresh token", string(old))
		return []byte("newer"), time.Time{}, nil
	}))
	require.Equal(t, "newer", kept(t, s, "key"))
}
