package accounts

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zalando/go-keyring"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// storeNames returns an Store of each kind that there is here.
func storeNames(t *testing.T) map[string]string {
	keyring.MockInit()
	home := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(name, home)
	}
	names := map[string]string{
		"file":    "file:" + filepath.Join(home, "new", "files"),
		"keyring": "keyring:",
		"sqlite":  "sqlite:" + filepath.Join(home, "a b.db"),
	}
	if dsn := os.Getenv("PINTEREST_TEST_POSTGRES"); dsn != "" {
		names["postgres"] = dsn
	}
	if dsn := os.Getenv("PINTEREST_TEST_MYSQL"); dsn != "" {
		names["mysql"] = "mysql:" + dsn
	}
	if u := os.Getenv("PINTEREST_TEST_REDIS"); u != "" {
		names["redis"] = u
	}
	return names
}

func TestAnAccountIsKeptInEveryKindOfStore(t *testing.T) {
	names := storeNames(t)
	for _, kind := range []string{"file", "keyring", "sqlite", "postgres", "mysql", "redis"} {
		t.Run(kind, func(t *testing.T) {
			if names[kind] == "" {
				t.Skipf("PINTEREST_TEST_%s is not set", strings.ToUpper(kind))
			}
			t.Setenv(EnvStore, names[kind])
			var h pinteresttest.Handler
			token := h.Login("boards:read")
			ctx, name := t.Context(), rand.Text()
			open := func(create bool) *Store {
				v, err := Open(t.Context(), io.Discard, "", create)
				require.NoError(t, err)
				t.Cleanup(func() { assert.NoError(t, v.Close()) })
				return v
			}

			_, err := open(false).Account(ctx, name)
			assert.Equal(t, say.StatusReauthorize, say.ExitStatus(err), err)

			v := open(true)
			kept := &App{ID: "1", Secret: "2", API: Production.TokenURL, OAuth: Production.AuthURL}
			require.NoError(t, v.Save(ctx, name, kept, token))

			v = open(false)
			a, err := v.Account(ctx, name)
			require.NoError(t, err)
			assert.Equal(t, token.AccessToken, a.Token.AccessToken)
			assert.Equal(t, kept, a.App)
			all, err := v.Names(ctx)
			require.NoError(t, err)
			assert.Contains(t, all, name)

			require.NoError(t, v.Tokens.Delete(ctx, name))
			require.NoError(t, v.apps.Delete(ctx, name))
			_, err = open(false).Account(ctx, name)
			assert.Equal(t, say.StatusReauthorize, say.ExitStatus(err), err)
			all, err = open(false).Names(ctx)
			require.NoError(t, err)
			assert.NotContains(t, all, name)
		})
	}
}

func TestWhoOnlyLooksMakesNothing(t *testing.T) {
	names := storeNames(t)
	for _, kind := range []string{"file", "keyring", "sqlite"} {
		v, err := Open(t.Context(), io.Discard, names[kind], false)
		require.NoError(t, err)
		all, err := v.Names(t.Context())
		require.NoError(t, err)
		assert.Empty(t, all)
	}
	left, err := os.ReadDir(os.Getenv("HOME"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestADatabaseOfTokensCanBeReadByItsOwnerAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits say nothing here")
	}
	name := storeNames(t)["sqlite"]
	v, err := Open(t.Context(), io.Discard, name, true)
	require.NoError(t, err)
	require.NoError(t, v.Save(t.Context(), "a", &App{ID: "1"}, new(pinteresttest.Handler).Login()))
	files, err := filepath.Glob(strings.TrimPrefix(name, "sqlite:") + "*")
	require.NoError(t, err)
	assert.NotEmpty(t, files)
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		if info.Size() > 0 {
			assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), file)
		}
	}
	require.NoError(t, v.Close())
}

func TestALoginThatCannotBeSavedLeavesTheOneBefore(t *testing.T) {
	v := emptyStore("memory")
	old, token := &App{ID: "1"}, new(pinteresttest.Handler).Login()
	require.NoError(t, v.Save(t.Context(), "a", old, token))
	v.Tokens = &brittleStore{Store: v.Tokens, broken: func() bool { return true }}
	for _, name := range []string{"a", "b"} {
		assert.ErrorIs(t, v.Save(t.Context(), name, &App{ID: "2"}, new(pinteresttest.Handler).Login()), errBroken)
	}
	a, err := v.Account(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, old, a.App)
	assert.Equal(t, token.AccessToken, a.Token.AccessToken)
	b, err := v.app(t.Context(), "b")
	require.NoError(t, err)
	assert.Nil(t, b)
}

func TestAStoreThatIsNoneIsWrongUsage(t *testing.T) {
	for _, name := range []string{
		"tokens", ":", "", "C:/tokens", "http://localhost", "keyring:mine", "sqlite:", "sqlite:a?mode=memory",
		"redis://a:sesame@[", "mysql:a:sesame@b", "mysql://a:sesame@[", "postgres://a:sesame@host:port/", "postgresql:host=x password='sesame",
	} {
		if name == "" {
			continue // the default
		}
		t.Setenv(EnvStore, name)
		_, err := Open(t.Context(), io.Discard, "", true)
		require.Error(t, err, name)
		assert.Equal(t, say.StatusUsage, say.ExitStatus(err), name)
		var b strings.Builder
		say.Error(&b, err)
		assert.NotContains(t, b.String(), "sesame")
	}
}

func TestAPasswordIsNoArgument(t *testing.T) {
	for name, holds := range map[string]bool{
		"postgres://a:b@host/db": true, "redis://:b@host": true, "mysql:a:b@tcp(host)/db": true, "postgres:host=a password=b": true,
		"postgres://a@host/db": false, "redis://host": false, "mysql:a@tcp(host:3306)/db": false, "file:/home/a@b": false, "keyring:": false,
	} {
		assert.Equal(t, holds, holdsPassword(name), name)
	}
	_, err := Open(t.Context(), io.Discard, "redis://:b@host", false)
	assert.Equal(t, say.StatusUsage, say.ExitStatus(err))
	assert.Equal(t, "postgres://a@host/db", shown("postgres://a:b@host/db?password=c"))
	assert.Equal(t, "redis:", shown("redis://a:b@["))
}

func TestAStoreThatIsNotThereIsAnErrorWithoutThePassword(t *testing.T) {
	for _, name := range []string{
		"postgres://a:sesame@127.0.0.1:1/db?connect_timeout=1", "mysql://a:sesame@127.0.0.1:1/db", "redis://a:sesame@127.0.0.1:1/0",
		"sqlite:" + filepath.Join(t.TempDir(), "no", "such", "directory.db"),
	} {
		t.Setenv(EnvStore, name)
		_, err := Open(t.Context(), io.Discard, "", true)
		require.Error(t, err, name)
		assert.Equal(t, say.StatusFailed, say.ExitStatus(err), name)
		assert.NotContains(t, err.Error(), "sesame")
		assert.False(t, errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(name, "sqlite"), name)
	}
}
