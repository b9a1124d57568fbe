package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

const envStore = "PINTEREST_STORE"

// An accountStore is where accounts are kept. What belongs to an account beside its
// token is in a store of its own: whoever walks the tokens, this command's
// keepalive or a service that shares the store, is to meet tokens alone.
type accountStore struct {
	name   string // for the user, without a password
	flag   string // what --store said
	tokens pinterest.Store
	apps   pinterest.Store
	close  func() error
	logger *slog.Logger          // of Configs
	used   []*pinterest.Accounts // by which tokens may have been renewed

	renewables int // the accounts with a refresh token that the last keepAlive met
}

// accountStoreKinds lists the kinds of stores: how their names begin and look, and
// what opens one. Unless it may create, one that is not there is empty.
var accountStoreKinds = []struct {
	names string
	form  string
	open  func(ctx context.Context, name string, create bool) (*accountStore, error)
}{
	{"file", "file:DIR", openFiles},
	{"keyring", "keyring:", openKeyring},
	{"sqlite", "sqlite:FILE", openSQLite},
	{"postgres postgresql", "postgres://USER@HOST/DATABASE", openPostgres},
	{"mysql", "mysql://USER@HOST/DATABASE", openMySQL},
	{"redis rediss", "redis://HOST/NUMBER", openRedis},
}

func accountStoreForms() string {
	var forms []string
	for _, k := range accountStoreKinds {
		forms = append(forms, k.form)
	}
	return strings.Join(forms, ", ")
}

// storeFlag lets a command be told where accounts are kept.
func storeFlag(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "store", "", "where accounts are kept, as in file:DIR\n(if not where "+envStore+" says or in the user's settings;\nsee \"pinterest help login\")")
}

// openAccountStore opens the store that the flag names, or else the environment, or
// else the default. Nothing is created unless create is set.
func openAccountStore(c *cobra.Command, flag string, create bool) (*accountStore, error) {
	name := flag
	if name == "" {
		name = os.Getenv(envStore)
	}
	if name == "" {
		name = "file:"
	}
	if holdsPassword(flag) {
		return nil, say.WrongUsage("--store holds a password, and arguments can be seen by all users of this machine", "set "+envStore+" instead")
	}
	kind, _, ok := strings.Cut(name, ":")
	for _, k := range accountStoreKinds {
		if !ok || !slices.Contains(strings.Fields(k.names), kind) {
			continue
		}
		v, err := k.open(c.Context(), name, create)
		if err != nil {
			return nil, err
		}
		v.flag, v.logger = flag, slog.New(newUnsavedHandler(c.ErrOrStderr()))
		return v, nil
	}
	return nil, say.WrongUsage("the store is of no kind that this program knows", "write it like one of "+accountStoreForms())
}

// storeArgs is what a command line needs to name v as this one did.
func (v *accountStore) storeArgs() string {
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

// newAccountStore makes an accountStore of two stores.
func newAccountStore(name string, tokens, apps pinterest.Store, close func() error) *accountStore {
	return &accountStore{name: name, tokens: tokens, apps: apps, close: close}
}

// emptyAccountStore stands for one that is not there.
func emptyAccountStore(name string) *accountStore {
	return newAccountStore(name, pinterest.NewMemoryStore(), pinterest.NewMemoryStore(), noClose)
}

func noClose() error { return nil }

// openFiles opens an accountStore in a directory.
func openFiles(_ context.Context, name string, create bool) (*accountStore, error) {
	dir, err := directory(strings.TrimPrefix(name, "file:"))
	if err != nil {
		return nil, err
	}
	name = "file:" + dir
	if _, err := os.Lstat(dir); !create && errors.Is(err, fs.ErrNotExist) {
		return emptyAccountStore(name), nil
	}
	tokens, err := filestore.New(dir)
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "apps")
	if _, err := os.Lstat(dir); !create && errors.Is(err, fs.ErrNotExist) {
		return newAccountStore(name, tokens, pinterest.NewMemoryStore(), noClose), nil
	}
	apps, err := filestore.New(dir)
	if err != nil {
		return nil, err
	}
	return newAccountStore(name, tokens, apps, noClose), nil
}

// directory returns the directory of that name, or the one that is meant if
// there is none.
func directory(name string) (string, error) {
	if name == "" {
		config, err := os.UserConfigDir()
		if err != nil {
			return "", say.WithHint(fmt.Errorf("there is no directory for your settings: %w", err), "name one by --store file:DIR")
		}
		return filepath.Join(config, "pinterest"), nil
	}
	if rest, ok := strings.CutPrefix(name, "~/"); ok { // which no shell resolves after a colon
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		name = filepath.Join(home, rest)
	}
	return filepath.Abs(name)
}
