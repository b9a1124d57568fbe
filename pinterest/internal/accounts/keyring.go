package accounts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// openKeyring opens a Store in the key ring of the operating system. The names
// of the accounts, and locks, are files: a key ring can neither list nor lock.
func openKeyring(ctx context.Context, told io.Writer, name string, create bool) (*Store, error) {
	if name != "keyring:" {
		return nil, say.WrongUsage("there is one key ring only", "write it like keyring:")
	}
	dir, err := directory("")
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "keyring")
	const service = "github.com/go-pinterest/pinterest "
	patient := &patience{told: told, stopped: ctx.Done()}
	// A key ring that cannot be used is not one that holds nothing.
	probe := &keyringStore{service: service + "tokens", ring: systemRing{}, patient: patient}
	if _, err := probe.get(ctx, "default"); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(dir); !create && errors.Is(err, fs.ErrNotExist) {
		return emptyStore(name), nil
	}
	var stores [2]pinterest.Store
	for i, part := range []string{"tokens", "apps"} {
		names, err := filestore.New(filepath.Join(dir, part))
		if err != nil {
			return nil, err
		}
		stores[i] = &keyringStore{service: service + part, names: names, ring: systemRing{}, patient: patient}
	}
	return newStore(name, stores[0], stores[1], noClose), nil
}

// A keyringStore keeps values in the key ring of the operating system, and only
// a mark for each in a filestore, whose locks it uses.
type keyringStore struct {
	service string
	names   *filestore.Store
	ring    ring
	patient *patience
}

// A patience waits for a key ring, which may be asking for a password in a window
// that nobody sees.
type patience struct {
	told    io.Writer
	stopped <-chan struct{} // closed by Ctrl-C
	once    sync.Once
}

const (
	keyringTold  = 3 * time.Second // until the user is told what is waited for
	keyringLimit = time.Minute
)

var errRingStopped = keyringFailed(errors.New("stopped while it did not answer"))

// wait runs f. What is being saved is waited for though the user stop the command.
func (p *patience) wait(ctx context.Context, saving bool, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	stopped := p.stopped
	if saving {
		stopped = nil
	}
	tell, limit := time.NewTimer(keyringTold), time.NewTimer(keyringLimit)
	defer tell.Stop()
	defer limit.Stop()
	for {
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, keyring.ErrNotFound) {
				err = keyringFailed(err)
			}
			return err
		case <-tell.C:
			p.once.Do(func() {
				say.Line(p.told, "waiting for the key ring of the operating system: does it ask for its password in another window?")
				say.Hint(p.told, "Ctrl-C stops this; --store file: does without a key ring")
			})
		case <-limit.C:
			return keyringFailed(fmt.Errorf("it did not answer within %v", keyringLimit))
		case <-stopped:
			return errRingStopped
		case <-ctx.Done():
			return errRingStopped
		}
	}
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
	mark, err := s.names.Load(ctx, key)
	if err != nil {
		return nil, err
	}
	if string(mark) == markDeleted {
		return nil, fmt.Errorf("nothing is kept under %q in the key ring: %w", key, fs.ErrNotExist)
	}
	value, err := s.get(ctx, key)
	if err == nil && value == nil {
		err = say.WithHint(fmt.Errorf("what was put into the key ring for account %q is not there", key), "is it another key ring? if what was in it is lost, log in again")
	}
	return value, err
}

// get returns nil if nothing is kept.
func (s *keyringStore) get(ctx context.Context, key string) ([]byte, error) {
	var value []byte
	err := s.patient.wait(ctx, false, func() error {
		text, err := s.ring.Get(s.service, key)
		if err == nil {
			value = []byte(text)
		}
		return err
	})
	if errors.Is(err, keyring.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err // value may be written yet
	}
	return value, nil
}

func (s *keyringStore) set(ctx context.Context, saving bool, key string, value []byte) error {
	return s.patient.wait(ctx, saving, func() error { return s.ring.Set(s.service, key, string(value)) })
}

// Update implements [pinterest.Store].
func (s *keyringStore) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) ([]byte, time.Time, error)) error {
	return s.names.Update(ctx, key, func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
		fail := func(err error) ([]byte, time.Time, error) { return nil, time.Time{}, err }
		old, err := s.get(ctx, key)
		if err == nil && old != nil {
			err = s.set(ctx, false, key, old) // what can be read need not be writable
		}
		if err != nil {
			return fail(err)
		}
		value, due, err := f(ctx, old)
		if err == nil {
			err = s.set(context.WithoutCancel(ctx), true, key, value)
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
	err := s.names.Update(ctx, key, func(ctx context.Context, mark []byte) ([]byte, time.Time, error) {
		if mark == nil {
			return nil, time.Time{}, nothing
		}
		if err := s.patient.wait(ctx, false, func() error { return s.ring.Delete(s.service, key) }); err != nil && !errors.Is(err, keyring.ErrNotFound) {
			return nil, time.Time{}, err
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
		value, err := s.get(ctx, key)
		if err != nil {
			return err
		}
		return f(key, append([]byte{}, value...)) // what is lost is a record that cannot be read
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
