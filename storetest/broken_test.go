package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
)

// Each broken store, and a check that it must fail.
var broken = []struct {
	name  string
	check string
	open  func() pinterest.Store
}{
	{"takes a missing key for an empty one", "a missing key is", changed(func(s *store) {
		s.load = func(ctx context.Context, key string) ([]byte, error) {
			value, err := s.Store.Load(ctx, key)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			return value, err
		}
	})},
	{"minds deleting a missing key", "a missing key is", changed(func(s *store) {
		s.delete = func(ctx context.Context, key string) error {
			if _, err := s.Load(ctx, key); err != nil {
				return err
			}
			return s.Store.Delete(ctx, key)
		}
	})},
	{"appends", "an Update keeps", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		return append(old, value...), due, err
	})},
	{"takes an empty value for a missing one", "an empty value", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, time.Time, error) {
		if len(old) == 0 {
			old = nil
		}
		return f(ctx, old)
	})},
	{"cuts at 64 KiB", "values of any", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		return value[:min(len(value), 64<<10)], due, err
	})},
	{"keeps text only", "values of any", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		return bytes.ToValidUTF8(value, []byte("?")), due, err
	})},
	{"stops at a zero byte", "values of any", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		value, _, _ = bytes.Cut(value, []byte{0})
		return value, due, err
	})},
	{"loses f's error", "an error of f", changed(func(s *store) {
		s.update = func(ctx context.Context, key string, f function) error {
			if err := s.Store.Update(ctx, key, f); err != nil {
				return errors.New("the update failed: " + err.Error())
			}
			return nil
		}
	})},
	{"keeps what a failed f returned", "an error of f", changed(func(s *store) {
		s.update = func(ctx context.Context, key string, f function) error {
			var failed error
			err := s.Store.Update(ctx, key, func(ctx context.Context, old []byte) (value []byte, due time.Time, _ error) {
				value, due, failed = f(ctx, old)
				return value, due, nil
			})
			return errors.Join(err, failed)
		}
	})},
	{"tries f again", "an error of f", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		if err != nil {
			value, due, err = f(ctx, old)
		}
		return value, due, err
	})},
	{"stays locked after a panic", "a panic of f", changed(func(s *store) {
		lock := make(chan struct{}, 1)
		s.update = func(ctx context.Context, key string, f function) error {
			select {
			case lock <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			err := s.Store.Update(ctx, key, f)
			<-lock
			return err
		}
	})},
	{"stays locked for ever after a panic", "a panic of f", changed(func(s *store) {
		var mu sync.Mutex
		s.update = func(ctx context.Context, key string, f function) error {
			mu.Lock()
			err := s.Store.Update(ctx, key, f)
			mu.Unlock()
			return err
		}
	})},
	{"swallows a panic", "a panic of f", aroundF(func(ctx context.Context, old []byte, f function) (value []byte, due time.Time, err error) {
		defer func() {
			if recover() != nil {
				err = errors.New("f panicked")
			}
		}()
		return f(ctx, old)
	})},
	{"shares the slices it returns", "slices belong", sharing(false, true)},
	{"shares the slices it is given", "slices belong", sharing(true, false)},

	{"takes an empty key", "an empty key", renamed(func(key string) string { return "key " + key })},
	{"finds nothing under an empty key", "an empty key", changed(func(s *store) {
		s.load = func(ctx context.Context, key string) ([]byte, error) {
			if key == "" {
				return nil, fs.ErrNotExist
			}
			return s.Store.Load(ctx, key)
		}
	})},
	{"folds case", "odd keys", renamed(strings.ToLower)},
	{"trims spaces", "odd keys", renamed(func(key string) string { return strings.TrimRight(key, " ") })},
	{"composes accents", "odd keys", renamed(func(key string) string { return strings.ReplaceAll(key, "e\u0301", "é") })},
	{"cleans paths", "odd keys", renamed(filepath.Clean)},
	{"cuts long keys", "odd keys", renamed(func(key string) string { return key[:min(len(key), 255)] })},
	{"forgets odd keys", "odd keys", listing(func(key string) []string {
		if strings.Contains(key, "/") {
			return nil
		}
		return []string{key}
	})},
	{"lists thousands of keys but one", "more keys", listing(func(key string) []string {
		if key == "account 0567" {
			return nil
		}
		return []string{key}
	})},
	{"lists the first thousand keys", "more keys", limited(1000)},

	{"misses a due key", "Each sees all", changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			return s.Store.Each(ctx, before, func(key string, value []byte) error {
				if key == "yesterday" && !before.IsZero() {
					return nil
				}
				return f(key, value)
			})
		}
	})},
	{"shows only what is due one day", "Each sees all", changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			if before.IsZero() {
				before = time.Date(10_000, time.January, 1, 0, 0, 0, 0, time.UTC)
			}
			return s.Store.Each(ctx, before, f)
		}
	})},
	{"takes no time for the beginning of time", "Each sees all", changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			if before.IsZero() {
				return ctx.Err()
			}
			return s.Store.Each(ctx, before, f)
		}
	})},
	{"rounds dues up", "Each sees all", due(func(_, due time.Time) time.Time {
		if up := due.Truncate(time.Millisecond); up.Before(due) {
			return up.Add(time.Millisecond)
		}
		return due
	})},
	{"takes the beginning of Unix time for never", "Each sees all", due(func(_, due time.Time) time.Time {
		if due.UnixMilli() == 0 {
			return time.Time{}
		}
		return due
	})},
	{"loses the due's time zone", "Each sees all", due(func(_, due time.Time) time.Time {
		_, offset := due.Zone()
		return due.Add(time.Duration(offset) * time.Second)
	})},
	{"forgets due", "a due that", due(func(_, _ time.Time) time.Time { return time.Time{} })},
	{"forgets due", "Each sees all", due(func(_, _ time.Time) time.Time { return time.Time{} })},
	{"keeps the first due", "a due that", due(func(old, due time.Time) time.Time {
		if old.IsZero() {
			return due
		}
		return old
	})},
	{"keeps the latest due", "a due that", due(func(old, due time.Time) time.Time {
		if old.After(due) {
			return old
		}
		return due
	})},
	{"keeps the due that a failed f returned", "an Update that fails", changed(func(s *store) {
		s.update = func(ctx context.Context, key string, f function) error {
			var failed error
			err := s.Store.Update(ctx, key, func(ctx context.Context, old []byte) (value []byte, due time.Time, _ error) {
				if value, due, failed = f(ctx, old); failed != nil && old == nil {
					return nil, due, failed
				}
				if failed != nil {
					value = old
				}
				return value, due, nil
			})
			return errors.Join(err, failed)
		}
	})},
	{"hands on another key's value", "Each hands out", changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			var last []byte
			return s.Store.Each(ctx, before, func(key string, value []byte) error {
				if last == nil {
					last = value
				}
				last, value = value, last
				return f(key, value)
			})
		}
	})},
	{"hands on half a value", "Each hands out", showing(func(key string, value []byte, f visitor) error {
		return f(key, value[:len(value)/2])
	})},
	{"hands on nil for an empty value", "Each hands out", showing(func(key string, value []byte, f visitor) error {
		if len(value) == 0 {
			value = nil
		}
		return f(key, value)
	})},
	{"hands on the same slice again and again", "Each hands out", changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			var buffer []byte
			return s.Store.Each(ctx, before, func(key string, value []byte) error {
				buffer = append(buffer[:0], value...)
				return f(key, buffer)
			})
		}
	})},
	{"hands on the slices that it keeps", "Each hands out", changed(func(s *store) {
		values := make(map[string][]byte)
		s.update = func(ctx context.Context, key string, f function) error {
			delete(values, key)
			return s.Store.Update(ctx, key, f)
		}
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			return s.Store.Each(ctx, before, func(key string, value []byte) error {
				if _, ok := values[key]; !ok {
					values[key] = value
				}
				return f(key, values[key])
			})
		}
	})},
	{"swallows f's error", "an error of f ends Each", changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			var failed error
			err := s.Store.Each(ctx, before, func(key string, value []byte) error {
				failed = f(key, value)
				return failed
			})
			if failed != nil {
				return nil
			}
			return err
		}
	})},
	{"tells f's error in words", "an error of f ends Each", showing(func(key string, value []byte, f visitor) error {
		if err := f(key, value); err != nil {
			return errors.New("f failed: " + err.Error())
		}
		return nil
	})},
	{"goes on after f's error", "an error of f ends Each", changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			var failed []error
			err := s.Store.Each(ctx, before, func(key string, value []byte) error {
				failed = append(failed, f(key, value))
				return nil
			})
			return errors.Join(err, errors.Join(failed...))
		}
	})},
	{"shows again what is due again", "Each shows once", changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			for {
				n := 0
				if err := s.Store.Each(ctx, before, func(key string, value []byte) error {
					n++
					return f(key, value)
				}); err != nil || before.IsZero() || n == 0 {
					return err
				}
			}
		}
	})},
	{"lists keys twice", "Each is at home", listing(func(key string) []string { return []string{key, key} })},
	{"lists a key that changes not at all", "Each is at home", changed(func(s *store) {
		var changing sync.Map
		s.update = func(ctx context.Context, key string, f function) error {
			changing.Store(key, nil)
			defer changing.Delete(key)
			time.Sleep(time.Millisecond)
			return s.Store.Update(ctx, key, f)
		}
		s.each = listed(s.Store, func(key string) []string {
			if _, ok := changing.Load(key); ok {
				return nil
			}
			return []string{key}
		})
	})},
	{"is locked while it lists", "Each lets f", changed(func(s *store) {
		lock := make(chan struct{}, 1)
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			lock <- struct{}{}
			defer func() { <-lock }()
			return s.Store.Each(ctx, before, f)
		}
		s.delete = func(ctx context.Context, key string) error {
			select {
			case lock <- struct{}{}:
				defer func() { <-lock }()
				return s.Store.Delete(ctx, key)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})},
	{"stays locked once f fails", "Each can be left", changed(func(s *store) {
		s.each = locking(s.Store, func(failed, _ bool) bool { return failed })
	})},
	{"stays locked once f panics", "Each can be left", changed(func(s *store) {
		s.each = locking(s.Store, func(_, panicked bool) bool { return panicked })
	})},
	{"lists though its context is over", "Each ends with", changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return s.Store.Each(context.WithoutCancel(ctx), before, f)
		}
	})},
	{"ends with its context and does not say so", "Each ends with", changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			if err := s.Store.Each(ctx, before, f); ctx.Err() == nil {
				return err
			}
			return nil
		}
	})},
	{"begins to list under a context that is over", "a context that is over", changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			return s.Store.Each(context.WithoutCancel(ctx), before, f)
		}
	})},

	{"excludes nobody", "Updates of one key", unlocked(func(s *store, ctx context.Context, key string, f function) error {
		old, err := s.Load(ctx, key)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		value, due, err := f(ctx, old)
		if err != nil {
			return err
		}
		return s.Store.Update(ctx, key, returningDue(string(value), due))
	})},
	{"compares and swaps", "Updates of one key", unlocked(func(s *store, ctx context.Context, key string, f function) error {
		for {
			old, err := s.Load(ctx, key)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			value, due, err := f(ctx, old)
			if err != nil {
				return err
			}
			swapped := false
			err = s.Store.Update(ctx, key, func(_ context.Context, now []byte) ([]byte, time.Time, error) {
				if swapped = bytes.Equal(now, old); swapped {
					return value, due, nil
				}
				return now, time.Time{}, errRefused
			})
			if swapped || !errors.Is(err, errRefused) {
				return err
			}
		}
	})},
	{"has one lock for all keys", "Updates of different keys", changed(func(s *store) {
		lock := pinterest.NewMemoryStore()
		s.update = func(ctx context.Context, key string, f function) error {
			return lock.Update(ctx, "lock", func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
				return nil, time.Time{}, s.Store.Update(ctx, key, f)
			})
		}
	})},
	{"lets a Load wait", "a Load does not wait", changed(func(s *store) {
		s.load = func(ctx context.Context, key string) (value []byte, err error) {
			stop := errors.New("stop")
			err = s.Store.Update(ctx, key, func(_ context.Context, old []byte) ([]byte, time.Time, error) {
				value = bytes.Clone(old)
				return nil, time.Time{}, stop
			})
			if value == nil && err == stop {
				return nil, fs.ErrNotExist
			}
			if err == stop {
				err = nil
			}
			return value, err
		}
	})},
	{"writes by halves", "a Load sees whole", changed(func(s *store) {
		s.update = func(ctx context.Context, key string, f function) error {
			var value []byte
			var due time.Time
			if err := s.Store.Update(ctx, key, func(ctx context.Context, old []byte) (_ []byte, _ time.Time, err error) {
				value, due, err = f(ctx, old)
				return value[:len(value)/2], due, err
			}); err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
			return s.Store.Update(ctx, key, returningDue(string(value), due))
		}
	})},
	{"forgets to delete", "a Delete is final", changed(func(s *store) {
		s.delete = func(ctx context.Context, key string) error {
			if key == "" {
				return errors.New("the key is empty")
			}
			return ctx.Err()
		}
	})},
	{"deletes at once", "a Delete waits", changed(func(s *store) {
		deleted := pinterest.NewMemoryStore()
		s.delete = func(ctx context.Context, key string) error {
			return deleted.Delete(ctx, key)
		}
	})},

	{"begins under a context that is over", "a context that is over", changed(func(s *store) {
		s.update = func(ctx context.Context, key string, f function) error {
			return s.Store.Update(context.WithoutCancel(ctx), key, f)
		}
	})},
	{"keeps its waiters", "a waiter leaves", changed(func(s *store) {
		s.update = func(ctx context.Context, key string, f function) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return s.Store.Update(context.WithoutCancel(ctx), key, f)
		}
	})},
	{"runs f under a context of its own", "f's context", aroundF(func(_ context.Context, old []byte, f function) ([]byte, time.Time, error) {
		return f(context.Background(), old)
	})},
	{"throws away what f returned when the context is over", "a context that ends", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		return value, due, errors.Join(err, ctx.Err())
	})},
	{"lets others in when the context is over", "a context that ends", changed(func(s *store) {
		s.update = func(ctx context.Context, key string, f function) error {
			done := make(chan error, 1)
			var value []byte
			var due time.Time
			err := s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
				go func() {
					var err error
					value, due, err = f(ctx, old)
					done <- err
				}()
				select {
				case err := <-done:
					return value, due, err
				case <-ctx.Done():
					return nil, time.Time{}, errors.New("rolled back")
				}
			})
			if ctx.Err() == nil {
				return err
			}
			if err := <-done; err != nil {
				return err
			}
			return s.Store.Update(context.WithoutCancel(ctx), key, returningDue(string(value), due))
		}
	})},
}

// Each store that is broken between processes, and a check that it must fail.
var brokenShared = []struct {
	name  string
	check string
	open  func(dir string) pinterest.Store
}{
	{"keeps to itself", "what was kept", func(string) pinterest.Store { return pinterest.NewMemoryStore() }},
	{"locks this process only", "opened twice", func(dir string) pinterest.Store { return newDirStore(dir) }},
	{"locks this process only", "processes exclude", func(dir string) pinterest.Store { return newDirStore(dir) }},
	{"locks this process only", "a waiter leaves a lock", func(dir string) pinterest.Store { return newDirStore(dir) }},
	{"locks only what is there", "processes exclude each other while", func(dir string) pinterest.Store {
		s := newDirStore(dir)
		s.lockFiles, s.onlyExisting = true, true
		return s
	}},
	{"writes in place", "a Load sees whole values of", func(dir string) pinterest.Store { return newDirStore(dir) }},
	{"writes in place", "a killed process leaves a whole", func(dir string) pinterest.Store {
		s := newDirStore(dir)
		s.pause = 20 * time.Millisecond
		return s
	}},
	{"acknowledges before it writes", "a killed process leaves a whole", func(dir string) pinterest.Store {
		s := newDirStore(dir)
		s.late = true
		return s
	}},
	{"leaves its lock file when killed", "a killed process leaves no lock", func(dir string) pinterest.Store {
		s := newDirStore(dir)
		s.lockFiles = true
		return s
	}},
	{"looks for the dead only when it comes", "a killed process leaves no lock", func(dir string) pinterest.Store {
		s := newDirStore(dir)
		s.lockFiles, s.lease, s.looksOnce = true, time.Millisecond*300, true
		return s
	}},
	{"lists the first five thousand keys", "thousands of keys", func(string) pinterest.Store { return limited(5000)() }},
	{"does not tell f that its lock is lost", "a paused process", func(dir string) pinterest.Store {
		s := newDirStore(dir)
		s.lockFiles, s.lease, s.silent, s.minds = true, time.Millisecond*300, true, true
		return s
	}},
	{"writes though its lock is lost", "a paused process", func(dir string) pinterest.Store {
		s := newDirStore(dir)
		s.lockFiles, s.lease = true, time.Millisecond*300
		return s
	}},
	{"writes though its lock is lost, and minds", "a paused process", func(dir string) pinterest.Store {
		s := newDirStore(dir)
		s.lockFiles, s.lease, s.mindsLate = true, time.Millisecond*300, true
		return s
	}},
	{"finds out too late that it cannot write", "a store that refuses writes", func(dir string) pinterest.Store { return newDirStore(dir) }},
	{"waits until it can write", "a store that refuses writes", func(dir string) pinterest.Store {
		s := newDirStore(dir)
		s.waits = true
		return s
	}},
	{"takes what is away for nothing", "a store that is away is", func(dir string) pinterest.Store {
		s := newDirStore(dir)
		s.forgets = true
		return s
	}},
	{"does not save while it is away", "what f returned", func(dir string) pinterest.Store { return newDirStore(dir) }},
}

// brokenVariable tells the test binary that it was started to fail.
const brokenVariable = "PINTEREST_STORETEST_BROKEN"

// TestBrokenStoresFail runs each check on a store that it must fail, in a process
// of its own, as a failed subtest cannot be taken back. In those processes the
// same subtests are the failing ones.
func TestBrokenStoresFail(t *testing.T) {
	fail := os.Getenv(brokenVariable) != ""
	if fail {
		patience = 2 * time.Second
	}
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			if fail {
				TestStore(t, func(*testing.T) pinterest.Store { return b.open() })
				return
			}
			requireFails(t, b.check)
		})
	}
	for _, b := range brokenShared {
		t.Run(b.name+", so "+b.check, func(t *testing.T) {
			if fail {
				TestSharedStore(t, Shared{
					Place:    func(t *testing.T) string { return t.TempDir() },
					Open:     func(t *testing.T, place string) pinterest.Store { return b.open(place) },
					Takeover: time.Second,
					ReadOnly: marked(readOnlyMark),
					Away:     marked(awayMark),
				})
				return
			}
			requireFails(t, b.check)
		})
	}
}

// requireFails runs one check of the calling subtest, told by how it begins, in
// another process.
func requireFails(t *testing.T, check string) {
	t.Parallel()
	exe, err := os.Executable()
	require.NoError(t, err)
	name := t.Name() + "/" + strings.ReplaceAll(check, " ", "_")
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(name), "/", "$/^")
	cmd := exec.CommandContext(t.Context(), exe, "-test.run="+pattern)
	cmd.Env = append(os.Environ(), brokenVariable+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "the suite passes a broken store:\n%s", out)
	require.Contains(t, string(out), "--- FAIL: "+name, "it failed elsewhere:\n%s", out)
}

// A visitor is what Each calls.
type visitor = func(key string, value []byte) error

// A store is a sound one, of whose methods some were exchanged.
type store struct {
	pinterest.Store
	load   func(ctx context.Context, key string) ([]byte, error)
	update func(ctx context.Context, key string, f function) error
	delete func(ctx context.Context, key string) error
	each   func(ctx context.Context, before time.Time, f visitor) error
}

func (s *store) Load(ctx context.Context, key string) ([]byte, error) { return s.load(ctx, key) }
func (s *store) Update(ctx context.Context, key string, f function) error {
	return s.update(ctx, key, f)
}
func (s *store) Delete(ctx context.Context, key string) error { return s.delete(ctx, key) }
func (s *store) Each(ctx context.Context, before time.Time, f visitor) error {
	return s.each(ctx, before, f)
}

func changed(change func(s *store)) func() pinterest.Store {
	return func() pinterest.Store {
		sound := pinterest.NewMemoryStore()
		s := &store{Store: sound, load: sound.Load, update: sound.Update, delete: sound.Delete, each: sound.Each}
		change(s)
		return s
	}
}

func aroundF(around func(ctx context.Context, old []byte, f function) ([]byte, time.Time, error)) func() pinterest.Store {
	return changed(func(s *store) {
		s.update = func(ctx context.Context, key string, f function) error {
			return s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) { return around(ctx, old, f) })
		}
	})
}

func unlocked(update func(s *store, ctx context.Context, key string, f function) error) func() pinterest.Store {
	return changed(func(s *store) {
		s.update = func(ctx context.Context, key string, f function) error { return update(s, ctx, key, f) }
	})
}

// renamed takes all keys with the same name for one, and lists the names.
func renamed(name func(key string) string) func() pinterest.Store {
	return changed(func(s *store) {
		s.load = func(ctx context.Context, key string) ([]byte, error) { return s.Store.Load(ctx, name(key)) }
		s.update = func(ctx context.Context, key string, f function) error { return s.Store.Update(ctx, name(key), f) }
		s.delete = func(ctx context.Context, key string) error { return s.Store.Delete(ctx, name(key)) }
	})
}

func listing(list func(key string) []string) func() pinterest.Store {
	return changed(func(s *store) { s.each = listed(s.Store, list) })
}

// listed shows in place of each key of s what list makes of it.
func listed(s pinterest.Store, list func(key string) []string) func(context.Context, time.Time, visitor) error {
	return func(ctx context.Context, before time.Time, f visitor) error {
		return s.Each(ctx, before, func(key string, value []byte) error {
			for _, k := range list(key) {
				if err := f(k, value); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// limited shows so many keys and no more.
func limited(keys int) func() pinterest.Store {
	return changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			n := 0
			return s.Store.Each(ctx, before, func(key string, value []byte) error {
				if n++; n > keys {
					return nil
				}
				return f(key, value)
			})
		}
	})
}

func showing(show func(key string, value []byte, f visitor) error) func() pinterest.Store {
	return changed(func(s *store) {
		s.each = func(ctx context.Context, before time.Time, f visitor) error {
			return s.Store.Each(ctx, before, func(key string, value []byte) error { return show(key, value, f) })
		}
	})
}

// locking lets one Each in at a time, and no more once stay says so.
func locking(s pinterest.Store, stay func(failed, panicked bool) bool) func(context.Context, time.Time, visitor) error {
	lock := make(chan struct{}, 1)
	return func(ctx context.Context, before time.Time, f visitor) (err error) {
		select {
		case lock <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		panicked := true
		defer func() {
			if !stay(err != nil, panicked) {
				<-lock
			}
		}()
		err = s.Each(ctx, before, f)
		panicked = false
		return err
	}
}

// due keeps another due than f returned: what change makes of the one that was
// there and the new one.
func due(change func(old, due time.Time) time.Time) func() pinterest.Store {
	return changed(func(s *store) {
		var mu sync.Mutex // guards dues
		dues := make(map[string]time.Time)
		s.update = func(ctx context.Context, key string, f function) error {
			return s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
				value, due, err := f(ctx, old)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					dues[key] = change(dues[key], due)
				}
				return value, dues[key], err
			})
		}
	})
}

// sharing hands out and takes in slices without copying them.
func sharing(given, returned bool) func() pinterest.Store {
	return changed(func(s *store) {
		values := make(map[string][]byte) // the check uses one goroutine
		s.load = func(_ context.Context, key string) ([]byte, error) {
			if returned {
				return values[key], nil
			}
			return bytes.Clone(values[key]), nil
		}
		s.update = func(ctx context.Context, key string, f function) error {
			old := values[key]
			if !returned {
				old = bytes.Clone(old)
			}
			value, _, err := f(ctx, old)
			if err != nil {
				return err
			}
			if !given {
				value = bytes.Clone(value)
			}
			values[key] = value
			return nil
		}
	})
}

// Files that say how a dirStore is.
const (
	readOnlyMark = "read-only"
	awayMark     = "away"
)

func marked(mark string) func(t *testing.T, dir string) func() {
	return func(t *testing.T, dir string) func() {
		path := filepath.Join(dir, mark)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		return func() { require.NoError(t, os.Remove(path)) }
	}
}

func (s *dirStore) is(mark string) bool {
	_, err := os.Stat(filepath.Join(s.dir, mark))
	return err == nil
}

// A dirStore keeps each value in a file, the way it is not done.
type dirStore struct {
	pinterest.Store // locks this process
	dir             string
	pause           time.Duration // between the halves of a value
	late            bool          // writes after it has returned
	lockFiles       bool          // locks other processes by the existence of a file
	onlyExisting    bool          // but not for a key that holds nothing
	lease           time.Duration // takes a lock file for a dead process's once it is so old
	looksOnce       bool          // and looks at its age only at first
	silent          bool          // does not end f's context when it loses the lock
	minds           bool          // writes nothing then
	mindsLate       bool          // writes then, and returns an error
	waits           bool          // for the time when it can write
	forgets         bool          // what is there, while it is away
}

func newDirStore(dir string) *dirStore {
	return &dirStore{Store: pinterest.NewMemoryStore(), dir: dir}
}

func (s *dirStore) path(key string) string {
	return filepath.Join(s.dir, hex.EncodeToString([]byte(key)))
}

func (s *dirStore) Load(_ context.Context, key string) ([]byte, error) {
	if s.is(awayMark) {
		if s.forgets {
			return nil, fs.ErrNotExist
		}
		return nil, errors.New("the store is away")
	}
	return os.ReadFile(s.path(key))
}

func (s *dirStore) Update(ctx context.Context, key string, f function) error {
	return s.Store.Update(ctx, key, func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
		for s.waits && s.is(readOnlyMark) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		if err := ctx.Err(); err != nil {
			return nil, time.Time{}, err
		}
		_, missing := os.Stat(s.path(key))
		switch {
		case !s.lockFiles:
		case s.onlyExisting && missing != nil: // all who meet here go on at once
			<-time.After(time.Until(time.Now().Truncate(5 * time.Millisecond).Add(5 * time.Millisecond)))
		default:
			held, unlock, err := s.lock(ctx, s.path(key)+".lock")
			if err != nil {
				return nil, time.Time{}, err
			}
			defer unlock()
			ctx = held
		}
		old, err := s.Load(ctx, key)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, time.Time{}, err
		}
		given := ctx
		if s.silent {
			given = context.WithoutCancel(ctx)
		}
		value, _, err := f(given, old)
		if err != nil {
			return nil, time.Time{}, err
		}
		if s.late {
			time.AfterFunc(50*time.Millisecond, func() { _ = os.WriteFile(s.path(key), value, 0o600) })
			return nil, time.Time{}, nil
		}
		if s.minds && ctx.Err() != nil {
			return nil, time.Time{}, errors.New("the lock is lost")
		}
		if err := s.write(key, value); err != nil || !s.mindsLate {
			return nil, time.Time{}, err
		}
		return nil, time.Time{}, ctx.Err()
	})
}

// lock makes the file at path, and returns a context that ends once somebody
// else has taken it for a dead process's.
func (s *dirStore) lock(ctx context.Context, path string) (held context.Context, unlock func(), err error) {
	id := []byte(rand.Text())
	for looks := true; ; looks = looks && !s.looksOnce {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			_, _ = file.Write(id)
			file.Close()
			break
		}
		if info, err := os.Stat(path); err == nil && looks && s.lease > 0 && time.Since(info.ModTime()) > s.lease {
			_ = os.Remove(path)
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	held, lose := context.WithCancel(ctx)
	if s.lease > 0 {
		go func() {
			for held.Err() == nil {
				time.Sleep(s.lease / 10)
				if found, _ := os.ReadFile(path); !bytes.Equal(found, id) {
					lose()
					return
				}
				_ = os.Chtimes(path, time.Time{}, time.Now())
			}
		}()
	}
	return held, func() {
		lose()
		if found, _ := os.ReadFile(path); bytes.Equal(found, id) {
			_ = os.Remove(path)
		}
	}, nil
}

func (s *dirStore) write(key string, value []byte) error {
	if s.is(readOnlyMark) || s.is(awayMark) {
		return errors.New("the store cannot be written to")
	}
	file, err := os.Create(s.path(key))
	if err != nil {
		return err
	}
	defer file.Close()
	half := len(value) / 2
	if _, err := file.Write(value[:half]); err != nil {
		return err
	}
	time.Sleep(s.pause)
	_, err = file.Write(value[half:])
	return err
}

func (s *dirStore) Delete(_ context.Context, key string) error {
	if err := os.Remove(s.path(key)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *dirStore) Each(ctx context.Context, _ time.Time, f visitor) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		key, err := hex.DecodeString(e.Name())
		if err != nil {
			continue
		}
		value, err := s.Load(ctx, string(key))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := f(string(key), value); err != nil {
			return err
		}
	}
	return nil
}

// A failure quotes the contract, so what it quotes must be there.
func TestTheContractIsQuotedAsItIs(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("..", "store.go"))
	require.NoError(t, err)
	words := strings.Join(strings.Fields(strings.ReplaceAll(string(source), "//", "")), " ")
	for _, c := range checks {
		require.Contains(t, words, c.contract, c.behaviour)
		require.NotEmpty(t, c.contract, c.behaviour)
	}
	for _, c := range sharedChecks {
		require.Contains(t, words, c.contract, c.behaviour)
		require.NotEmpty(t, c.contract, c.behaviour)
	}
}
