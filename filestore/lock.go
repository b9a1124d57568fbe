package filestore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// retryLock is how often a process asks for a lock that another one holds. The
// system's own waiting could not be left when a context ends.
const retryLock = 10 * time.Millisecond

// lock waits until nobody else has the lock of the value's file called name,
// in this process or in others, and returns what lets it go.
//
// Each value has a lock file of its own: the lock is held while a token
// endpoint is asked, and no account should wait for another's. It cannot be the
// value's file, because that is replaced.
func (s *Store) lock(ctx context.Context, name string) (unlock func(), err error) {
	give, err := s.turns.take(ctx, name)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(s.dir, lockPrefix+name)
	for {
		l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow), flock.SetPermissions(0o600))
		if _, err := l.TryLockContext(ctx, retryLock); err != nil {
			give()
			return nil, err
		}
		if isAt(path, l) {
			return func() {
				s.unlock(l, name)
				give()
			}, nil
		}
		// Whoever had it before removed it with the value.
		_ = l.Unlock()
	}
}

// isAt tells whether others who open path will meet l.
func isAt(path string, l *flock.Flock) bool {
	ours, err := l.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Lstat(path)
	return err == nil && os.SameFile(ours, theirs)
}

// unlock lets l go, and removes its file if there is no value, lest lock files
// of accounts that are gone pile up. Only who holds the lock may do so; Windows
// lets nobody.
func (s *Store) unlock(l *flock.Flock, name string) {
	if _, err := os.Lstat(filepath.Join(s.dir, name)); errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(l.Path())
	}
	_ = l.Unlock()
}

// tidy removes the temporary files that killed processes left, for they hold
// tokens. It does what it can: it is not what the caller came for.
func (s *Store) tidy() {
	files, _ := readNames(s.dir)
	for _, file := range files {
		name, ok := strings.CutPrefix(file, tempPrefix)
		if !ok || !isValue(name) {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), retryLock/2) // one try
		if unlock, err := s.lock(ctx, name); err == nil {
			_ = os.Remove(filepath.Join(s.dir, file))
			unlock()
		}
		cancel()
	}
}
