package accounts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// openKeyring opens an Store in the key ring of the operating system. The names
// of the accounts, and locks, are files: a key ring can neither list nor lock.
func openKeyring(_ context.Context, name string, create bool) (*Store, error) {
	if name != "keyring:" {
		return nil, say.WrongUsage("there is one key ring only", "write it like keyring:")
	}
	dir, err := directory("")
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "keyring")
	if _, err := os.Lstat(dir); !create && errors.Is(err, fs.ErrNotExist) {
		return emptyStore(name), nil
	}
	var stores [2]pinterest.Store
	for i, part := range []string{"tokens", "apps"} {
		names, err := filestore.New(filepath.Join(dir, part))
		if err != nil {
			return nil, err
		}
		stores[i] = &keyringStore{service: "github.com/go-pinterest/pinterest " + part, names: names, ring: systemRing{}}
	}
	return newStore(name, stores[0], stores[1], noClose), nil
}

// A keyringStore keeps values in the key ring of the operating system, and only
// a mark for each in a filestore, whose locks it uses.
type keyringStore struct {
	service string
	names   *filestore.Store
	ring    ring
}

// A ring is a key ring.
type ring interface {
	Get(service, user string) (string, error)
	Set(service, user, password string) error
	Delete(service, user string) error
}

// systemRing is the operating system's.
type systemRing struct{}

func (systemRing) Get(service, user string) (string, error) { return keyring.Get(service, user) }
func (systemRing) Set(service, user, password string) error {
	return keyring.Set(service, user, password)
}
func (systemRing) Delete(service, user string) error { return keyring.Delete(service, user) }

// The marks. One stays where a value was, so that Delete has to do nothing
// outside its lock.
const (
	markKept    = "kept"
	markDeleted = "deleted"
)

// Load implements [pinterest.Store].
func (s *keyringStore) Load(ctx context.Context, key string) ([]byte, error) {
	if _, err := s.names.Load(ctx, key); err != nil {
		return nil, err
	}
	value, err := s.get(key)
	if err == nil && value == nil {
		err = fmt.Errorf("nothing is kept under %q in the key ring: %w", key, fs.ErrNotExist)
	}
	return value, err
}

// get returns nil if nothing is kept.
func (s *keyringStore) get(key string) ([]byte, error) {
	value, err := s.ring.Get(s.service, key)
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, keyringFailed(err)
	}
	return []byte(value), nil
}

func (s *keyringStore) set(key string, value []byte) error {
	if err := s.ring.Set(s.service, key, string(value)); err != nil {
		return keyringFailed(err)
	}
	return nil
}

// Update implements [pinterest.Store].
func (s *keyringStore) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) ([]byte, time.Time, error)) error {
	return s.names.Update(ctx, key, func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
		fail := func(err error) ([]byte, time.Time, error) { return nil, time.Time{}, err }
		old, err := s.get(key)
		if err == nil && old != nil {
			err = s.set(key, old) // what can be read need not be writable
		}
		if err != nil {
			return fail(err)
		}
		value, due, err := f(ctx, old)
		if err == nil {
			err = s.set(key, value)
		}
		if err != nil {
			return fail(err)
		}
		return []byte(markKept), due, nil
	})
}

// Delete implements [pinterest.Store].
func (s *keyringStore) Delete(ctx context.Context, key string) error {
	nothing := errors.New("nothing to delete")
	err := s.names.Update(ctx, key, func(_ context.Context, mark []byte) ([]byte, time.Time, error) {
		if mark == nil {
			return nil, time.Time{}, nothing
		}
		if err := s.ring.Delete(s.service, key); err != nil && !errors.Is(err, keyring.ErrNotFound) {
			return nil, time.Time{}, keyringFailed(err)
		}
		return []byte(markDeleted), time.Time{}, nil
	})
	if err == nothing {
		return nil
	}
	return err
}

// Each implements [pinterest.Store].
func (s *keyringStore) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	return s.names.Each(ctx, before, func(key string, mark []byte) error {
		if string(mark) == markDeleted {
			return nil
		}
		value, err := s.get(key)
		if value == nil {
			return err
		}
		return f(key, value)
	})
}

func keyringFailed(err error) error {
	if errors.Is(err, keyring.ErrSetDataTooBig) {
		return say.WithHint(errors.New("the token is too long for the key ring of this system"), "keep it elsewhere, by --store file:")
	}
	return say.WithHint(fmt.Errorf("the key ring of the operating system: %w", strip(err)), "is there one, and is it unlocked? --store file: does without")
}

// strip keeps an error to one line: some key rings are programs that say more.
func strip(err error) error {
	line, _, more := strings.Cut(err.Error(), "\n")
	if !more {
		return err
	}
	return errors.New(line)
}
