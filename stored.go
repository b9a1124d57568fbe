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
		case found && f.lease.good():
			return nil
		case !found && f.held != nil:
			return f.held
		}
		f.held = nil // the store has changed since
	}
	err := s.renewUnderLock(ctx, f)
	if errors.Is(err, ErrReauthorize) {
		// A login, or a sibling that lost its lock, may have been first.
		if found, _ := s.look(ctx, f); found {
			if f.lease.good() {
				return nil
			}
			return s.renewUnderLock(ctx, f)
		}
	}
	return err
}

// look takes the store's token for f's, and reports whether it is another.
func (s *TokenSource) look(ctx context.Context, f *flight) (bool, error) {
	data, err := s.store.Load(ctx, s.key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, s.storeFailed(f, err)
	}
	return s.adopt(f, data)
}

// adopt takes the token of a record for f's, and reports whether it is another.
func (s *TokenSource) adopt(f *flight, data []byte) (bool, error) {
	t, err := readRecord(s.key, data)
	if err != nil {
		return false, &Error{Op: s.op, Err: err}
	}
	if f.lease != nil && same(t, f.lease) {
		return false, nil
	}
	f.lease = s.conf.newLease(known(t))
	return true, nil
}

// renewUnderLock renews the token that the store holds, unless it is a better
// one than f began with.
func (s *TokenSource) renewUnderLock(ctx context.Context, f *flight) error {
	var before, after *oauth2.Token
	var fail error
	err := s.store.Update(ctx, s.key, func(ctx context.Context, data []byte) ([]byte, error) {
		var found bool
		if found, fail = s.adopt(f, data); fail != nil {
			return nil, fail
		}
		if found && f.lease.good() && (f.old != nil || f.why != asked) {
			fail = errAsIs
			return nil, fail
		}
		before = f.lease.exact()
		if after, fail = s.grant(ctx, before); fail != nil {
			return nil, fail
		}
		return MarshalToken(after)
	})
	switch {
	case after != nil:
		f.lease, f.renewed = s.conf.newLease(after), true
		f.unsaved = &unsaved{from: before, kept: err == nil}
		if err != nil {
			f.unsaved.err = f.lease.secrets().error(err)
		}
		return nil
	case fail == errAsIs:
		return nil
	case fail != nil:
		return fail
	}
	return s.storeFailed(f, err)
}

// keep saves a renewed token whose first saving failed. It returns the store's
// token instead if a sibling was first.
func (s *TokenSource) keep(ctx context.Context, l *lease, from *oauth2.Token) (newer *lease, err error) {
	var fail error
	err = s.store.Update(ctx, s.key, func(_ context.Context, data []byte) ([]byte, error) {
		var t *oauth2.Token
		t, fail = readRecord(s.key, data)
		switch {
		case errors.Is(fail, fs.ErrNotExist): // somebody logged out
			fail = errAsIs
		case fail != nil:
		case same(t, l): // all that failed was to hear of it
			fail = errAsIs
		case !same(t, s.conf.newLease(known(from))):
			newer, fail = s.conf.newLease(known(t)), errAsIs
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

func (s *TokenSource) storeFailed(f *flight, err error) error {
	f.storeDown = true
	return &Error{Op: s.op, Err: fmt.Errorf("the store failed at key %q: %w", s.key, err)}
}

// same reports whether l holds the token t.
func same(t *oauth2.Token, l *lease) bool {
	return t.AccessToken == l.token.AccessToken && t.RefreshToken == l.token.RefreshToken && t.Expiry.Equal(l.end)
}
