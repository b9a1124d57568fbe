package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// ErrLeaseLost is the error of an Update that was shut out for longer than its
// lease, because the process stood still or could not reach Redis, while another
// Update or Delete came in: what f returned is not kept any more, or never was, and
// what is kept may be newer. It is also the [context.Cause] that ends the context
// of f as soon as the lease may have run out.
var ErrLeaseLost = errors.New("redisstore: lease lost")

// A lease keeps others from a key while an Update runs.
type lease struct {
	store *Store
	key   string
	names []string
	id    string
	until time.Time // Redis keeps others out until then, or longer
	old   []byte    // what was kept when it began; nil: nothing
	by    string    // the id of who wrote that; empty: nothing was kept
}

// take waits for the lease on key.
func (s *Store) take(ctx context.Context, key string) (*lease, error) {
	l := &lease{store: s, key: key, names: s.names(key), id: rand.Text()}
	reply, asked, err := s.await(ctx, takeScript, l.names, l.id, s.lease().Milliseconds())
	if err != nil {
		return nil, err
	}
	// Redis counts from when it was reached. Who counts from before that never
	// believes in the lease for longer than Redis does.
	l.until = asked.Add(s.lease())
	record := reply.([]any)
	if value, ok := record[0].(string); ok {
		l.old = []byte(value)
	}
	l.by, _ = record[1].(string)
	return l, nil
}

// extend keeps the lease from running out until ctx is over. If it runs out all
// the same, or may have, lost is told.
func (l *lease) extend(ctx context.Context, lost context.CancelCauseFunc) {
	whole := l.store.lease()
	for next := whole / 3; ; {
		select {
		case <-time.After(next):
		case <-ctx.Done():
			return
		}
		asked := time.Now()
		attempt, cancel := context.WithDeadline(ctx, l.until)
		extended, err := answer(attempt, func() (int, error) {
			return l.store.Client.Eval(attempt, extendScript, l.names, l.id, whole.Milliseconds()).Int()
		}, nil)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && extended == 1:
			l.until, next = asked.Add(whole), whole/3
		case err == nil:
			lost(fmt.Errorf("%w: Redis has it no more", ErrLeaseLost))
			return
		case !time.Now().Before(l.until):
			lost(fmt.Errorf("%w: not extended in time: %w", ErrLeaseLost, err))
			return
		default:
			next = min(whole/20, time.Until(l.until))
		}
	}
}

// save keeps value and due and lets the lease go. It does so even if ctx is over, and
// tries for as long as a lease, since value may be all there is of a token.
//
// Redis decides whether the lease was lost, not the clock of this process. A
// lease that lapsed and that nobody missed is as good as one held.
func (l *lease) save(ctx context.Context, value []byte, due time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.store.lease())
	defer cancel()
	var failed error
	for {
		saved, err := answer(ctx, func() (int, error) {
			return l.store.Client.Eval(ctx, saveScript, l.names, l.id, l.by, l.key, value, milliseconds(due)).Int()
		}, nil)
		if err == nil && saved == 1 {
			return nil
		}
		if err == nil {
			return fmt.Errorf("%w: another was in", ErrLeaseLost)
		}
		if ctx.Err() == nil {
			failed = err
		} else if failed == nil { // the deadline is not the caller's to be told of
			failed = errors.New("no answer from Redis")
		}
		if pause(ctx, longestPause) != nil {
			return fmt.Errorf("given up after %v: %w", l.store.lease(), failed)
		}
	}
}
