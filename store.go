package pinterest

import (
	"context"
	"time"
)

// A Store keeps small values, tokens for one, under keys, for all the processes
// that share it. Its methods are made of standard types, so an implementation
// need not import this package; package storetest tells whether it keeps the
// contract below.
//
// A Store is safe for use by many goroutines at once.
//
// A key is any non-empty string of bytes, up to 1,024 of them at least, and a
// value any bytes, 1 MiB of them at least. Keys that differ in a single byte, be
// it the case of a letter or a space at the end, are different keys. An empty
// key is an error that says so.
//
// Slices belong to whoever receives them: callers may do as they like with what
// they were handed, f with old included, and a store that wants to hold on to
// what it was given copies it.
//
// A method whose context is over before it began does nothing and returns the
// context's error, possibly wrapped. No error but a missing key's is
// fs.ErrNotExist, lest a store that cannot be reached be taken for an empty one.
type Store interface {
	// Load returns what is kept under key; missing: an error that is fs.ErrNotExist.
	//
	// Load does not wait for an Update of key that is running, and returns what
	// was kept before it.
	Load(ctx context.Context, key string) ([]byte, error)

	// Update runs f on what is kept under key (nil if nothing) and durably keeps the value that f returns, and with it
	// the time at which somebody should look at it again (zero: never).
	// While f runs no other Update of key runs, in any process that shares the store; a holder that dies holds key up for a minute at most.
	// If f fails nothing changes and Update returns f's error. That there is room and leave to write is found out before f runs.
	//
	// Update waits for its turn until ctx is over. Then it runs f once, with a
	// context that f must use in place of ctx: it is derived from ctx, and a
	// store whose lock can be lost cancels it when that happens. Updates of
	// other keys do not wait for this one.
	//
	// A ctx that is over while f runs lets no other Update in before f has
	// returned, and what f returns without an error is kept all the same: it may
	// be a refresh token that exists nowhere else. A nil slice is kept as an
	// empty value, which is not the same as nothing.
	//
	// If keeping fails the store holds either the old value or the new one,
	// whole. If f panics nothing changes and the lock is let go; so it is when
	// the process dies.
	Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) (value []byte, due time.Time, err error)) error

	// Delete forgets key; a missing key is no error.
	//
	// Delete waits for its turn as an Update does, so that an Update under way
	// cannot bring key back.
	Delete(ctx context.Context, key string) error

	// Each calls f with every key that is due before the given time (zero: every key) and what is kept under it, and ends
	// with the first error of f, or its own. A store that cannot tell may call f with more. Memory is bounded; f may use the store.
	//
	// The order is not defined. A key that is there, and due, from beginning to
	// end is seen once, whatever else changes meanwhile; one that comes or goes
	// may be. Given a time, so may one that is being updated, or gets another due:
	// somebody is at it.
	Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error
}
