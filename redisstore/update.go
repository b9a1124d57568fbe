package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Update runs f on what is kept under key (nil if nothing) and durably keeps the
// value that f returns, and when it is due, rounded down to a millisecond; as
// durably as Redis does: see the package's comment. While f runs no other Update
// of key runs, in any process that shares the store. If f fails nothing changes
// and Update returns f's error.
//
// Should the lease be lost, the context that f runs under ends, and an error of
// f is then [ErrLeaseLost] too. What f returns without an error is kept unless
// another Update or Delete came in meanwhile; then it is ErrLeaseLost.
//
// What f returned is kept though ctx be over. If Redis cannot be reached then,
// Update tries for as long as a Lease before it fails.
func (s *Store) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) (value []byte, due time.Time, err error)) error {
	if err := s.ready(ctx, key); err != nil {
		return err
	}
	if err := s.refuseEviction(ctx); err != nil {
		return failure(fmt.Sprintf("update %q", key), err)
	}
	give, err := s.turns.take(ctx, key)
	if err != nil {
		return failure(fmt.Sprintf("update %q", key), err)
	}
	defer give()
	l, err := s.take(ctx, key)
	if err != nil {
		return failure(fmt.Sprintf("update %q", key), err)
	}
	saved := false
	defer func() { // also if f panics
		if !saved {
			s.letGo(ctx, l.names, l.id)
		}
	}()

	fctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	holding, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go l.extend(holding, lost)

	value, due, err := f(fctx, l.old)
	if err != nil {
		if why := context.Cause(fctx); errors.Is(why, ErrLeaseLost) && !errors.Is(err, ErrLeaseLost) {
			return fmt.Errorf("%w (%w)", err, why)
		}
		return err
	}
	if err := l.save(ctx, value, due); err != nil {
		return failure(fmt.Sprintf("keep what is new under %q", key), err)
	}
	saved = true
	return nil
}

// Delete forgets key; a missing key is no error. It waits for its turn as an
// Update does.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.ready(ctx, key); err != nil {
		return err
	}
	give, err := s.turns.take(ctx, key)
	if err != nil {
		return failure(fmt.Sprintf("delete %q", key), err)
	}
	defer give()
	if _, _, err := s.await(ctx, deleteScript, s.names(key), rand.Text(), key, 2*s.lease().Milliseconds()); err != nil {
		return failure(fmt.Sprintf("delete %q", key), err)
	}
	return nil
}
