//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

const noFollow = syscall.O_NOFOLLOW

// makePrivate refuses a directory into which anybody but this process's user
// could look. It takes away what Kubernetes gives the group in fsGroup whenever
// it mounts a volume: all that is in it, and the setgid bit.
func makePrivate(dir string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, and this process runs as user %d: name a directory inside it, which will be made for that user alone, or run as the other", dir, stat.Uid, os.Geteuid())
	}
	mode := info.Mode()
	if mode&fs.ModeSetgid != 0 && mode&0o070 != 0 && mode&0o007 == 0 {
		return os.Chmod(dir, 0o700)
	}
	if mode := mode.Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others can get at the tokens in %s, whose mode is %04o: mend it by chmod 700 %q", dir, mode, dir)
	}
	return nil
}

func openFile(path string) (*os.File, error) {
	// O_NONBLOCK makes a difference to a pipe, for whose writer nobody wants to
	// wait.
	return os.OpenFile(path, os.O_RDONLY|noFollow|syscall.O_NONBLOCK, 0)
}

func rename(from, to string) error { return os.Rename(from, to) }

// syncDir does nothing where a directory cannot be synced, as databases do: to
// refuse what is in the file would not make it safer.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	for _, cannot := range []error{syscall.EINVAL, syscall.ENOTSUP, syscall.ENOSYS, syscall.EBADF} {
		if errors.Is(err, cannot) {
			return nil
		}
	}
	return err
}
