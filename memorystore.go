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
	return &memoryStore{values: make(map[string]dueValue)}
}

type memoryStore struct {
	turns  turns
	mu     sync.Mutex // guards values
	values map[string]dueValue
}

type dueValue struct {
	value []byte
	due   time.Time // zero: never
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
	give, err := s.turns.take(ctx, key)
	if err != nil {
		return err
	}
	defer give()

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
	give, err := s.turns.take(ctx, key)
	if err != nil {
		return err
	}
	defer give()

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

func ready(ctx context.Context, key string) error {
	if key == "" {
		return errors.New("pinterest: the key is empty: name the account that the token belongs to")
	}
	return ctx.Err()
}
