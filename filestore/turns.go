package filestore

import (
	"context"
	"sync"
)

// turns lets the goroutines of one Store have a name one after another. The
// file's lock alone would do, but it is asked for again and again, and that is
// left to one goroutine a process.
//
// The zero value is ready to use.
type turns struct {
	mu     sync.Mutex // guards byName and every turn's users
	byName map[string]*turn
}

type turn struct {
	slot  chan struct{} // sent to by who has the turn, received from by who gives it up
	users int           // who have it or wait for it
}

// take waits for the turn and returns what gives it up.
func (ts *turns) take(ctx context.Context, name string) (give func(), err error) {
	ts.mu.Lock()
	t := ts.byName[name]
	if t == nil {
		if ts.byName == nil {
			ts.byName = make(map[string]*turn)
		}
		t = &turn{slot: make(chan struct{}, 1)}
		ts.byName[name] = t
	}
	t.users++
	ts.mu.Unlock()

	select {
	case t.slot <- struct{}{}:
		return func() {
			<-t.slot
			ts.leave(name, t)
		}, nil
	case <-ctx.Done():
		ts.leave(name, t)
		return nil, ctx.Err()
	}
}

func (ts *turns) leave(name string, t *turn) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.users--
	if t.users == 0 {
		delete(ts.byName, name)
	}
}
