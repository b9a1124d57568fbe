package filestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// readFile returns what is in the regular file at path. It follows no symbolic
// link, which could be made to lead anywhere.
func readFile(path string) ([]byte, error) {
	file, err := openFile(path)
	if err != nil {
		if info, lerr := os.Lstat(path); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			err = fmt.Errorf("%s is a symbolic link, which is not followed", path)
		}
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return io.ReadAll(file)
}

// replaceFile puts data in the file at path, so that it is there for good when
// replaceFile returns, and that nobody ever finds half of it. Only the caller
// uses temp, which is in the same directory.
//
// Libraries that replace files (google/renameio, natefinch/atomic) do not sync
// the directory, without which a power cut can bring the old file back.
func replaceFile(path, temp string, data []byte) error {
	if err := writeFile(temp, data); err != nil {
		_ = os.Remove(temp) // or a full disk stays full
		return err
	}
	if err := rename(temp, path); err != nil {
		_ = os.Remove(temp)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeFile puts data in a new file at path.
func writeFile(path string, data []byte) error {
	// What is there was left by a killed process. It is not written to: it might
	// be a link.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(data); err != nil {
		file.Close()
		return err
	}
	if err := file.Sync(); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// readNames returns the names of all that is in dir.
func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// makeDir makes dir and what is missing above it, each for its owner alone, and
// syncs the directories they are in: values are not safer than those.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}
