package pinterest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"
)

// NewMemoryStore returns a Store that keeps everything in this process's memory
// and loses it when the process ends. It serves tests, and programs that can
// ask their users to log in again.
func NewMemoryStore() Store {
	return &memoryStore{
		values: make(map[string]dueValue),
		turns:  make(map[string]*turn),
	}
}

type memoryStore struct {
	mu     sync.Mutex // guards values, turns and every turn's users
	values map[string]dueValue
	turns  map[string]*turn // of the keys that somebody has or waits for
}

type dueValue struct {
	value []byte
	due   time.Time // zero: never
}

// A turn is had by sending to slot and given up by receiving. It is a channel
// because f may wait for the network, and those behind it must be able to leave
// by their own contexts.
type turn struct {
	slot  chan struct{}
	users int // who have it or wait for it
}

// Format implements [fmt.Formatter]: it shows no value, whatever the verb.
func (s *memoryStore) Format(f fmt.State, _ rune) { fmt.Fprint(f, "pinterest.NewMemoryStore()") }

func (s *memoryStore) Load(ctx context.Context, key string) ([]byte, error) {
	if err := ready(ctx, key); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	if !ok {
		return nil, fmt.Errorf("pinterest: nothing is kept under %q: %w", key, fs.ErrNotExist)
	}
	return bytes.Clone(v.value), nil
}

func (s *memoryStore) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) ([]byte, time.Time, error)) error {
	if err := ready(ctx, key); err != nil {
		return err
	}
	if err := s.take(ctx, key); err != nil {
		return err
	}
	defer s.give(key)

	s.mu.Lock()
	old := bytes.Clone(s.values[key].value)
	s.mu.Unlock()
	value, due, err := f(ctx, old)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.values[key] = dueValue{append([]byte{}, value...), due} // never nil, which would be nothing
	s.mu.Unlock()
	return nil
}

func (s *memoryStore) Delete(ctx context.Context, key string) error {
	if err := ready(ctx, key); err != nil {
		return err
	}
	if err := s.take(ctx, key); err != nil {
		return err
	}
	defer s.give(key)

	s.mu.Lock()
	delete(s.values, key)
	s.mu.Unlock()
	return nil
}

func (s *memoryStore) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	s.mu.Lock()
	keys := slices.Collect(maps.Keys(s.values))
	s.mu.Unlock()
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.mu.Lock()
		v, ok := s.values[key]
		value := bytes.Clone(v.value)
		s.mu.Unlock()
		if !ok || !before.IsZero() && (v.due.IsZero() || !v.due.Before(before)) {
			continue
		}
		if err := f(key, value); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// take waits for key's turn.
func (s *memoryStore) take(ctx context.Context, key string) error {
	s.mu.Lock()
	t := s.turns[key]
	if t == nil {
		t = &turn{slot: make(chan struct{}, 1)}
		s.turns[key] = t
	}
	t.users++
	s.mu.Unlock()

	select {
	case t.slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		s.leave(key, t)
		return ctx.Err()
	}
}

// give lets the next one have key's turn.
func (s *memoryStore) give(key string) {
	s.mu.Lock()
	t := s.turns[key]
	s.mu.Unlock()
	<-t.slot
	s.leave(key, t)
}

func (s *memoryStore) leave(key string, t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.users--
	if t.users == 0 {
		delete(s.turns, key)
	}
}

func ready(ctx context.Context, key string) error {
	if key == "" {
		return errors.New("pinterest: the key is empty: name the account that the token belongs to")
	}
	return ctx.Err()
}
