package accounts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// openFiles opens a Store in a directory.
func openFiles(_ context.Context, _ io.Writer, name string, create bool) (*Store, error) {
	dir, err := directory(strings.TrimPrefix(name, "file:"))
	if err != nil {
		return nil, err
	}
	name = "file:" + dir
	if _, err := os.Lstat(dir); !create && errors.Is(err, fs.ErrNotExist) {
		return emptyStore(name), nil
	}
	tokens, err := filestore.New(dir)
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "apps")
	if _, err := os.Lstat(dir); !create && errors.Is(err, fs.ErrNotExist) {
		return newStore(name, tokens, pinterest.NewMemoryStore(), noClose), nil
	}
	apps, err := filestore.New(dir)
	if err != nil {
		return nil, err
	}
	return newStore(name, tokens, apps, noClose), nil
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
