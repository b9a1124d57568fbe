package pinterest_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"
)

// A sharedStore is the store that all processes share.
type sharedStore struct {
	w      *world
	values map[string][]byte
	due    map[string]time.Time
	locks  map[string]chan struct{}
	held   []*heldLock
}

// A heldLock is one process's lock on one key.
type heldLock struct {
	p      *process
	key    string
	lost   bool
	cancel context.CancelFunc
}

// lose lets the next one have l's key. Whoever lost it is told, unless it was killed.
func (s *sharedStore) lose(l *heldLock) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if l.lost || !slices.Contains(s.held, l) {
		return
	}
	l.lost = true
	if !l.p.dead() {
		s.w.count["store: loses the lock"]++
		s.w.lockLost(l.key)
		l.cancel()
	}
	<-s.locks[l.key]
}

// A processStore is the shared store as one process has it, and what is wrong with it there.
type processStore struct {
	p     *process
	fault string
	delay time.Duration // of a store that is slow, and five times that until a lock is lost
	until time.Time
	well  time.Time // since then it has been well
}

var (
	errStoreDown = errors.New("the store is down")
	errLockLost  = errors.New("the lock was lost")
)

// storeFaults are what can go wrong with the store.
var storeFaults = []string{"is down", "is slow", "fails before", "fails after", "fails though it wrote", "loses the lock"}

func (s *processStore) fails(fault string, delay, d time.Duration) {
	s.fault, s.delay, s.until = fault, delay, time.Now().Add(d)
	s.well = s.until.Add(delay)
}

// now returns what is wrong with the store now.
func (s *processStore) now() (fault string, delay time.Duration) {
	s.p.w.mu.Lock()
	defer s.p.w.mu.Unlock()
	if time.Now().Before(s.until) {
		return s.fault, s.delay
	}
	return "", 0
}

func (s *processStore) count(fault string) {
	s.p.w.lock(func() { s.p.w.count["store: "+fault]++ })
}

// enter is how each method begins.
func (s *processStore) enter(ctx context.Context) error {
	s.p.stopIfKilled()
	if err := ctx.Err(); err != nil {
		return err
	}
	latency := s.p.w.storeLatency
	switch fault, delay := s.now(); fault {
	case "is down":
		s.count(fault)
		return errStoreDown
	case "is slow":
		s.count(fault)
		latency = delay
	}
	return s.p.pause(ctx, latency)
}

func (s *processStore) Load(ctx context.Context, key string) ([]byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	w := s.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	value, ok := w.store.values[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(value), nil
}

func (s *processStore) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) ([]byte, time.Time, error)) error {
	return s.locked(ctx, key, func(ctx context.Context, l *heldLock) error {
		w := s.p.w
		var old []byte
		w.lock(func() { old = bytes.Clone(w.store.values[key]) })
		fault, delay := s.now()
		switch fault {
		case "fails before":
			s.count(fault)
			return errStoreDown
		case "loses the lock":
			timer := time.AfterFunc(delay/5, func() { w.store.lose(l) })
			defer timer.Stop()
		}
		value, due, err := f(ctx, old)
		s.p.stopIfKilled()
		if err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case l.lost:
			w.notSaved(key, value, errLockLost)
			return errLockLost
		case fault == "fails after":
			w.count["store: "+fault]++
			w.notSaved(key, value, errStoreDown)
			return errStoreDown
		}
		w.saved(s.p, key, value)
		w.store.values[key], w.store.due[key] = append([]byte{}, value...), due
		if fault == "fails though it wrote" {
			w.count["store: "+fault]++
			return errStoreDown
		}
		return nil
	})
}

func (s *processStore) Delete(ctx context.Context, key string) error {
	return s.locked(ctx, key, func(context.Context, *heldLock) error {
		s.p.w.lock(func() {
			delete(s.p.w.store.values, key)
			s.p.w.loggedOut(s.p, key)
		})
		return nil
	})
}

func (s *processStore) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	w := s.p.w
	due := make(map[string][]byte)
	w.lock(func() {
		for key, value := range w.store.values {
			if at := w.store.due[key]; before.IsZero() || !at.IsZero() && at.Before(before) {
				due[key] = bytes.Clone(value)
			}
		}
	})
	for _, key := range slices.Sorted(maps.Keys(due)) {
		if err := f(key, due[key]); err != nil {
			return err
		}
	}
	return nil
}

// locked runs f while nobody else has key.
func (s *processStore) locked(ctx context.Context, key string, f func(context.Context, *heldLock) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	w := s.p.w
	w.mu.Lock()
	lock := w.store.locks[key]
	if lock == nil {
		lock = make(chan struct{}, 1)
		w.store.locks[key] = lock
	}
	w.mu.Unlock()
	select {
	case lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.p.killed:
		s.p.stopIfKilled()
	}
	if s.p.dead() {
		<-lock
		s.p.stopIfKilled()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &heldLock{p: s.p, key: key, cancel: cancel}
	w.lock(func() { w.store.held = append(w.store.held, l) })
	defer w.lock(func() {
		w.store.held = slices.DeleteFunc(w.store.held, func(other *heldLock) bool { return other == l })
		if !l.lost {
			<-lock
		}
	})
	return f(ctx, l)
}

// wellSince reports whether nothing has been wrong with the store since then.
func (s *processStore) wellSince(then time.Time) bool { return s.well.Before(then) }
