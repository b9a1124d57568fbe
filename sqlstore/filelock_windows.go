package sqlstore

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// A lockedFile is one key's, is open, shared with nobody, for as long as it is locked, and
// goes when it is closed.
type lockedFile struct{ h syscall.Handle }

const (
	fileFlagDeleteOnClose = 0x04000000
	errorSharingViolation = syscall.Errno(32)
)

// openLocked returns errTaken if another has it.
func openLocked(database string, key [32]byte, _ os.FileMode) (*lockedFile, error) {
	name := fmt.Sprintf("%s-%x.lock", database, key[:16])
	path, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(path, syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL|fileFlagDeleteOnClose, 0)
	if errors.Is(err, errorSharingViolation) {
		return nil, errTaken
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return &lockedFile{h}, nil
}

func (l *lockedFile) unlock() { _ = syscall.CloseHandle(l.h) }
