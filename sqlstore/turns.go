package sqlstore

import (
	"context"
	"sync"
)

// turns lets one goroutine of this process at a time have a key.
type turns struct {
	mu    sync.Mutex               // guards taken
	taken map[string]chan struct{} // closed when its holder is done
}

// take waits for key's turn; give ends it.
func (t *turns) take(ctx context.Context, key string) (give func(), err error) {
	for {
		t.mu.Lock()
		held := t.taken[key]
		if held == nil {
			if t.taken == nil {
				t.taken = make(map[string]chan struct{})
			}
			done := make(chan struct{})
			t.taken[key] = done
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.taken, key)
				t.mu.Unlock()
				close(done)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
