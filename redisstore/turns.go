package redisstore

import (
	"context"
	"sync"
)

// turns lets one goroutine of this process at a time have a key, so that one
// alone asks Redis for the lease.
type turns struct {
	mu    sync.Mutex               // guards taken
	taken map[string]chan struct{} // closed when its holder is done
}

// take waits for key's turn, which the caller gives up by calling give.
func (t *turns) take(ctx context.Context, key string) (give func(), err error) {
	for {
		t.mu.Lock()
		done, ok := t.taken[key]
		if !ok {
			if t.taken == nil {
				t.taken = make(map[string]chan struct{})
			}
			done = make(chan struct{})
			t.taken[key] = done
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.taken, key)
				close(done)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
