package sqlstore

import (
	"encoding/binary"
	"errors"
	"os"
	"syscall"
)

// A lockedFile has one byte of the lock file beside the database locked, at an
// offset that stands for the key. The file has no bytes; locks need none.
type lockedFile struct{ f *os.File }

// F_OFD_SETLK. Such a lock belongs to the open file and not, as F_SETLK's does,
// to the process, where closing any other would let go of it.
const fcntlOFDSetLock = 37

// openLocked returns errTaken if another has it. It does not wait, as that
// could not be given up.
func openLocked(database string, key [32]byte, mode os.FileMode) (*lockedFile, error) {
	name := database + "-lock"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	lock := syscall.Flock_t{
		Type:  syscall.F_WRLCK,
		Start: int64(binary.BigEndian.Uint64(key[:]) >> 2), // some file systems use the highest bits
		Len:   1,
	}
	for {
		err = syscall.FcntlFlock(f.Fd(), fcntlOFDSetLock, &lock)
		if err != syscall.EINTR {
			break
		}
	}
	if err == nil {
		return &lockedFile{f}, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
		return nil, errTaken
	}
	return nil, &os.PathError{Op: "lock", Path: name, Err: err}
}

// unlock leaves the file: with one made and removed every time, an Update took
// three times as long.
func (l *lockedFile) unlock() { _ = l.f.Close() }
