package sqlstore

import (
	"context"
	"sync"
)

// turns lets one goroutine of this process at a time have a key. Those who wait
// can leave by their contexts. The zero value is ready to use.
type turns struct {
	mu    sync.Mutex               // guards taken
	taken map[string]chan struct{} // closed when its holder is done
}

// take waits until nobody has key, and returns what gives it up.
func (t *turns) take(ctx context.Context, key string) (give func(), err error) {
	for ctx.Err() == nil {
		t.mu.Lock()
		done, taken := t.taken[key]
		if !taken {
			if t.taken == nil {
				t.taken = make(map[string]chan struct{})
			}
			done = make(chan struct{})
			t.taken[key] = done
		}
		t.mu.Unlock()
		if !taken {
			return func() {
				t.mu.Lock()
				delete(t.taken, key)
				t.mu.Unlock()
				close(done)
			}, nil
		}
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	return nil, ctx.Err()
}
