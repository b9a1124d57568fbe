package pinterest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"runtime"
	"sync"
	"time"
	"weak"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/internal/renew"
	"github.com/go-pinterest/pinterest/internal/wire"
)

// Accounts are the accounts of an app, each token kept in a store that any
// number of processes share. It is what an app with users works with:
//
//	accounts := &pinterest.Accounts{Config: conf, Store: store}
//	…
//	err := accounts.Save(ctx, "alice", token) // after a login
//	…
//	resp, err := accounts.Client("alice").Get("https://api.pinterest.com/v5/boards")
//
// A token is renewed by the grant that it came by: those of client credentials,
// too. Each is renewed by one of the processes, which holds the key's lock
// meanwhile; the others adopt what it saved. A renewed token is saved before
// anyone is handed it, and if saving fails it is tried again until it works. A
// login, a logout or a renewal in another process is noticed within a minute of
// use, by one Load a minute for an account in use, or one a second while it has no
// good token; in this process at once.
//
// A key names an account: it is not empty and holds no white space or control
// character. The fields must not be changed once a method was called, and
// Accounts not be copied. Its methods may be used by several goroutines at once.
type Accounts struct {
	// Config is the app.
	Config *Config

	// Store keeps the tokens.
	Store Store

	// HTTPClient is for the token requests, and beneath Client. Nil means
	// http.DefaultClient.
	HTTPClient *http.Client

	mu       sync.Mutex // guards what follows
	sources  map[string]weak.Pointer[account]
	borrowed map[string]*account // made for a sweep, and not given back yet
	recent   map[string]*account // asked for since rotated
	older    map[string]*account // asked for in the time before
	rotated  time.Time
	changes  int // how often a token was saved or forgotten in this process
}

// An account is one source and the client over it.
type account struct {
	TokenSource
	client http.Client

	// guarded by Accounts.mu
	changes    int  // how often its token was saved or forgotten in this process
	borrowers  int  // sweeps that renew it
	remembered bool // in sources; what a sweep made need not be
}

// rememberTime is for how long at least a source that nobody holds is remembered
// after it was asked for.
const rememberTime = 5 * time.Minute

// Save keeps t under key, where sources in every process that shares the store
// find it: this is what to do with the token of a login. It waits for a renewal
// of key's token that is under way, and replaces whatever is there. When it
// returns, nobody in this process is handed the former token any more.
//
// T is not modified. Ctx bounds how long Save waits for the key's lock; it then takes
// a quarter of a second more, until no cache of x/oauth2 has the former token. The error
// says what is wrong with key or t, or wraps the store's: then either the former
// token is kept or t is, whole.
func (a *Accounts) Save(ctx context.Context, key string, t *oauth2.Token) error {
	p, err := a.place(key)
	if err != nil {
		return err
	}
	data, err := MarshalToken(t)
	if err != nil {
		return err
	}
	was, changes := a.changesOf(key)
	t = copyToken(t)
	if err := checkTokens(t); err != nil {
		return fmt.Errorf("pinterest: %w", err)
	}
	err = p.store.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Time, error) { return data, dueOf(t), nil })
	if err != nil {
		return fmt.Errorf("pinterest: saving the token of key %q: %w", key, quiet(err, t))
	}
	a.set(key, t, was, changes)
	return nil
}

// Load returns the token that is kept under key, as it is: nothing is renewed.
// If there is none the error is both [fs.ErrNotExist] and [ErrReauthorize]; others
// say what is wrong with key or the record, or wrap the store's. The token is the
// caller's own, its Expiry the true one.
func (a *Accounts) Load(ctx context.Context, key string) (*oauth2.Token, error) {
	p, err := a.place(key)
	if err != nil {
		return nil, err
	}
	data, err := p.store.Load(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pinterest: loading the token of key %q: %w", key, wire.Quiet(err))
	}
	t, err := readRecord(key, data)
	if err != nil {
		return nil, fmt.Errorf("pinterest: %w", err)
	}
	return t, nil
}

// Forget deletes the token of key: a logout. It waits for a renewal of key's
// token that is under way. When it returns, no request of this process carries
// the token any more; other processes notice within a minute. A key that keeps
// nothing is no error. Pinterest is told nothing: see [Config.Revoke].
//
// Ctx bounds how long Forget waits for the key's lock. The error says what is
// wrong with key, or wraps the store's: then the token may still be there.
func (a *Accounts) Forget(ctx context.Context, key string) error {
	p, err := a.place(key)
	if err != nil {
		return err
	}
	was, changes := a.changesOf(key)
	if err := p.store.Delete(ctx, key); err != nil {
		return fmt.Errorf("pinterest: forgetting the token of key %q: %w", key, wire.Quiet(err))
	}
	a.set(key, nil, was, changes)
	return nil
}

// set has key's source, if there is one, go on with t; or with what is kept, if
// that is nil, or if it is not the one that was there before, with as many changes.
func (a *Accounts) set(key string, t *oauth2.Token, was *account, changes int) {
	a.mu.Lock()
	a.changes++
	acc := a.find(key)
	if acc == nil {
		a.mu.Unlock()
		return
	}
	var saved, next *renew.Token
	if t != nil {
		saved = acc.origin.tokenOf(t)
	}
	if acc == was && acc.changes == changes {
		next = saved
	}
	acc.changes++
	mended := acc.source.Set(next)
	a.mu.Unlock()
	if mended {
		acc.origin.logMended(saved)
	}
	time.Sleep(renew.CacheTime + 1) // a cache of x/oauth2 may have the former token for so long
}

// Source returns the source of key's tokens. There is one for each key while it
// is in use, however often it is asked for; one that nobody holds is forgotten
// some minutes after it was last asked for. The store is first read when a token
// is asked for, and a key that is no good, or keeps nothing, is an error then.
// Nobody has to close a source.
func (a *Accounts) Source(key string) *TokenSource { return &a.account(key).TokenSource }

// Client returns an HTTP client that authorizes its requests to Pinterest's API
// as key's account, by a [Transport] over [Accounts.Source]. It is cheap: an app
// may ask for one at every request. Its transport, cookie jar, redirect policy
// and timeout are those of HTTPClient. The client is the caller's own.
//
// A request whose token cannot be had is not sent; its error wraps an [*Error].
// Without a deadline of its own it waits as long as a renewal takes: the package's
// documentation says how long.
func (a *Accounts) Client(key string) *http.Client {
	client := a.account(key).client
	return &client
}

// account returns the account of key that is in use, or a new one.
func (a *Accounts) account(key string) *account {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.rotated) >= rememberTime {
		a.older, a.recent, a.rotated = a.recent, make(map[string]*account), time.Now()
	}
	acc := a.recent[key]
	if acc == nil {
		if acc = a.find(key); acc == nil {
			acc = a.newAccount(key)
		}
		if !acc.remembered {
			a.remember(key, acc)
		}
		a.recent[key] = acc
	}
	return acc
}

// borrow returns the account of key that is in use, or a new one that begins with
// t, unless a token was saved or forgotten here since there were so many changes.
// The last to give back a new one that nobody has asked for leaves no trace of
// it.
func (a *Accounts) borrow(key string, t *oauth2.Token, changes int) (acc *account, giveBack func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if acc = a.find(key); acc == nil {
		acc = a.newAccount(key)
		if a.changes == changes {
			acc.source.Set(acc.origin.tokenOf(t))
		}
		if a.borrowed == nil {
			a.borrowed = make(map[string]*account)
		}
		a.borrowed[key] = acc
	}
	acc.borrowers++
	return acc, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if acc.borrowers--; acc.borrowers > 0 {
			return
		}
		delete(a.borrowed, key)
		if !acc.remembered && acc.source.Busy() {
			a.remember(key, acc)
		}
	}
}

// find returns the account of key that is in use, or nil.
func (a *Accounts) find(key string) *account {
	if acc := a.borrowed[key]; acc != nil {
		return acc
	}
	return a.sources[key].Value()
}

// changed returns how often a token was saved or forgotten in this process.
func (a *Accounts) changed() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changes
}

// changesOf returns the account of key that is in use, or nil, and its changes.
func (a *Accounts) changesOf(key string) (acc *account, changes int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if acc = a.find(key); acc != nil {
		changes = acc.changes
	}
	return acc, changes
}

func (a *Accounts) config() *Config {
	if a.Config == nil {
		return new(Config)
	}
	return a.Config
}

// newAccount is called under the lock.
func (a *Accounts) newAccount(key string) *account {
	acc, conf := new(account), a.config()
	ctx := context.Background()
	if a.HTTPClient != nil {
		ctx = context.WithValue(ctx, oauth2.HTTPClient, a.HTTPClient)
	}
	acc.origin = origin{conf: conf, ctx: ctx, op: opRefresh, kept: &place{a.Store, key}}
	acc.init()
	acc.client = *contextClient(ctx)
	acc.client.Transport = &Transport{Source: &acc.TokenSource, Base: acc.client.Transport}
	return acc
}

// remember has acc found for as long as somebody holds it.
func (a *Accounts) remember(key string, acc *account) {
	acc.remembered = true
	if a.sources == nil {
		a.sources = make(map[string]weak.Pointer[account])
	}
	a.sources[key] = weak.Make(acc)
	whole := weak.Make(a) // as a refers to acc
	runtime.AddCleanup(acc, func(key string) { whole.Value().drop(key) }, key)
}

// drop forgets a source that nobody holds.
func (a *Accounts) drop(key string) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sources[key].Value() == nil { // else there is another by now
		delete(a.sources, key)
	}
}

// Wait waits until no token is being renewed or saved in the background, and then
// returns nil; a Save or Forget is its caller's to wait for. Call it before the
// process ends, and before the store is closed: a token that is lost then can cost a
// login. Its error is that ctx was over before, and if a token is not saved yet, why.
func (a *Accounts) Wait(ctx context.Context) error {
	for {
		busy := a.busy()
		if busy == nil {
			return nil
		}
		if err := busy.Wait(ctx); err != nil {
			return err
		}
	}
}

// busy returns an account that has something under way, or nil.
func (a *Accounts) busy() *account {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, acc := range a.borrowed {
		if acc.source.Busy() {
			return acc
		}
	}
	for _, p := range a.sources {
		if acc := p.Value(); acc != nil && acc.source.Busy() {
			return acc
		}
	}
	return nil
}

func (a *Accounts) place(key string) (*place, error) {
	p := &place{a.Store, key}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("pinterest: %w", err)
	}
	return p, nil
}

func (p *place) check() error {
	if p.store == nil {
		return errors.New("the Store is nil: make one, such as NewMemoryStore()")
	}
	return checkInput("the key", p.key, "name the account that the token belongs to")
}

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

// nothingKept is the error of a key that keeps nothing.
type nothingKept struct{ key string }

func (e *nothingKept) Error() string {
	return fmt.Sprintf("no token is kept under key %q: send the user to Config.AuthCodeURL and keep the token of Config.Exchange by Accounts.Save", e.key)
}

func (e *nothingKept) Unwrap() []error { return []error{fs.ErrNotExist, ErrReauthorize} }

// isNothing reports whether err is that nothing is kept.
func isNothing(err error) bool {
	var nothing *nothingKept
	return errors.As(err, &nothing)
}
