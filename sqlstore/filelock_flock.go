//go:build darwin || dragonfly || freebsd || illumos || netbsd || openbsd

package sqlstore

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// A lockedFile is one key's, and is there for as long as it is locked. One that
// a killed process left is taken by the next.
type lockedFile struct{ f *os.File }

// openLocked returns errTaken if another has it. It does not wait, as that
// could not be given up.
func openLocked(database string, key [32]byte, mode os.FileMode) (*lockedFile, error) {
	name := fmt.Sprintf("%s-%x.lock", database, key[:16])
	f, err := os.OpenFile(name, os.O_RDONLY|os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errTaken
		}
		return nil, &os.PathError{Op: "flock", Path: name, Err: err}
	}
	// Who had it before may have removed it after it was opened here; then the
	// lock is on a file that nobody else will find.
	mine, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	found, err := os.Stat(name)
	if err != nil || !os.SameFile(mine, found) {
		_ = f.Close()
		return nil, errTaken
	}
	return &lockedFile{f}, nil
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			return err
		}
	}
}

// unlock removes the file first: only who has the lock may.
func (l *lockedFile) unlock() {
	_ = os.Remove(l.f.Name())
	_ = l.f.Close()
}
