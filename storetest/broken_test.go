package storetest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
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
	{"appends", "an Update keeps", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, error) {
		value, err := f(ctx, old)
		return append(old, value...), err
	})},
	{"takes an empty value for a missing one", "an empty value", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, error) {
		if len(old) == 0 {
			old = nil
		}
		return f(ctx, old)
	})},
	{"cuts at 64 KiB", "values of any", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, error) {
		value, err := f(ctx, old)
		return value[:min(len(value), 64<<10)], err
	})},
	{"keeps text only", "values of any", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, error) {
		value, err := f(ctx, old)
		return bytes.ToValidUTF8(value, []byte("?")), err
	})},
	{"stops at a zero byte", "values of any", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, error) {
		value, err := f(ctx, old)
		value, _, _ = bytes.Cut(value, []byte{0})
		return value, err
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
			err := s.Store.Update(ctx, key, func(ctx context.Context, old []byte) (value []byte, _ error) {
				value, failed = f(ctx, old)
				return value, nil
			})
			return errors.Join(err, failed)
		}
	})},
	{"tries f again", "an error of f", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, error) {
		value, err := f(ctx, old)
		if err != nil {
			value, err = f(ctx, old)
		}
		return value, err
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
	{"swallows a panic", "a panic of f", aroundF(func(ctx context.Context, old []byte, f function) (value []byte, err error) {
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
	{"lists a thousand keys but one", "a thousand keys", listing(func(key string) []string {
		if key == "account 0567" {
			return nil
		}
		return []string{key}
	})},
	{"lists keys twice", "Keys is at home", listing(func(key string) []string { return []string{key, key} })},
	{"lists a key that changes not at all", "Keys is at home", changed(func(s *store) {
		var changing sync.Map
		s.update = func(ctx context.Context, key string, f function) error {
			changing.Store(key, nil)
			defer changing.Delete(key)
			time.Sleep(time.Millisecond)
			return s.Store.Update(ctx, key, f)
		}
		s.keys = listed(s.Store, func(key string) []string {
			if _, ok := changing.Load(key); ok {
				return nil
			}
			return []string{key}
		})
	})},
	{"is locked while it lists", "Keys lets its loop", changed(func(s *store) {
		lock := make(chan struct{}, 1)
		s.keys = func(ctx context.Context) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				lock <- struct{}{}
				defer func() { <-lock }()
				s.Store.Keys(ctx)(yield)
			}
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
	{"cannot stop listing", "Keys can be left", changed(func(s *store) {
		s.keys = func(ctx context.Context) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for key, err := range s.Store.Keys(ctx) {
					yield(key, err)
				}
			}
		}
	})},

	{"excludes nobody", "Updates of one key", unlocked(func(s *store, ctx context.Context, key string, f function) error {
		old, err := s.Load(ctx, key)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		value, err := f(ctx, old)
		if err != nil {
			return err
		}
		return s.Store.Update(ctx, key, func(context.Context, []byte) ([]byte, error) { return value, nil })
	})},
	{"compares and swaps", "Updates of one key", unlocked(func(s *store, ctx context.Context, key string, f function) error {
		for {
			old, err := s.Load(ctx, key)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			value, err := f(ctx, old)
			if err != nil {
				return err
			}
			swapped := false
			err = s.Store.Update(ctx, key, func(_ context.Context, now []byte) ([]byte, error) {
				if swapped = bytes.Equal(now, old); swapped {
					return value, nil
				}
				return now, nil
			})
			if swapped || err != nil {
				return err
			}
		}
	})},
	{"has one lock for all keys", "Updates of different keys", changed(func(s *store) {
		lock := pinterest.NewMemoryStore()
		s.update = func(ctx context.Context, key string, f function) error {
			return lock.Update(ctx, "lock", func(ctx context.Context, _ []byte) ([]byte, error) {
				return nil, s.Store.Update(ctx, key, f)
			})
		}
	})},
	{"lets a Load wait", "a Load does not wait", changed(func(s *store) {
		s.load = func(ctx context.Context, key string) (value []byte, err error) {
			stop := errors.New("stop")
			err = s.Store.Update(ctx, key, func(_ context.Context, old []byte) ([]byte, error) {
				value = bytes.Clone(old)
				return nil, stop
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
			if err := s.Store.Update(ctx, key, func(ctx context.Context, old []byte) (_ []byte, err error) {
				value, err = f(ctx, old)
				return value[:len(value)/2], err
			}); err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
			return s.Store.Update(ctx, key, func(context.Context, []byte) ([]byte, error) { return value, nil })
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
	{"runs f under a context of its own", "f's context", aroundF(func(_ context.Context, old []byte, f function) ([]byte, error) {
		return f(context.Background(), old)
	})},
	{"throws away what f returned when the context is over", "a context that ends", aroundF(func(ctx context.Context, old []byte, f function) ([]byte, error) {
		value, err := f(ctx, old)
		return value, errors.Join(err, ctx.Err())
	})},
	{"lets others in when the context is over", "a context that ends", changed(func(s *store) {
		s.update = func(ctx context.Context, key string, f function) error {
			done := make(chan error, 1)
			var value []byte
			err := s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
				go func() {
					var err error
					value, err = f(ctx, old)
					done <- err
				}()
				select {
				case err := <-done:
					return value, err
				case <-ctx.Done():
					return nil, errors.New("rolled back")
				}
			})
			if ctx.Err() == nil {
				return err
			}
			if err := <-done; err != nil {
				return err
			}
			return s.Store.Update(context.WithoutCancel(ctx), key, func(context.Context, []byte) ([]byte, error) { return value, nil })
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

type function = func(ctx context.Context, old []byte) ([]byte, error)

// A store is a sound one, of whose methods some were exchanged.
type store struct {
	pinterest.Store
	load   func(ctx context.Context, key string) ([]byte, error)
	update func(ctx context.Context, key string, f function) error
	delete func(ctx context.Context, key string) error
	keys   func(ctx context.Context) iter.Seq2[string, error]
}

func (s *store) Load(ctx context.Context, key string) ([]byte, error) { return s.load(ctx, key) }
func (s *store) Update(ctx context.Context, key string, f function) error {
	return s.update(ctx, key, f)
}
func (s *store) Delete(ctx context.Context, key string) error      { return s.delete(ctx, key) }
func (s *store) Keys(ctx context.Context) iter.Seq2[string, error] { return s.keys(ctx) }

func changed(change func(s *store)) func() pinterest.Store {
	return func() pinterest.Store {
		sound := pinterest.NewMemoryStore()
		s := &store{Store: sound, load: sound.Load, update: sound.Update, delete: sound.Delete, keys: sound.Keys}
		change(s)
		return s
	}
}

func aroundF(around func(ctx context.Context, old []byte, f function) ([]byte, error)) func() pinterest.Store {
	return changed(func(s *store) {
		s.update = func(ctx context.Context, key string, f function) error {
			return s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) { return around(ctx, old, f) })
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
	return changed(func(s *store) { s.keys = listed(s.Store, list) })
}

// listed yields for each key of s what list makes of it.
func listed(s pinterest.Store, list func(key string) []string) func(ctx context.Context) iter.Seq2[string, error] {
	return func(ctx context.Context) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for key, err := range s.Keys(ctx) {
				if err != nil {
					yield(key, err)
					return
				}
				for _, k := range list(key) {
					if !yield(k, nil) {
						return
					}
				}
			}
		}
	}
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
			value, err := f(ctx, old)
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

// A dirStore keeps each value in a file, the way it is not done.
type dirStore struct {
	pinterest.Store // locks this process
	dir             string
	pause           time.Duration // between the halves of a value
	late            bool          // writes after it has returned
	lockFiles       bool          // locks other processes by the existence of a file
	onlyExisting    bool          // but not for a key that holds nothing
}

func newDirStore(dir string) *dirStore {
	return &dirStore{Store: pinterest.NewMemoryStore(), dir: dir}
}

func (s *dirStore) path(key string) string {
	return filepath.Join(s.dir, hex.EncodeToString([]byte(key)))
}

func (s *dirStore) Load(_ context.Context, key string) ([]byte, error) {
	return os.ReadFile(s.path(key))
}

func (s *dirStore) Update(ctx context.Context, key string, f function) error {
	return s.Store.Update(ctx, key, func(ctx context.Context, _ []byte) ([]byte, error) {
		_, missing := os.Stat(s.path(key))
		if s.lockFiles && (missing == nil || !s.onlyExisting) {
			for {
				lock, err := os.OpenFile(s.path(key)+".lock", os.O_CREATE|os.O_EXCL, 0o600)
				if err == nil {
					lock.Close()
					defer os.Remove(lock.Name())
					break
				}
				select {
				case <-time.After(time.Millisecond):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
		}
		old, err := s.Load(ctx, key)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		value, err := f(ctx, old)
		if err != nil {
			return nil, err
		}
		if s.late {
			time.AfterFunc(50*time.Millisecond, func() { _ = os.WriteFile(s.path(key), value, 0o600) })
			return nil, nil
		}
		return nil, s.write(key, value)
	})
}

func (s *dirStore) write(key string, value []byte) error {
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

func (s *dirStore) Keys(context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		entries, err := os.ReadDir(s.dir)
		if err != nil {
			yield("", err)
			return
		}
		for _, e := range entries {
			if key, err := hex.DecodeString(e.Name()); err == nil && !yield(string(key), nil) {
				return
			}
		}
	}
}
