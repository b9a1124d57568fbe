package sqlstore

import (
	"context"
	"sync"
)

// Turns lets one goroutine at a time of this process have a key. Whoever waits
// here waits without a connection, so that many waiters for one key cannot use
// up the pool, and the database has one waiter a key and process.
type turns struct {
	mu    sync.Mutex // guards slots and every slot's users
	slots map[string]*slot
}

// A slot is had by sending to c and given up by receiving, so that those who
// wait can leave by their contexts.
type slot struct {
	c     chan struct{}
	users int // who have it or wait for it
}

// take waits for key's turn; give ends it.
func (t *turns) take(ctx context.Context, key string) (give func(), err error) {
	t.mu.Lock()
	if t.slots == nil {
		t.slots = make(map[string]*slot)
	}
	s := t.slots[key]
	if s == nil {
		s = &slot{c: make(chan struct{}, 1)}
		t.slots[key] = s
	}
	s.users++
	t.mu.Unlock()

	select {
	case s.c <- struct{}{}:
		return func() {
			<-s.c
			t.leave(key, s)
		}, nil
	case <-ctx.Done():
		t.leave(key, s)
		return nil, ctx.Err()
	}
}

func (t *turns) leave(key string, s *slot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.users--
	if s.users == 0 {
		delete(t.slots, key)
	}
}
