package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/go-pinterest/pinterest"
)

// A keeper is the Store of a process that is soon to end. The library goes on
// trying to save a renewed token for as long as the process lives; a command
// has to see to it that it does not end before. The keeper finds out whether
// the store can be written to before a refresh token is spent, and knows of
// tokens that are not saved yet.
type keeper struct {
	pinterest.Store
	say io.Writer

	mu      sync.Mutex       // guards what follows
	unsaved map[string]error // by key, why its new value is not saved
	working int              // how many new values are being made
	changed chan struct{}    // closed when one of these has changed
}

// Update implements [pinterest.Store].
func (k *keeper) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) ([]byte, error)) error {
	if err := rehearse(ctx, k.Store, key); err != nil {
		return err
	}
	called, wants := false, false
	err := k.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
		if !called {
			called = true
			k.work(1)
		}
		value, err := f(ctx, old)
		wants = err == nil
		return value, err
	})
	if called {
		defer k.work(-1)
	}
	switch {
	case wants && err != nil:
		k.note(key, err)
	case called:
		k.note(key, nil)
	}
	return err
}

// rehearse writes what is there: a full disk or a lost right is to show before
// Pinterest replaces the only token.
func rehearse(ctx context.Context, s pinterest.Store, key string) error {
	nothing := errors.New("nothing is kept")
	err := s.Update(ctx, key, func(_ context.Context, old []byte) ([]byte, error) {
		if old == nil {
			return nil, nothing
		}
		return old, nil
	})
	if err == nothing {
		return nil
	}
	return err
}

func (k *keeper) note(key string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil && k.unsaved[key] == nil {
		return
	}
	if k.unsaved == nil {
		k.unsaved = make(map[string]error)
	}
	if k.unsaved[key] = err; err == nil {
		delete(k.unsaved, key)
	}
	k.change()
}

func (k *keeper) work(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.working += n
	k.change()
}

// change is called under the lock.
func (k *keeper) change() {
	if k.changed != nil {
		close(k.changed)
		k.changed = nil
	}
}

// patience is how long a command waits for a token to be saved.
const patience = 2 * time.Minute

// settle waits until what was renewed is saved, and what is being renewed, too:
// a caller that was stopped leaves the renewal it waited for under way.
func (k *keeper) settle(ctx context.Context) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for told := false; ; {
		k.mu.Lock()
		var why error
		for _, why = range k.unsaved {
			break
		}
		if k.changed == nil {
			k.changed = make(chan struct{})
		}
		changed, working := k.changed, k.working
		k.mu.Unlock()
		if why == nil && working == 0 {
			return nil
		}
		if why != nil && !told {
			say(k.say, "the renewed token could not be saved: %v", why)
			say(k.say, "it is tried again for two minutes; do not stop this program, or the token is lost")
			told = true
		}
		select {
		case <-changed:
			continue
		case <-ctx.Done():
		case <-timeout.C:
		}
		return withHint(errors.New("the renewed token could not be saved, and the one before may be dead"),
			"mend the store; if the next command says so, log in again")
	}
}
