// Package filestore keeps tokens in files, for one machine: each value in a
// file of its own that only its owner can read.
//
//	store, err := filestore.New("/var/lib/myapp/pinterest")
//	...
//	accounts := &pinterest.Accounts{Config: config, Store: store}
//	client := accounts.Client("alice")
//
// # For whom
//
// For a command line tool, a cron job, or an application on one machine, be it
// of several processes, with up to some ten thousand accounts. An application
// on several machines, or with more accounts, uses sqlstore, and one that has
// a database anyway does too.
//
// # What it promises
//
// A [Store] is a pinterest.Store. When Update or Delete returns nil the change
// is on the disk, the directory's entry for it included, as far as the disk
// tells the truth. A process killed at any moment leaves the old value or the
// new one, and no lock.
//
// A refresh token is not spent on a full disk, nor where the process may not
// write: before Update runs f it takes the room for the new value, which is
// twice what the old one has and 16 KiB at least, and returns an error if it
// cannot. Should the new value not be saved all the same, being larger than
// that or the disk failing for a moment, Update tries again for half a minute,
// then gives up. It keeps the key locked meanwhile, even if its context is
// over, since another process would spend the old refresh token once more.
//
// Values are not encrypted; wrap the store in pinterest.Encrypted for that.
//
// # What it cannot promise
//
// Network file systems (NFS, SMB, and what containers share with their host
// through them) do not all lock as local ones do, and some tell that a file is
// on the disk when it is not. Keep the directory on a local disk. Where a
// directory cannot be synced, as on some of them, a power cut soon after an
// Update can bring the old value back.
//
// On file systems that write each change to another place (btrfs, ZFS, APFS)
// room that was taken is not sure to be there for the change. On a full disk
// some Updates are saved only once they are tried again.
//
// Only programs that use this package, or lock as it does, are kept out. Do not
// edit the files while one runs.
//
// On Windows nothing corresponds to the permissions that New asks for, so it
// does not look at them: choose a directory in the user's profile, which other
// users cannot read. Deleted keys leave empty lock files behind there.
//
// # In a container
//
// Keep the directory on a volume, and name one that is not the volume itself
// but inside it, such as /data/pinterest: New makes it for the process's user
// alone. The volume's root may belong to root and be open to a group, as a
// Kubernetes volume is with an fsGroup; the process must be allowed to make
// directories there.
//
// Kubernetes opens all that is in such a volume to that group each time a pod
// starts. New closes the directory again: it takes the group's rights away from
// one that belongs to the process's user, has the setgid bit, and is closed to
// all others. Containers must go on running as the same user (runAsUser).
//
// # Files
//
// The value of the key alice is the content of the file key-alice, exactly. In
// other keys, all bytes but lower case letters, digits and .-_@+ are written as
// in a URL: Alice is key-%41lice. That keeps keys apart on file systems that do
// not tell A from a or é from e and an accent. A key too long for a file name
// is in a file named after its SHA-256, which begins with a line that quotes
// the key.
//
// Beside it, lock.key-alice is locked while the key is being updated, and
// tmp.key-alice is the room for a new value, or one on its way to become the
// key's; what a killed process left is removed by the next Update or New.
package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Store keeps values in the files of a directory. It is safe for use by many
// goroutines and processes at once. Its methods keep the contract of
// pinterest.Store, where it is written down.
type Store struct {
	dir   string
	turns turns
}

// New returns the store in dir, and makes the directory if it is missing.
//
// It refuses a directory that other users can read or enter, one that belongs
// to another user, and a symbolic link. What it does on a volume of Kubernetes
// is told above.
func New(dir string) (*Store, error) {
	if dir == "" {
		return nil, errors.New("filestore: the directory's name is empty")
	}
	// The process may change its working directory later.
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("filestore: the directory cannot be made: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("filestore: %s is a symbolic link, which somebody else may have put there: name the directory that it leads to", dir)
	case !info.IsDir():
		return nil, fmt.Errorf("filestore: %s is not a directory", dir)
	}
	if err := makePrivate(dir, info); err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	s := &Store{dir: dir}
	s.tidy()
	return s, nil
}

// Load returns what is kept under key; missing: an error that is fs.ErrNotExist.
// It takes no lock, and works in a directory that is read-only.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	if err := ready(ctx, key); err != nil {
		return nil, err
	}
	value, err := s.read(key)
	if err != nil {
		return nil, s.failed("load", key, err)
	}
	if value == nil {
		return nil, fmt.Errorf("filestore: nothing is kept under %q in %s: %w", key, s.dir, fs.ErrNotExist)
	}
	return value, nil
}

// Update runs f on what is kept under key (nil if nothing) and durably keeps the
// value that f returns; due is not kept, see [Store.Each]. While f runs no other
// Update of key runs, in any process that uses the directory. If f fails nothing
// changes and Update returns f's error.
//
// That there is room and leave to write is found out before f runs. What cannot
// be saved all the same is tried again for half a minute, with key locked and
// whatever becomes of ctx.
func (s *Store) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) (value []byte, due time.Time, err error)) error {
	if err := ready(ctx, key); err != nil {
		return err
	}
	name := fileName(key)
	unlock, err := s.lock(ctx, name)
	if err != nil {
		return s.failed("update", key, err)
	}
	defer unlock()
	old, err := s.read(key)
	if err != nil {
		return s.failed("update", key, err)
	}
	r, err := reserve(filepath.Join(s.dir, name), filepath.Join(s.dir, tempPrefix+name), len(old))
	if err != nil {
		return s.failed("update", key, fmt.Errorf("nothing was begun, for there is no room or leave to write: %w", err))
	}
	defer r.discard()
	value, _, err := f(ctx, old)
	if err != nil {
		return err
	}
	if strings.HasPrefix(name, hashPrefix) {
		value = joinHashed(key, value)
	}
	if err := r.save(value); err != nil {
		return s.failed("update", key, fmt.Errorf("the new value could not be saved, though it was tried for half a minute: %w", err))
	}
	return nil
}

// Delete forgets key; a missing key is no error.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := ready(ctx, key); err != nil {
		return err
	}
	unlock, err := s.lock(ctx, fileName(key))
	if err != nil {
		return s.failed("delete", key, err)
	}
	defer unlock()
	if err := s.remove(key); err != nil {
		return s.failed("delete", key, err)
	}
	return nil
}

// Each calls f with every key, whatever before is: the store does not know what
// is due. To look at ten thousand keys takes less than a second. A file's time,
// which could tell, is not what it was once the file is copied.
//
// It reads the names of all files first, so that memory grows with the number of
// keys, by some hundred bytes each, and a value just before it calls f. A file
// that is damaged or cannot be read is an error that comes last, after all other
// keys.
func (s *Store) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	names, err := s.names()
	if err != nil {
		return fmt.Errorf("filestore: list the keys: %w", notMissing(err))
	}
	var failed []error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if info, err := os.Lstat(filepath.Join(s.dir, name)); err == nil && !info.Mode().IsRegular() {
			continue // no value of ours
		}
		key, value, err := s.readName(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted meanwhile
			continue
		case err != nil:
			failed = append(failed, err)
			continue
		}
		if err := f(key, value); err != nil {
			return err
		}
	}
	if _, err := os.Stat(s.dir); err != nil { // then what is gone was not deleted
		failed = append(failed, notMissing(err))
	}
	if len(failed) > 0 {
		return fmt.Errorf("filestore: list the keys: %w", errors.Join(failed...))
	}
	return ctx.Err()
}

// names returns the names of the files that hold values.
func (s *Store) names() ([]string, error) {
	files, err := readNames(s.dir)
	if err != nil {
		return nil, err
	}
	// Some file systems skip or repeat a name that is replaced while they are
	// being read. The lock files, which are not, tell what may be missing.
	var names []string
	for _, file := range files {
		file = strings.TrimPrefix(file, lockPrefix)
		if isValue(file) {
			names = append(names, file)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// read returns what is kept under key, nil if nothing.
func (s *Store) read(key string) ([]byte, error) {
	_, value, err := s.readName(fileName(key))
	if errors.Is(err, fs.ErrNotExist) {
		// A directory that has vanished holds something somewhere.
		_, err = os.Stat(s.dir)
	}
	return value, err
}

// readName returns what is in the file called name.
func (s *Store) readName(name string) (key string, value []byte, err error) {
	path := filepath.Join(s.dir, name)
	data, err := readFile(path)
	if err != nil {
		return "", nil, err
	}
	if key, ok := plainKey(name); ok {
		return key, data, nil
	}
	key, value, err = splitHashed(data)
	if err != nil || fileName(key) != name {
		return "", nil, fmt.Errorf("%s is damaged: its first line is not the key that it is named after", path)
	}
	return key, value, nil
}

// remove forgets key. It syncs even if there was nothing to remove: one who did
// may have died before he could.
func (s *Store) remove(key string) error {
	name := fileName(key)
	for _, file := range []string{tempPrefix + name, name} {
		if err := os.Remove(filepath.Join(s.dir, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(s.dir)
}

// failed says what could not be done. The contexts' errors are nobody's fault
// and need no words.
func (s *Store) failed(op, key string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("filestore: %s %q: %w", op, key, notMissing(err))
}

// notMissing keeps err from being fs.ErrNotExist, which is for a key that holds
// nothing, and not for a directory that has vanished.
func notMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New(err.Error())
	}
	return err
}

func ready(ctx context.Context, key string) error {
	if key == "" {
		return errors.New("filestore: the key is empty: name the account that the token belongs to")
	}
	return ctx.Err()
}
