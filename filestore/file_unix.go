//go:build unix

package filestore

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

const noFollow = syscall.O_NOFOLLOW

// checkPrivate refuses a directory into which anybody but this process's user
// could look.
func checkPrivate(dir string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, and this process runs as user %d: run it as that user, or give it another directory", dir, stat.Uid, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
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

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
