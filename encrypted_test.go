package pinterest_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/storetest"
)

func newAEAD(t *testing.T, randomNonce bool) cipher.AEAD {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	var aead cipher.AEAD
	if randomNonce {
		aead, err = cipher.NewGCMWithRandomNonce(block)
	} else {
		aead, err = cipher.NewGCM(block)
	}
	require.NoError(t, err)
	return aead
}

func TestEncryptedIsAStore(t *testing.T) {
	for name, random := range map[string]bool{"nonces of ours": false, "nonces of the cipher's": true} {
		t.Run(name, func(t *testing.T) {
			storetest.TestStore(t, func(t *testing.T) pinterest.Store {
				return pinterest.Encrypted(pinterest.NewMemoryStore(), newAEAD(t, random))
			})
		})
	}
}

func TestTokensAtRestAreSealed(t *testing.T) {
	plain := pinterest.NewMemoryStore()
	s := pinterest.Encrypted(plain, newAEAD(t, false))
	tok := &oauth2.Token{AccessToken: "pina_secret", RefreshToken: "pinr.secret"}
	require.NoError(t, pinterest.SaveToken(t.Context(), s, "account", tok))
	first, err := plain.Load(t.Context(), "account")
	require.NoError(t, err)
	assert.NotContains(t, string(first), "secret")
	back, err := pinterest.LoadToken(t.Context(), s, "account")
	require.NoError(t, err)
	assert.Equal(t, tok.RefreshToken, back.RefreshToken)

	require.NoError(t, pinterest.SaveToken(t.Context(), s, "account", tok))
	second, err := plain.Load(t.Context(), "account")
	require.NoError(t, err)
	assert.False(t, bytes.Equal(first, second), "no nonce is used twice")
}

func TestASealedRecordBelongsToItsKey(t *testing.T) {
	plain, aead := pinterest.NewMemoryStore(), newAEAD(t, false)
	s := pinterest.Encrypted(plain, aead)
	require.NoError(t, pinterest.SaveToken(t.Context(), s, "mine", &oauth2.Token{RefreshToken: "pinr.mine"}))
	sealed, err := plain.Load(t.Context(), "mine")
	require.NoError(t, err)
	put := func(key string, data []byte) {
		require.NoError(t, plain.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) { return data, nil }))
	}
	put("moved", sealed)
	put("plain", []byte(`{"refresh_token":"pinr.mine"}`))
	put("empty", nil)
	put("cut", sealed[:len(sealed)-1])
	put("short", sealed[:12])
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		put("broken", broken)
		_, err := pinterest.LoadToken(t.Context(), s, "broken")
		require.Error(t, err, "byte %d", i)
	}
	for key, want := range map[string]string{
		"moved":  "cannot be opened",
		"plain":  "is not one that Encrypted wrote",
		"empty":  "is not one that Encrypted wrote",
		"cut":    "cannot be opened",
		"short":  "is not one that Encrypted wrote",
		"broken": "cannot be opened",
	} {
		before, err := plain.Load(t.Context(), key)
		require.NoError(t, err)
		_, err = pinterest.LoadToken(t.Context(), s, key)
		require.ErrorContains(t, err, want, key)
		err = s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
			assert.Fail(t, "nothing to begin with")
			return nil, nil
		})
		require.ErrorContains(t, err, want, key)
		after, err := plain.Load(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, before, after, "left untouched")
	}
	other := pinterest.Encrypted(plain, newAEAD(t, false))
	_, err = pinterest.LoadToken(t.Context(), other, "mine")
	require.ErrorContains(t, err, "cannot be opened", "by another encryption key")
	_, err = testConfig().StoredTokenSource(t.Context(), other, "mine").Token()
	require.ErrorContains(t, err, `pinterest: refresh: the record under key "mine" cannot be opened`)
	var e *pinterest.Error
	require.ErrorAs(t, err, &e)
	assert.False(t, e.Temporary(), "trying again does not help")
	require.NotErrorIs(t, err, pinterest.ErrReauthorize)
}

func TestANewLoginReplacesARecordThatCannotBeOpened(t *testing.T) {
	plain := pinterest.NewMemoryStore()
	before, after := pinterest.Encrypted(plain, newAEAD(t, false)), pinterest.Encrypted(plain, newAEAD(t, false))
	tok := &oauth2.Token{RefreshToken: "pinr.mine"}
	require.NoError(t, pinterest.SaveToken(t.Context(), before, "account", tok))
	loaded, err := pinterest.LoadToken(t.Context(), before, "account")
	require.NoError(t, err)
	require.NoError(t, pinterest.SaveToken(t.Context(), after, "account", loaded), "the way to another encryption key")
	back, err := pinterest.LoadToken(t.Context(), after, "account")
	require.NoError(t, err)
	assert.Equal(t, tok.RefreshToken, back.RefreshToken)
}

func TestEncryptedRefusesBadInput(t *testing.T) {
	_, err := pinterest.LoadToken(t.Context(), pinterest.Encrypted(pinterest.NewMemoryStore(), nil), "account")
	require.ErrorContains(t, err, "Encrypted has no cipher.AEAD")
	_, err = pinterest.LoadToken(t.Context(), pinterest.Encrypted(nil, newAEAD(t, false)), "account")
	require.ErrorContains(t, err, "the Store is nil")
	for _, err := range pinterest.Encrypted(nil, nil).Keys(t.Context()) {
		require.ErrorContains(t, err, "Encrypted has no cipher.AEAD")
	}
}
