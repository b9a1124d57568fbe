package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
)

const envStore = "PINTEREST_STORE"

// A vault is where accounts are kept. What belongs to an account beside its
// token is in a store of its own: whoever walks the tokens, this command's
// keepalive or a service that shares the store, is to meet tokens alone.
type vault struct {
	name   string // for the user, without a password
	tokens *keeper
	apps   pinterest.Store
	close  func() error
}

// A vaultKind opens the vaults of a kind. The rest of the name is what follows
// the colon. Unless it may create, a vault that is not there is fs.ErrNotExist.
type vaultKind struct {
	form string // how to write it
	open func(ctx context.Context, name string, create bool) (*vault, error)
}

// vaultKinds lists the kinds of vaults by what their names begin with.
var vaultKinds = map[string]vaultKind{
	"file": {"file:DIR", openFiles},
}

// storeFlag lets a command be told where tokens are kept.
func storeFlag(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "store", "", "keep tokens there instead of "+envStore+" or files:\n"+vaultForms())
}

func vaultForms() string { return "file:DIR" }

// openVault opens the vault that the flag names, or else the environment, or
// else the default. Nothing is created unless create is set.
func openVault(c *cobra.Command, flag string, create bool) (*vault, error) {
	name := flag
	if name == "" {
		name = os.Getenv(envStore)
	}
	if name == "" {
		name = "file:"
	}
	kind, _, ok := strings.Cut(name, ":")
	k, known := vaultKinds[kind]
	if !ok || !known {
		return nil, wrongUsage("the store is of no kind that this program knows", "write it like one of "+vaultForms())
	}
	if u, err := url.Parse(flag); err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			return nil, wrongUsage("--store holds a password, and arguments can be seen by all users of this machine", "set "+envStore+" instead")
		}
	}
	v, err := k.open(c.Context(), name, create)
	if err != nil {
		return nil, err
	}
	v.tokens.say = c.ErrOrStderr()
	return v, nil
}

// newVault makes a vault of two stores.
func newVault(name string, tokens, apps pinterest.Store, close func() error) *vault {
	return &vault{name: name, tokens: &keeper{Store: tokens, say: io.Discard}, apps: apps, close: close}
}

func noClose() error { return nil }

// openFiles opens a vault in a directory.
func openFiles(_ context.Context, name string, create bool) (*vault, error) {
	dir, err := directory(strings.TrimPrefix(name, "file:"))
	if err != nil {
		return nil, err
	}
	name = "file:" + dir
	if _, err := os.Lstat(dir); !create && errors.Is(err, fs.ErrNotExist) {
		return newVault(name, pinterest.NewMemoryStore(), pinterest.NewMemoryStore(), noClose), nil
	}
	tokens, err := filestore.New(dir)
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "apps")
	if _, err := os.Lstat(dir); !create && errors.Is(err, fs.ErrNotExist) {
		return newVault(name, tokens, pinterest.NewMemoryStore(), noClose), nil
	}
	apps, err := filestore.New(dir)
	if err != nil {
		return nil, err
	}
	return newVault(name, tokens, apps, noClose), nil
}

// directory returns the directory of that name, or the one that is meant if
// there is none.
func directory(name string) (string, error) {
	if name == "" {
		config, err := os.UserConfigDir()
		if err != nil {
			return "", withHint(fmt.Errorf("there is no directory for your settings: %w", err), "name one by --store file:DIR")
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
