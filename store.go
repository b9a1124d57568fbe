package pinterest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"golang.org/x/oauth2"
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

	// Update runs f on what is kept under key (nil if nothing) and durably keeps what f returns.
	// While f runs no other Update of key runs, in any process that shares the store.
	// If f fails nothing changes and Update returns f's error.
	//
	// Update waits for its turn until ctx is over. Then it runs f once, in the
	// calling goroutine, with a context that f must use in place of ctx: it is
	// derived from ctx, and a store whose lock can be lost cancels it when that
	// happens. Updates of other keys do not wait for this one.
	//
	// A ctx that is over while f runs lets no other Update in before f has
	// returned, and what f returns without an error is kept all the same: it may
	// be a refresh token that exists nowhere else. A nil slice is kept as an
	// empty value, which is not the same as nothing.
	//
	// If keeping fails the store holds either the old value or the new one,
	// whole. If f panics nothing changes and the lock is let go; so it is when
	// the process dies.
	Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) ([]byte, error)) error

	// Delete forgets key; a missing key is no error.
	//
	// Delete waits for its turn as an Update does, so that an Update under way
	// cannot bring key back.
	Delete(ctx context.Context, key string) error

	// Keys yields every key.
	//
	// The order is not defined. A key that is there from beginning to end is
	// yielded once, whatever else changes meanwhile; one that comes or goes may
	// be. The body of the loop may use the store. An error is yielded with an
	// empty key, and ends the sequence.
	Keys(ctx context.Context) iter.Seq2[string, error]
}

// LoadToken returns the token kept under key. If there is none the error is
// both [fs.ErrNotExist] and [ErrReauthorize].
func LoadToken(ctx context.Context, s Store, key string) (*oauth2.Token, error) {
	if err := checkPlace(s, key); err != nil {
		return nil, err
	}
	data, err := s.Load(ctx, key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pinterest: loading the token of key %q: %w", key, err)
	}
	t, err := readRecord(key, data)
	if err != nil {
		return nil, fmt.Errorf("pinterest: %w", err)
	}
	return t, nil
}

// SaveToken keeps t under key, where sources in every process that shares the
// store find it: this is what to do with the token of a login. It waits for a
// renewal of key's token that is under way, and replaces whatever is there.
func SaveToken(ctx context.Context, s Store, key string, t *oauth2.Token) error {
	if err := checkPlace(s, key); err != nil {
		return err
	}
	data, err := marshalToken(t, lineage{login: rand.Text()}) // a login of its own, whatever t came of
	if err != nil {
		return err
	}
	if e, ok := s.(*encryptedStore); ok {
		err = e.replace(ctx, key, data)
	} else {
		err = s.Update(ctx, key, func(context.Context, []byte) ([]byte, error) { return data, nil })
	}
	if err != nil {
		return fmt.Errorf("pinterest: saving the token of key %q: %w", key, err)
	}
	return nil
}

func checkPlace(s Store, key string) error {
	switch {
	case s == nil:
		return fmt.Errorf("pinterest: %w", errNoStore)
	case key == "":
		return fmt.Errorf("pinterest: %w", errEmptyKey)
	}
	return nil
}

var (
	errNoStore  = errors.New("the Store is nil: make one, such as NewMemoryStore()")
	errEmptyKey = errors.New("the key is empty: name the account that the token belongs to")
)

// readRecord reads what a store holds under key, nil if that is nothing.
func readRecord(key string, data []byte) (*oauth2.Token, error) {
	if data == nil {
		return nil, &nothingKept{key}
	}
	t, err := unmarshalToken(data)
	if err != nil {
		return nil, fmt.Errorf("the record under key %q: %w", key, err)
	}
	return t, nil
}

// nothingKept is the error of a key that holds nothing.
type nothingKept struct{ key string }

func (e *nothingKept) Error() string {
	return fmt.Sprintf("no token is kept under key %q: send the user to Config.AuthCodeURL and keep the token of Config.Exchange by SaveToken", e.key)
}

func (e *nothingKept) Unwrap() []error { return []error{fs.ErrNotExist, ErrReauthorize} }
