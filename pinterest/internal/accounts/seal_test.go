package accounts

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/filestore"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func newKey() (base64ed, hexed string) {
	key := make([]byte, 32)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key), hex.EncodeToString(key)
}

func TestAStoreThatTheAppSealsCanBeUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	t.Setenv(EnvStore, "file:"+dir)
	files, err := filestore.New(dir)
	require.NoError(t, err)
	old, oldHex := newKey()
	aead, err := cipherOf(old)
	require.NoError(t, err)
	token := new(pinteresttest.Handler).Login()
	app := pinterest.Accounts{Config: new(pinterest.Config), Store: pinterest.Encrypted(files, aead)}
	require.NoError(t, app.Save(t.Context(), "alice", token))

	load := func(keys string) (*Account, error) {
		t.Setenv(EnvStoreKey, keys)
		v, err := Open(t.Context(), io.Discard, "", true)
		require.NoError(t, err)
		return v.Account(t.Context(), "alice")
	}
	newer, _ := newKey()
	for _, keys := range []string{old, oldHex, newer + "," + old, " " + newer + "\n" + oldHex + "\n"} {
		a, err := load(keys)
		require.NoError(t, err)
		assert.Equal(t, token.AccessToken, a.Token.AccessToken)
	}

	// With another key, or with none, nobody is logged out.
	for keys, hint := range map[string]string{
		newer: "is the right key in PINTEREST_STORE_KEY? if this account was never sealed, unset it or log in again",
		"":    "if the store is sealed, set PINTEREST_STORE_KEY; if it is not, log in again",
	} {
		_, err := load(keys)
		var f *say.Failure
		require.ErrorAs(t, err, &f)
		assert.Equal(t, hint, f.Hint)
		assert.NotErrorIs(t, err, fs.ErrNotExist)
		assert.Equal(t, say.StatusFailed, f.Status)
	}

	// The first key seals, the app's own record too.
	t.Setenv(EnvStoreKey, newer+","+old)
	v, err := Open(t.Context(), io.Discard, "", true)
	require.NoError(t, err)
	require.NoError(t, v.Save(t.Context(), "alice", &App{ID: "1", Secret: "sesame"}, token))
	a, err := load(newer)
	require.NoError(t, err)
	assert.Equal(t, "sesame", a.App.Secret)
	kept, err := os.ReadFile(filepath.Join(dir, "apps", "key-alice"))
	require.NoError(t, err)
	assert.NotContains(t, string(kept), "sesame")
}

func TestAKeyThatIsNoneIsToldOfWithoutShowingIt(t *testing.T) {
	t.Setenv(EnvStore, "file:"+filepath.Join(t.TempDir(), "tokens"))
	good, _ := newKey()
	for _, keys := range []string{"sesame", good + ",sesame", "0123"} {
		t.Setenv(EnvStoreKey, keys)
		_, err := Open(t.Context(), io.Discard, "", false)
		assert.EqualError(t, err, "PINTEREST_STORE_KEY holds something that is no key of 16, 24 or 32 bytes")
		assert.Equal(t, say.StatusUsage, say.ExitStatus(err))
	}
}
