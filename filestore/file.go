package filestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
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

// Room is made for twice as much as a file holds, and for no less than this.
const leastRoom = 16 << 10

// saveFor is how long a replacement that fails is tried again.
const saveFor = 30 * time.Second

// A replacement of the file at path is made in temp, in the same directory,
// which nobody else uses meanwhile.
//
// Libraries that replace files (google/renameio, natefinch/atomic) find a full
// disk only once they have the data, and do not sync the directory, without
// which a power cut can bring the old file back.
type replacement struct {
	path, temp string
	file       *os.File // at temp; nil if there is none
}

// reserve makes a replacement and takes room on the disk for data of some size.
// The caller must end it by discard.
//
// A local file system takes the room when it is written to, long before it
// decides which blocks to use, so that nothing need be synced.
func reserve(path, temp string, size int) (*replacement, error) {
	r := &replacement{path: path, temp: temp}
	err := r.create()
	if err == nil {
		_, err = r.file.Write(make([]byte, max(2*size, leastRoom)))
	}
	if err != nil {
		r.discard()
		return nil, err
	}
	return r, nil
}

// save puts data in the place of what is at path, so that it is there for good
// when save returns, and that nobody ever finds half of it.
func (r *replacement) save(data []byte) error {
	began, pause := time.Now(), 10*time.Millisecond
	for {
		err := r.try(data)
		if err == nil || time.Since(began) >= saveFor {
			return err
		}
		time.Sleep(pause)
		pause = min(2*pause, time.Second)
	}
}

func (r *replacement) try(data []byte) error {
	if r.file == nil { // the try before has failed, and perhaps the disk with it
		if err := r.create(); err != nil {
			return err
		}
	}
	_, err := r.file.WriteAt(data, 0)
	if err == nil {
		err = r.file.Truncate(int64(len(data)))
	}
	if err == nil {
		err = r.file.Sync()
	}
	if err := errors.Join(err, r.close()); err != nil {
		return err
	}
	if err := rename(r.temp, r.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(r.path))
}

func (r *replacement) create() (err error) {
	// What is there was left by a killed process or a failed try. It is not
	// written to: it might be a link.
	if err := os.Remove(r.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.file, err = os.OpenFile(r.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return err
}

func (r *replacement) close() error {
	file := r.file
	r.file = nil
	return file.Close()
}

// discard removes what did not become the file at path, or a full disk stays
// full.
func (r *replacement) discard() {
	if r.file != nil {
		_ = r.close()
	}
	_ = os.Remove(r.temp)
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
