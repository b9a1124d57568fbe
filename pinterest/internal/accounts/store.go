package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// A Store is where accounts are kept. What belongs to an account beside its
// token is in a store of its own: whoever walks the tokens, this command's
// keepalive or a service that shares the store, is to meet tokens alone.
type Store struct {
	Name   string // for the user, without a password
	Tokens pinterest.Store

	apps   pinterest.Store
	flag   string // what --store said
	sealed bool
	close  func() error
	logger *slog.Logger          // of Configs
	used   []*pinterest.Accounts // by which tokens may have been renewed
}

// kinds lists the kinds of stores: how their names begin and look, and what opens
// one. Unless it may create, one that is not there is empty.
var kinds = []struct {
	names string
	form  string
	open  func(ctx context.Context, told io.Writer, name string, create bool) (*Store, error)
}{
	{"file", "file:DIR", openFiles},
	{"keyring", "keyring:", openKeyring},
	{"sqlite", "sqlite:FILE", openSQLite},
	{"postgres postgresql", "postgres://USER@HOST/DATABASE", openPostgres},
	{"mysql", "mysql://USER@HOST/DATABASE", openMySQL},
	{"redis rediss", "redis://HOST/NUMBER", openRedis},
}

func forms() string {
	var forms []string
	for _, k := range kinds {
		forms = append(forms, k.form)
	}
	return strings.Join(forms, ", ")
}

// Open opens the store that the flag names, or else the environment, or else the
// default. Nothing is created unless create is set. The user is told on told what
// goes wrong later.
func Open(ctx context.Context, told io.Writer, flag string, create bool) (*Store, error) {
	name := flag
	if name == "" {
		name = os.Getenv(EnvStore)
	}
	if name == "" {
		name = "file:"
	}
	if holdsPassword(flag) {
		return nil, say.WrongUsage("--store holds a password, and arguments can be seen by all users of this machine", "set "+EnvStore+" instead")
	}
	kind, rest, ok := strings.Cut(name, ":")
	for _, k := range kinds {
		if !ok || !slices.Contains(strings.Fields(k.names), kind) {
			continue
		}
		if strings.HasPrefix(rest, "//") && strings.Contains(name, "#") {
			return nil, say.WrongUsage("the address of the store has a #, and what follows it would not be heeded", "write a # of a password as %23")
		}
		v, err := k.open(ctx, told, name, create)
		if err != nil {
			return nil, err
		}
		v.flag, v.logger = flag, slog.New(newUnsavedHandler(told))
		if err := v.seal(); err != nil {
			v.Close()
			return nil, err
		}
		return v, nil
	}
	return nil, say.WrongUsage("the store is of no kind that this program knows", "write it like one of "+forms())
}

// Close closes what was opened.
func (v *Store) Close() error { return v.close() }

// Args is what a command line needs to name v as this one did.
func (v *Store) Args() string {
	if v.flag == "" {
		return ""
	}
	return " --store " + say.ShellWord(v.flag)
}

// holdsPassword errs on the side of passwords.
func holdsPassword(name string) bool {
	user, _, ok := strings.Cut(name, "@")
	_, user, _ = strings.Cut(user, ":")
	return ok && strings.Contains(user, ":") || strings.Contains(name, "password=")
}

// shown returns a URL without its password and parameters.
func shown(name string) string {
	u, err := url.Parse(name)
	if err != nil {
		kind, _, _ := strings.Cut(name, ":")
		return kind + ":"
	}
	u.RawQuery = ""
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	return u.String()
}

func newStore(name string, tokens, apps pinterest.Store, close func() error) *Store {
	return &Store{Name: name, Tokens: tokens, apps: apps, close: close}
}

// emptyStore stands for one that is not there.
func emptyStore(name string) *Store {
	return newStore(name, pinterest.NewMemoryStore(), pinterest.NewMemoryStore(), noClose)
}

func noClose() error { return nil }

// Account returns the account of that name.
func (v *Store) Account(ctx context.Context, name string) (*Account, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	return v.Load(ctx, name)
}

// Load is Account for any name that a store may have.
func (v *Store) Load(ctx context.Context, name string) (*Account, error) {
	a := &Account{Name: name, store: v}
	var err error
	saved := pinterest.Accounts{Store: v.Tokens}
	a.Token, err = saved.Load(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, v.nobody(fmt.Sprintf("nobody is logged in as %q", name), name)
	}
	if err != nil {
		return nil, v.unreadable(ctx, name, err)
	}
	a.App, err = v.app(ctx, name)
	return a, err
}

// unreadable adds to an error that a record could not be read by what key it may be.
func (v *Store) unreadable(ctx context.Context, name string, err error) error {
	if f := new(say.Failure); errors.As(err, &f) {
		return err
	}
	if _, failed := v.Tokens.Load(ctx, name); failed != nil { // it is not the record
		return err
	}
	if v.sealed {
		return say.WithHint(err, "is the right key in "+EnvStoreKey+"? if this account was never sealed, unset it or log in again")
	}
	return say.WithHint(err, "if the store is sealed, set "+EnvStoreKey+"; if it is not, log in again")
}

// Nobody is the error of a store without an account.
func (v *Store) Nobody() error { return v.nobody("nobody is logged in", NameOfEnv()) }

func (v *Store) nobody(says, name string) error {
	return &say.Failure{Err: fmt.Errorf("%s: there is no token in %s", says, v.Name), Hint: "run: " + v.Login(name), Status: say.StatusReauthorize}
}

// Login is the command line that logs in under that name.
func (v *Store) Login(name string) string { return (&Account{Name: name, store: v}).Login() }

// app returns what is kept of the account beside its token, nil if nothing is.
func (v *Store) app(ctx context.Context, name string) (*App, error) {
	data, err := v.apps.Load(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := new(App)
	if json.Unmarshal(data, a) != nil || a.ID == "" { // its error could quote the secret
		return nil, say.WithHint(fmt.Errorf("what is kept of the app of account %q in %s is damaged", name, v.Name), "log in again")
	}
	return a, nil
}

// CanSave finds out whether a login could be saved.
func (v *Store) CanSave(ctx context.Context, name string) error {
	for _, s := range []pinterest.Store{v.Tokens, v.apps} {
		err := s.Update(ctx, name, func(context.Context, []byte) ([]byte, time.Time, error) { return nil, time.Time{}, errAsIs })
		if err != errAsIs {
			err = fmt.Errorf("the token could not be kept: %w", err)
			if f := new(say.Failure); errors.As(err, &f) {
				return err // it has a hint
			}
			return say.WithHint(err, "name another place by --store")
		}
	}
	return nil
}

// errAsIs ends an Update that has nothing to write.
var errAsIs = errors.New("the store is to stay as it is")

// Save saves a login: the app first, as a token without one cannot be renewed.
func (v *Store) Save(ctx context.Context, name string, a *App, t *oauth2.Token) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	var before []byte
	err = v.apps.Update(ctx, name, func(_ context.Context, old []byte) ([]byte, time.Time, error) {
		before = slices.Clone(old)
		return data, time.Time{}, nil
	})
	if err != nil {
		return err
	}
	accounts := pinterest.Accounts{Store: v.Tokens}
	if err := accounts.Save(ctx, name, t); err != nil {
		ctx := context.WithoutCancel(ctx)
		if before == nil {
			return errors.Join(err, v.apps.Delete(ctx, name))
		}
		return errors.Join(err, v.apps.Update(ctx, name, func(context.Context, []byte) ([]byte, time.Time, error) { return before, time.Time{}, nil }))
	}
	return nil
}

// SaveApp saves what is kept of an account beside its token.
func (v *Store) SaveApp(ctx context.Context, name string, a *App) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return v.apps.Update(ctx, name, func(context.Context, []byte) ([]byte, time.Time, error) { return data, time.Time{}, nil })
}

// Forget forgets an account.
func (v *Store) Forget(ctx context.Context, name string) error {
	accounts := pinterest.Accounts{Store: v.Tokens}
	return errors.Join(accounts.Forget(ctx, name), v.apps.Delete(ctx, name))
}

// Names returns the names of all accounts, in order.
func (v *Store) Names(ctx context.Context) ([]string, error) {
	var names []string
	err := v.Tokens.Each(ctx, time.Time{}, func(name string, _ []byte) error {
		names = append(names, name)
		return nil
	})
	slices.Sort(names)
	return names, err
}
