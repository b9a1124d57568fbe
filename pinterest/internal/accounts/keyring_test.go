package accounts

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zalando/go-keyring"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/storetest"
)

// A lockedRing makes go-keyring's mock safe for several goroutines.
type lockedRing struct{ mu *sync.Mutex }

func (r lockedRing) Get(service, user string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return keyring.Get(service, user)
}

func (r lockedRing) Set(service, user, password string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return keyring.Set(service, user, password)
}

func (r lockedRing) Delete(service, user string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return keyring.Delete(service, user)
}

func openRing(t *testing.T, dir string, ring ring) *keyringStore {
	names, err := filestore.New(dir)
	require.NoError(t, err)
	return &keyringStore{service: dir, names: names, ring: ring}
}

func TestTheKeyRingIsAStore(t *testing.T) {
	keyring.MockInit()
	ring := lockedRing{new(sync.Mutex)}
	storetest.TestStore(t, func(t *testing.T) pinterest.Store { return openRing(t, filepath.Join(t.TempDir(), "ring"), ring) })
}

func TestAKeyRingThatIsLockedLosesNothing(t *testing.T) {
	keyring.MockInit()
	dir := filepath.Join(t.TempDir(), "ring")
	s := openRing(t, dir, systemRing{})
	require.NoError(t, s.Update(t.Context(), "a", saveValue("1")))

	keyring.MockInitWithError(errors.New("locked\nand more"))
	_, err := s.Load(t.Context(), "a")
	assert.EqualError(t, err, "the key ring of the operating system: locked")
	assert.Error(t, s.Update(t.Context(), "a", saveValue("2")))
	assert.Error(t, s.Delete(t.Context(), "a"))
	assert.Error(t, s.Each(t.Context(), time.Time{}, func(string, []byte) error { return nil }))

	keyring.MockInit() // it was not locked for good
	require.NoError(t, s.Update(t.Context(), "a", saveValue("1")))
	keys := make(map[string]string)
	require.NoError(t, s.Each(t.Context(), time.Time{}, func(key string, value []byte) error {
		keys[key] = string(value)
		return nil
	}))
	assert.Equal(t, map[string]string{"a": "1"}, keys)

	keyring.MockInitWithError(keyring.ErrSetDataTooBig)
	assert.ErrorContains(t, s.Update(t.Context(), "b", saveValue("3")), "too long for the key ring")
}

func saveValue(value string) func(context.Context, []byte) ([]byte, time.Time, error) {
	return func(context.Context, []byte) ([]byte, time.Time, error) { return []byte(value), time.Time{}, nil }
}
