package pinterest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/internal/renew"
	"github.com/go-pinterest/pinterest/internal/wire"
)

const (
	renewalTime = time.Minute      // after which a renewal sends no further request
	storeTime   = 30 * time.Second // for reading or saving a token once
)

// An origin is where the tokens of one account come from: a grant at Pinterest,
// and, if they are kept, a place in a store. It implements [renew.Origin].
type origin struct {
	conf *Config
	ctx  context.Context // has the HTTP client and other values, and bounds how long Token waits
	kept *place          // nil: the source alone has the token
	op   string          // opRefresh or opClientCredentials; of a token that is kept, its record says
}

// A place is where a token is kept.
type place struct {
	store Store
	key   string
}

// tokenOf returns t as the engine knows it.
func (o *origin) tokenOf(t *oauth2.Token) *renew.Token {
	if !wire.Printable(t.AccessToken) || !o.conf.issued(t) {
		return renew.Dead(t)
	}
	ahead := o.conf.RefreshAhead
	if ahead == 0 && o.kept == nil && o.conf.OnRefresh == nil && o.op != opClientCredentials {
		ahead = -1 // a refresh token that is replaced is lost, unless whoever asked is handed the next
	}
	return renew.NewToken(t, ahead)
}

// Context implements [renew.Origin].
func (o *origin) Context() context.Context { return o.ctx }

// Next implements [renew.Origin]. A kept token is renewed under its key's lock:
// lock, read again, adopt a sibling's newer token, else renew, save, unlock.
func (o *origin) Next(ctx context.Context, k renew.Known) renew.Outcome {
	if o.kept == nil {
		t, err := o.grant(ctx, k.Token)
		if err != nil {
			return failed(err, nil)
		}
		return renew.Outcome{Result: renew.Renewed, Token: t, Err: o.tell(ctx, t)}
	}
	locked, cancel := context.WithTimeout(ctx, 2*renewalTime) // a sibling's, and then ours
	defer cancel()
	var found, old, renewed *renew.Token
	var err error // f's own
	fail := o.update(locked, func(ctx context.Context, data []byte) ([]byte, time.Time, error) {
		if renewed != nil { // a store that runs f twice must not renew twice
			return marshal(renewed)
		}
		if found, err = o.read(data); err != nil {
			return nil, time.Time{}, err
		}
		old = found
		switch {
		case found.Same(k.Former):
			old = k.Token // the store has lost what was saved last
		case !found.Same(k.Token) && found.Good():
			err = errAsIs
			return nil, time.Time{}, err
		}
		if renewed, err = o.grant(ctx, old); err != nil {
			return nil, time.Time{}, err
		}
		return marshal(renewed)
	})
	switch {
	case renewed != nil && fail != nil:
		return renew.Outcome{Result: renew.Renewed, Token: renewed, Former: found, Err: quiet(fail, renewed.OAuth2())}
	case renewed != nil:
		o.told(ctx, renewed)
		return renew.Outcome{Result: renew.Renewed, Token: renewed, Former: found}
	case err == errAsIs:
		return renew.Outcome{Result: renew.Adopted, Token: found}
	case isNothing(err):
		return renew.Outcome{Result: renew.Gone, Err: err}
	case err != nil:
		return failed(err, old)
	}
	return o.storeFailed(fail)
}

// errAsIs ends an Update that has nothing to write.
var errAsIs = errors.New("the store is to stay as it is")

// update is the store's Update. It is an error if that does not call f.
func (o *origin) update(ctx context.Context, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	err := errors.New("its Update did not return")
	called := false
	returns(func() {
		err = o.kept.store.Update(ctx, o.kept.key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
			called = true
			return f(ctx, old)
		})
		if err == nil && !called {
			err = errors.New("its Update did not call f")
		}
	})
	return err
}

// returns runs f, which may call runtime.Goexit, as a failing test does: what
// the caller knows by then must not end with its goroutine.
func returns(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// grant has Pinterest replace old, by the grant that old came by.
func (o *origin) grant(ctx context.Context, old *renew.Token) (*renew.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, renewalTime)
	defer cancel()
	var from, t *oauth2.Token
	if old != nil {
		from = old.OAuth2()
	}
	var err error
	switch op := o.opOf(old); {
	case op == opRefresh:
		t, err = o.conf.refresh(ctx, from)
	case op == o.op:
		t, err = o.conf.clientCredentials(ctx, o.conf.Scopes)
	default:
		t, err = o.conf.clientCredentials(ctx, GrantedScopes(from))
	}
	if err != nil {
		return nil, err
	}
	return o.tokenOf(t), nil
}

// opOf returns how t is renewed.
func (o *origin) opOf(t *renew.Token) string {
	if o.kept != nil && t != nil && extraText(t.OAuth2(), extraGrant) == grantClientCredentials {
		return opClientCredentials
	}
	return o.op
}

// tell tells OnRefresh of t.
func (o *origin) tell(ctx context.Context, t *renew.Token) error {
	if o.conf.OnRefresh == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	err := errors.New("OnRefresh did not return")
	returns(func() { err = quiet(o.conf.OnRefresh(ctx, t.OAuth2()), t.OAuth2()) })
	return err
}

// told tells OnRefresh of a token that the store has.
func (o *origin) told(ctx context.Context, t *renew.Token) {
	if err := o.tell(ctx, t); err != nil {
		o.logNotTold(t, err)
	}
}

// Find implements [renew.Origin].
func (o *origin) Find(ctx context.Context, k renew.Known) renew.Outcome {
	if err := o.kept.check(); err != nil {
		return failed(&Error{Op: o.op, Err: err}, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	var data []byte
	err := errors.New("its Load did not return")
	returns(func() { data, err = o.kept.store.Load(ctx, o.kept.key) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return o.storeFailed(err)
	}
	t, err := o.read(data)
	switch {
	case isNothing(err):
		return renew.Outcome{Result: renew.Gone, Err: err}
	case err != nil:
		return failed(err, nil)
	case t.Same(k.Token):
		return renew.Outcome{}
	case t.Same(k.Former):
		return renew.Outcome{Result: renew.Unsaved, Err: errors.New("the store has lost it")}
	}
	return renew.Outcome{Result: renew.Adopted, Token: t}
}

// Save implements [renew.Origin].
func (o *origin) Save(ctx context.Context, k renew.Known) renew.Outcome {
	if o.kept == nil {
		if err := o.tell(ctx, k.Token); err != nil {
			return renew.Outcome{Result: renew.Unsaved, Err: err}
		}
		return renew.Outcome{Result: renew.Saved}
	}
	locked, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	out := renew.Outcome{Result: renew.Saved}
	err := o.update(locked, func(_ context.Context, data []byte) ([]byte, time.Time, error) {
		found, err := o.read(data)
		switch {
		case isNothing(err): // somebody logged out
			out = renew.Outcome{Result: renew.Gone, Err: err}
		case err != nil:
			return nil, time.Time{}, err
		case found.Same(k.Token): // all that failed was to hear of it
		case found.Same(k.Former):
			return marshal(k.Token)
		default:
			out = renew.Outcome{Result: renew.Adopted, Token: found}
		}
		return nil, time.Time{}, errAsIs
	})
	switch {
	case err != nil && !errors.Is(err, errAsIs):
		return renew.Outcome{Result: renew.Unsaved, Err: quiet(err, k.Token.OAuth2())}
	case out.Result == renew.Saved:
		o.told(ctx, k.Token)
	}
	return out
}

// read reads what the store holds, nil for nothing.
func (o *origin) read(data []byte) (*renew.Token, error) {
	t, err := readRecord(o.kept.key, data)
	if err != nil {
		return nil, &Error{Op: o.op, Err: err}
	}
	return o.tokenOf(t), nil
}

// marshal is what an Update of t returns.
func marshal(t *renew.Token) ([]byte, time.Time, error) {
	data, err := MarshalToken(t.OAuth2())
	return data, dueOf(t.OAuth2()), err
}

// dueOf is when somebody should look at t again: when its refresh token dies, at
// once if that is not known, and never if it has none.
func dueOf(t *oauth2.Token) time.Time {
	if t.RefreshToken == "" {
		return time.Time{}
	}
	if at, ok := RefreshExpiry(t); ok {
		return at
	}
	return time.Now()
}

// quiet is err in words that hold nothing of t, which its function was handed.
func quiet(err error, t *oauth2.Token) error { return wire.Quiet(err, t.AccessToken, t.RefreshToken) }

func (o *origin) storeFailed(err error) renew.Outcome {
	out := failed(o.Fail(uncancelled{fmt.Errorf("the store failed at key %q: %w", o.kept.key, wire.Quiet(err))}), nil)
	out.Unreachable = true
	return out
}

// Fail implements [renew.Origin]: err is no verdict, and may be over next time.
func (o *origin) Fail(err error) error { return &Error{Op: o.op, Err: &passingError{err}} }

// failed says what follows from err, which keeps t from being renewed.
func failed(err error, t *renew.Token) renew.Outcome {
	out := renew.Outcome{Result: renew.Failed, Err: err, Token: t, Mend: mendOf(err)}
	var e *Error
	if errors.As(err, &e) {
		out.After = e.RetryAfter
	}
	return out
}

// mendOf says who can mend err. What was found wrong before anything was sent
// stays wrong until somebody changes it.
func mendOf(err error) renew.Mend {
	var e *Error
	switch {
	case errors.Is(err, ErrReauthorize):
		return renew.ByUser
	case errors.Is(err, ErrClientRejected), errors.As(err, &e) && e.StatusCode == 0 && !e.Temporary():
		return renew.ByOperator
	}
	return renew.ByTime
}
