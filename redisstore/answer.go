package redisstore

import (
	"context"
	"errors"
	"fmt"
)

// answer returns what call does, or the context's error as soon as ctx is over.
// go-redis heeds a context while it dials and between two tries, but waits for
// an answer until its own timeout, however often that is tried. If the answer
// comes after all, or a failure does, late is told; it may be nil.
func answer[T any](ctx context.Context, call func() (T, error), late func()) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	results := make(chan result)
	go func() {
		value, err := call()
		select {
		case results <- result{value, err}:
		case <-ctx.Done():
			if late != nil {
				late()
			}
		}
	}()
	select {
	case r := <-results:
		if over := ctx.Err(); r.err != nil && over != nil && !errors.Is(r.err, over) {
			r.err = fmt.Errorf("%w: %w", over, r.err)
		}
		return r.value, r.err
	case <-ctx.Done():
		return none, fmt.Errorf("no answer from Redis yet: %w", ctx.Err())
	}
}
