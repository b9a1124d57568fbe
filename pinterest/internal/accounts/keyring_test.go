package accounts

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
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
	return &keyringStore{service: dir, names: names, ring: ring, patient: &patience{told: io.Discard}}
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

// A silentRing asks for a password that nobody types.
type silentRing struct {
	lockedRing
	typed chan struct{}
}

func (r silentRing) Get(service, user string) (string, error) {
	<-r.typed
	return "", keyring.ErrNotFound
}

func TestAKeyRingThatAsksForAPasswordIsToldOfAndEndedByOneCtrlC(t *testing.T) {
	names, err := filestore.New(filepath.Join(t.TempDir(), "ring"))
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var told bytes.Buffer
		ring := silentRing{typed: make(chan struct{})}
		s := &keyringStore{names: names, ring: ring, patient: &patience{told: &told, stopped: ctx.Done()}}
		ended := make(chan error, 1)
		go func() {
			_, err := s.get(context.WithoutCancel(ctx), "a")
			ended <- err
		}()
		time.Sleep(keyringTold + time.Millisecond)
		synctest.Wait()
		assert.Equal(t, "pinterest: waiting for the key ring of the operating system: does it ask for its password in another window?\n"+
			"pinterest: hint: Ctrl-C stops this; --store file: does without a key ring\n", told.String())
		stop()
		synctest.Wait()
		assert.EqualError(t, <-ended, "the key ring of the operating system: stopped while it did not answer")

		s.patient.stopped = nil
		_, err := s.get(t.Context(), "a")
		assert.EqualError(t, err, "the key ring of the operating system: it did not answer within 1m0s", "a timer's run ends, too")
		close(ring.typed)
	})
}

func TestWhatIsLostFromTheKeyRingIsNotALogout(t *testing.T) {
	keyring.MockInit()
	s := openRing(t, filepath.Join(t.TempDir(), "ring"), systemRing{})
	require.NoError(t, s.Update(t.Context(), "a", saveValue("1")))
	keyring.MockInit() // another one
	_, err := s.Load(t.Context(), "a")
	assert.EqualError(t, err, `what was put into the key ring for account "a" is not there`)
	assert.NotErrorIs(t, err, fs.ErrNotExist)
	v := newStore("keyring:", s, pinterest.NewMemoryStore(), noClose)
	names, err := v.Names(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, names)
}

func saveValue(value string) func(context.Context, []byte) ([]byte, time.Time, error) {
	return func(context.Context, []byte) ([]byte, time.Time, error) { return []byte(value), time.Time{}, nil }
}
