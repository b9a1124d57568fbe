package pinterest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/oauth2"
)

// StoredTokenSource returns a source of the tokens kept under key, for any
// number of processes that share the store. Each token is renewed by one of
// them, which holds the key's lock meanwhile; the others adopt what it saved. A
// renewed token is saved before anyone is handed it, and if saving fails it is
// tried again until it works.
//
// The store is first read when a token is asked for. Keep the token of a login
// by [SaveToken]: sources that have found nothing, or a dead token, go on with
// it by themselves. What is said of the context at [Config.TokenSource] holds
// here.
func (c *Config) StoredTokenSource(ctx context.Context, s Store, key string) *TokenSource {
	src := c.newSource(ctx, opRefresh)
	src.store, src.key = s, key
	if s == nil {
		src.store = noStore{}
	}
	return src
}

// noStore stands for a nil Store, which is reported when it is used.
type noStore struct{ Store }

// errAsIs ends an Update that has nothing to write.
var errAsIs = errors.New("the store is to stay as it is")

// renewInStore finds the next token in the store, or has Pinterest renew the
// one that is there: lock, read again, adopt a sibling's newer token, else
// renew, save, unlock.
func (s *TokenSource) renewInStore(f *flight) error {
	if _, none := s.store.(noStore); none {
		return &Error{Op: s.op, Err: errNoStore}
	}
	if s.key == "" {
		return &Error{Op: s.op, Err: errEmptyKey}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 2*renewalTime) // a sibling's, and then ours
	defer cancel()
	if f.held != nil || f.old == nil && f.why == due {
		found, err := s.look(ctx, f)
		switch {
		case err != nil:
			return err
		case found != nil && found.good():
			f.lease, f.unsaved = found, nil
			return nil
		case f.held != nil && (found == nil || f.held != errPatient && !final(f.held)):
			return f.held
		}
		f.held = nil // the store holds another token than the one that was refused
	}
	err := s.renewUnderLock(ctx, f)
	if errors.Is(err, ErrReauthorize) {
		// A login, or a sibling that lost its lock, may have been first.
		if found, _ := s.look(ctx, f); found != nil {
			if found.good() {
				f.lease = found
				return nil
			}
			return s.renewUnderLock(ctx, f)
		}
	}
	return err
}

// look returns the store's token, or nil if f knows it.
func (s *TokenSource) look(ctx context.Context, f *flight) (*lease, error) {
	data, err := s.store.Load(ctx, s.key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, s.storeFailed(err)
	}
	l, err := s.read(data)
	if err != nil || l.same(f.old) || l.same(f.tried) || l.before(f.old) {
		return nil, err
	}
	return l, nil
}

// read reads what the store holds, nil for nothing.
func (s *TokenSource) read(data []byte) (*lease, error) {
	t, err := readRecord(s.key, data)
	if err != nil {
		return nil, &Error{Op: s.op, Err: err}
	}
	return s.conf.newLease(known(t)), nil
}

// renewUnderLock renews the token that the store holds, unless it is a better
// one than f began with.
func (s *TokenSource) renewUnderLock(ctx context.Context, f *flight) error {
	var held *lease
	var after *oauth2.Token
	var fail error
	err := s.store.Update(ctx, s.key, func(ctx context.Context, data []byte) ([]byte, error) {
		if after != nil { // a store that runs f twice must not renew twice
			return MarshalToken(after)
		}
		if held, fail = s.read(data); fail != nil {
			return nil, fail
		}
		from := held
		if !held.same(f.old) {
			switch {
			case held.before(f.old):
				from = f.old // the store has lost what was saved last
			case held.good() && (f.old != nil || f.why != asked):
				f.lease, fail = held, errAsIs
				return nil, fail
			}
		}
		after, fail = s.grant(ctx, from.exact())
		if from != held && errors.Is(fail, ErrReauthorize) {
			after, fail = s.grant(ctx, held.exact())
		}
		if fail != nil {
			f.tried = held
			return nil, fail
		}
		// Should the store panic or exit from here on, land still has the token.
		f.lease, f.renewed = s.conf.newLease(after), true
		f.unsaved = &unsaved{from: held, err: errAbandoned}
		return MarshalToken(after)
	})
	switch {
	case after != nil:
		f.unsaved.kept, f.unsaved.err = err == nil, nil
		if err != nil {
			f.unsaved.err = f.lease.secrets().error(err)
		}
		return nil
	case fail == errAsIs:
		return nil
	case fail != nil:
		return fail
	case err == nil:
		err = errors.New("its Update did not call f")
	}
	return s.storeFailed(err)
}

// keep saves a renewed token whose first saving failed. It returns the store's
// token instead if a sibling was first.
func (s *TokenSource) keep(ctx context.Context, l, from *lease) (newer *lease, err error) {
	var fail error
	err = s.store.Update(ctx, s.key, func(_ context.Context, data []byte) ([]byte, error) {
		var held *lease
		held, fail = s.read(data)
		switch {
		case errors.Is(fail, fs.ErrNotExist): // somebody logged out
			fail = errAsIs
		case fail != nil:
		case held.same(l): // all that failed was to hear of it
			fail = errAsIs
		case !held.same(from) && !held.before(l):
			newer, fail = held, errAsIs
		default:
			return MarshalToken(l.exact())
		}
		return nil, fail
	})
	if fail == errAsIs {
		return newer, nil
	}
	return nil, err
}

// storeError is an error of the store's.
type storeError struct{ passingError }

func (s *TokenSource) storeFailed(err error) error {
	if sealed := (*sealError)(nil); errors.As(err, &sealed) {
		return &Error{Op: s.op, Err: errors.New(sealed.message)}
	}
	return &Error{Op: s.op, Err: &storeError{passingError{fmt.Errorf("the store failed at key %q: %w", s.key, err)}}}
}
