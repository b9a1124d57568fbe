// Package storetest tells whether a [pinterest.Store] keeps its contract.
//
// A store that lives in one process is checked by one call:
//
//	func TestMyStore(t *testing.T) {
//		storetest.TestStore(t, func(t *testing.T) pinterest.Store {
//			return mystore.New()
//		})
//	}
//
// A store that processes share, or that outlives them, is checked by
// [TestSharedStore], which does the same and then lets several processes meet
// in it, kills some and pauses others. It makes them of the running test binary: there is
// nothing else to set up.
//
//	func TestMyStore(t *testing.T) {
//		storetest.TestSharedStore(t, storetest.Shared{
//			Place: func(t *testing.T) string { return t.TempDir() },
//			Open:  func(t *testing.T, place string) pinterest.Store { return mystore.Open(place) },
//		})
//	}
package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
)

// TestStore checks all that can be seen from within one process. It calls open
// for every behaviour it checks; each call must return a new and empty store,
// and may use t.Cleanup to be rid of it.
//
// To run one check alone, name it: go test -run 'TestMyStore/a_panic'.
func TestStore(t *testing.T, open func(t *testing.T) pinterest.Store) {
	t.Helper()
	testStore(t, open, false)
}

func testStore(t *testing.T, open func(t *testing.T) pinterest.Store, oneAtATime bool) {
	t.Helper()
	for _, c := range checks {
		if c.parallelKeys && oneAtATime {
			continue
		}
		t.Run(c.behaviour, func(t *testing.T) {
			defer quote(t, c.contract)
			c.run(t, open(t))
		})
	}
}

// A check is a behaviour every store must show, and what shows it.
type check struct {
	behaviour    string
	contract     string // the sentence of pinterest.Store that asks for it
	run          func(t *testing.T, s pinterest.Store)
	parallelKeys bool // shown only by a store that locks key by key
}

var checks = []check{
	{behaviour: "a missing key is fs.ErrNotExist", run: testMissing, contract: present},
	{behaviour: "an Update keeps what f returns", run: testUpdate, contract: durably},
	{behaviour: "an empty value is not a missing one", run: testEmptyValue, contract: emptyIsThere},
	{behaviour: "values of any bytes and size are kept", run: testValues, contract: anyBytes},
	{behaviour: "an error of f changes nothing and comes back", run: testError, contract: failing},
	{behaviour: "a panic of f leaves no lock", run: testPanic, contract: oldOrNew},
	{behaviour: "slices belong to their receivers", run: testOwnership, contract: belongs},

	{behaviour: "an empty key is refused", run: testEmptyKey, contract: emptyKey},
	{behaviour: "odd keys are kept apart", run: testOddKeys, contract: keysDiffer},
	{behaviour: "more keys are kept than a page holds", run: testManyKeys, contract: showsDue},

	{behaviour: "Each sees all that is due and, given no time, every key", run: testEachDue, contract: showsDue},
	{behaviour: "a due that an Update changes is the new one", run: testDueChanges, contract: durably},
	{behaviour: "an Update that fails changes no due", run: testDueAfterFailure, contract: failing},
	{behaviour: "Each hands out whole values that are f's own", run: testEachValues, contract: belongs},
	{behaviour: "an error of f ends Each and comes back", run: testEachError, contract: showsDue},
	{behaviour: "Each lets f use the store", run: testEachUse, contract: showsDue},
	{behaviour: "Each can be left and leaves nothing open", run: testEachLeft, contract: showsDue},
	{behaviour: "Each shows once what f moves ahead", run: testEachMovedAhead, contract: showsOnce},
	{behaviour: "Each is at home in a changing store", run: testEachDuringChanges, contract: showsOnce},

	{behaviour: "Updates of one key exclude each other", run: testExclusion, contract: excludes},
	{behaviour: "Updates of different keys do not wait for each other", run: testIndependence, parallelKeys: true, contract: apart},
	{behaviour: "a Load does not wait for an Update", run: testLoadDuringUpdate, contract: loads},
	{behaviour: "a Load sees whole values", run: testWholeValues, contract: loads},
	{behaviour: "a Delete is final", run: testDelete, contract: deletes},
	{behaviour: "a Delete waits for its turn", run: testDeleteWaits, contract: deletes},
	{behaviour: "Deletes and Updates mix", run: testDeleteDuringUpdates, contract: excludes},

	{behaviour: "a context that is over begins nothing", run: testContextOver, contract: begins},
	{behaviour: "a waiter leaves with its context", run: testWaiterLeaves, contract: turn},
	{behaviour: "f's context comes from the caller's", run: testContextOfF, contract: turn},
	{behaviour: "Each ends with its context", run: testEachContext, contract: showsDue},
	{behaviour: "a context that ends while f runs lets nobody in and loses nothing", run: testContextEndsInside, contract: stillKept},
}

// patience bounds every wait for something that must happen.
var patience = 20 * time.Second

// glimpse bounds every wait for something that must not happen: it is how long
// somebody is watched standing before a lock.
const glimpse = 100 * time.Millisecond

var errRefused = errors.New("storetest: f refuses")

// patient returns a context that no correct store outlives, so that one that
// waits for ever fails its check and not the whole run.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// receive returns what c brings, and fails the test if it brings nothing.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience + glimpse): // a context's end comes first
		require.FailNow(t, "waited in vain for "+what)
		panic("unreachable")
	}
}

// soon returns what call does, and fails the test if it hangs: a store may be
// so broken that it does not heed its context.
func soon(t *testing.T, what string, call func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	return receive(t, done, what)
}

// keep puts value under key, never due.
func keep(t *testing.T, s pinterest.Store, key, value string) {
	t.Helper()
	keepDue(t, s, key, value, time.Time{})
}

func keepDue(t *testing.T, s pinterest.Store, key, value string, due time.Time) {
	t.Helper()
	ctx := patient(t)
	err := soon(t, "an Update that nobody holds up", func() error { return s.Update(ctx, key, returningDue(value, due)) })
	require.NoError(t, err, "Update of %.50q", key)
}

// kept returns what is under key.
func kept(t *testing.T, s pinterest.Store, key string) string {
	t.Helper()
	value, err := s.Load(patient(t), key)
	require.NoError(t, err, "Load of %.50q", key)
	return string(value)
}

// A function is what Update runs.
type function = func(ctx context.Context, old []byte) (value []byte, due time.Time, err error)

// returning is an f that returns value, never due, whatever there was.
func returning(value string) function { return returningDue(value, time.Time{}) }

func returningDue(value string, due time.Time) function {
	return func(context.Context, []byte) ([]byte, time.Time, error) { return []byte(value), due, nil }
}

// A holder is an Update that stays in f until it is told to leave.
type holder struct {
	ctx   context.Context // f's
	leave chan outcome
	done  chan error // what Update returned
}

type outcome struct {
	value string
	err   error
}

// hold begins an Update of key and returns when it is inside f.
func hold(t *testing.T, ctx context.Context, s pinterest.Store, key string) *holder {
	t.Helper()
	h := &holder{leave: make(chan outcome, 2), done: make(chan error, 1)}
	inside := make(chan struct{}, 1)
	go func() {
		h.done <- s.Update(ctx, key, func(ctx context.Context, _ []byte) ([]byte, time.Time, error) {
			h.ctx = ctx
			inside <- struct{}{}
			o := <-h.leave
			return []byte(o.value), time.Time{}, o.err
		})
	}()
	t.Cleanup(func() { // of a check that failed before it let go
		select {
		case h.leave <- outcome{err: errRefused}:
		default:
		}
	})
	select {
	case <-inside:
	case err := <-h.done:
		require.FailNow(t, "Update returned before it ran f", "%v", err)
	case <-time.After(patience):
		require.FailNow(t, "Update does not run f, though nobody else is inside")
	}
	return h
}

// release lets f return and says what Update made of it.
func (h *holder) release(t *testing.T, value string, err error) error {
	t.Helper()
	h.leave <- outcome{value, err}
	return receive(t, h.done, "the Update whose f has returned")
}

// An intruder's f must not run. It tells what it did rather than failing the
// test, which may be over by the time a broken store lets it in.
type intruder struct{ ran atomic.Bool }

func (in *intruder) f(context.Context, []byte) ([]byte, time.Time, error) {
	in.ran.Store(true)
	return nil, time.Time{}, errRefused
}

// requireHeld shows that nobody gets into an Update of key.
func requireHeld(t *testing.T, s pinterest.Store, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), glimpse)
	defer cancel()
	var in intruder
	err := soon(t, "a waiter whose context is over", func() error { return s.Update(ctx, key, in.f) })
	require.False(t, in.ran.Load(), "two Updates of one key run at once")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
