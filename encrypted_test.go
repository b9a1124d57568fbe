package pinterest_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
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
	require.NoError(t, save(t, s, "account", tok))
	first, err := plain.Load(t.Context(), "account")
	require.NoError(t, err)
	assert.NotContains(t, string(first), "secret")
	back, err := load(t, s, "account")
	require.NoError(t, err)
	assert.Equal(t, tok.RefreshToken, back.RefreshToken)

	require.NoError(t, s.Update(t.Context(), "account", func(_ context.Context, old []byte) ([]byte, time.Time, error) { return old, time.Time{}, nil }))
	second, err := plain.Load(t.Context(), "account")
	require.NoError(t, err)
	assert.False(t, bytes.Equal(first, second), "no nonce is used twice, however equal what is sealed")
}

func TestEncryptedHandsOnWhenAValueIsDue(t *testing.T) {
	s := pinterest.Encrypted(pinterest.NewMemoryStore(), newAEAD(t, false))
	now := time.Now()
	require.NoError(t, s.Update(t.Context(), "soon", func(context.Context, []byte) ([]byte, time.Time, error) { return []byte("a"), now, nil }))
	require.NoError(t, s.Update(t.Context(), "later", func(context.Context, []byte) ([]byte, time.Time, error) { return []byte("b"), now.Add(day), nil }))
	seen := make(map[string]string)
	require.NoError(t, s.Each(t.Context(), now.Add(time.Hour), func(key string, value []byte) error {
		seen[key] = string(value)
		return nil
	}))
	assert.Equal(t, map[string]string{"soon": "a"}, seen)
}

const (
	cannotBeOpened = "it cannot be opened: it was sealed by another encryption key, for another account, or is damaged"
	notSealed      = "it is not one that Encrypted wrote: if it was kept in the clear, load it without Encrypted and save it again"
)

// unreadable returns a store of records that s cannot open, by key, and what is
// to be said of each.
func unreadable(t *testing.T) (plain, s pinterest.Store, said map[string]string) {
	t.Helper()
	plain = pinterest.NewMemoryStore()
	s = pinterest.Encrypted(plain, newAEAD(t, false))
	tok := &oauth2.Token{RefreshToken: "pinr.mine"}
	require.NoError(t, save(t, s, "mine", tok))
	require.NoError(t, save(t, pinterest.Encrypted(plain, newAEAD(t, false)), "another-keys", tok))
	sealed, err := plain.Load(t.Context(), "mine")
	require.NoError(t, err)
	put(t, plain, "moved", sealed)
	put(t, plain, "plain", []byte(`{"refresh_token":"pinr.mine"}`))
	put(t, plain, "empty", nil)
	put(t, plain, "cut", sealed[:len(sealed)-1])
	put(t, plain, "nonce-only", sealed[:12])
	put(t, plain, "short", sealed[:8])
	return plain, s, map[string]string{
		"another-keys": cannotBeOpened, "moved": cannotBeOpened, "cut": cannotBeOpened, "nonce-only": cannotBeOpened,
		"plain": notSealed, "empty": notSealed, "short": notSealed,
	}
}

func TestARecordThatCannotBeOpenedSaysSoAndIsLeftUntouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain, s, said := unreadable(t)
		w := answering(http.StatusOK, goodAnswer)
		accounts := &pinterest.Accounts{Config: testConfig(), Store: s, HTTPClient: &http.Client{Transport: w}}
		for key, want := range said {
			before, err := plain.Load(t.Context(), key)
			require.NoError(t, err)

			_, err = accounts.Load(t.Context(), key)
			require.EqualError(t, err, `pinterest: the record under key "`+key+`": `+want)
			require.NotErrorIs(t, err, pinterest.ErrReauthorize)
			_, err = accounts.Source(key).Token()
			require.EqualError(t, err, `pinterest: refresh: the record under key "`+key+`": `+want)
			require.NotErrorIs(t, err, pinterest.ErrReauthorize)
			var e *pinterest.Error
			require.ErrorAs(t, err, &e)
			assert.False(t, e.Temporary(), "trying again does not help")
			_, err = accounts.Source(key).Refresh(t.Context())
			require.EqualError(t, err, `pinterest: refresh: the record under key "`+key+`": `+want)

			var handed []byte
			require.NoError(t, s.Each(t.Context(), time.Time{}, func(k string, value []byte) error {
				if k == key {
					handed = value
				}
				return nil
			}))
			require.NotNil(t, handed)
			_, err = pinterest.UnmarshalToken(handed)
			require.EqualError(t, err, "pinterest: the token record: "+want)

			err = s.Update(t.Context(), key, func(_ context.Context, old []byte) ([]byte, time.Time, error) {
				assert.Equal(t, handed, old)
				return old, time.Time{}, nil
			})
			require.EqualError(t, err, "pinterest: the record cannot be opened, and what stands in for it must not replace it")
			refused := errors.New("refused")
			err = s.Update(t.Context(), key, func(_ context.Context, old []byte) ([]byte, time.Time, error) { return old, time.Time{}, refused })
			require.ErrorIs(t, err, refused)

			after, err := plain.Load(t.Context(), key)
			require.NoError(t, err)
			assert.Equal(t, before, after, "left untouched")
		}
		assert.Empty(t, w.requests())
	})
}

func TestEveryByteOfASealedRecordCounts(t *testing.T) {
	plain := pinterest.NewMemoryStore()
	s := pinterest.Encrypted(plain, newAEAD(t, false))
	require.NoError(t, save(t, s, "account", &oauth2.Token{RefreshToken: "pinr.mine"}))
	sealed, err := plain.Load(t.Context(), "account")
	require.NoError(t, err)
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		put(t, plain, "account", broken)
		_, err := load(t, s, "account")
		require.Error(t, err, "byte %d", i)
	}
}

func TestANewLoginReplacesARecordThatCannotBeOpened(t *testing.T) {
	_, s, said := unreadable(t)
	for key := range said {
		require.NoError(t, s.Update(t.Context(), key, func(_ context.Context, old []byte) ([]byte, time.Time, error) {
			old[0] = 'x' // what f was handed is its own
			return old, time.Time{}, nil
		}), key)
		require.NoError(t, save(t, s, key, &oauth2.Token{RefreshToken: "pinr.new"}), key)
		back, err := load(t, s, key)
		require.NoError(t, err, key)
		assert.Equal(t, "pinr.new", back.RefreshToken, key)
	}
}

func TestASweepTellsOfARecordThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		plain := pinterest.NewMemoryStore()
		require.NoError(t, save(t, pinterest.Encrypted(plain, newAEAD(t, false)), "another-keys", l.tok))
		s := pinterest.Encrypted(plain, newAEAD(t, false))
		require.NoError(t, save(t, s, "account", l.tok))
		time.Sleep(50 * day)
		renewed, errs := collect(l.accounts(s).KeepAlive(l.ctx, nil))
		assert.Equal(t, []string{"account"}, renewed)
		require.Len(t, errs, 1)
		assert.EqualError(t, errs["another-keys"], `pinterest: the record under key "another-keys": `+cannotBeOpened)
	})
}

func TestWhatAFormerKeySealedIsOpenedAndSealedAnewWhenItIsNextSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		plain := pinterest.NewMemoryStore()
		oldest, old, current := newAEAD(t, false), newAEAD(t, true), newAEAD(t, false)
		require.NoError(t, save(t, pinterest.Encrypted(plain, oldest), "account", l.tok))
		require.NoError(t, save(t, pinterest.Encrypted(plain, old), "other", l.tok))
		s := pinterest.Encrypted(plain, current, old, oldest)
		for _, key := range []string{"account", "other"} {
			tok, err := load(t, s, key)
			require.NoError(t, err)
			assert.Equal(t, l.tok.RefreshToken, tok.RefreshToken)
		}
		_, err := load(t, pinterest.Encrypted(plain, current), "account")
		require.ErrorContains(t, err, cannotBeOpened, "to read it changes nothing")

		src := l.accounts(s).Source("account")
		renewed, err := src.Refresh(t.Context())
		require.NoError(t, err)
		tok, err := load(t, pinterest.Encrypted(plain, current), "account")
		require.NoError(t, err)
		assert.Equal(t, renewed.RefreshToken, tok.RefreshToken)
		_, err = load(t, pinterest.Encrypted(plain, old, oldest), "account")
		require.ErrorContains(t, err, cannotBeOpened)
	})
}

func TestEncryptedRefusesBadInput(t *testing.T) {
	mem, aead := pinterest.NewMemoryStore(), newAEAD(t, false)
	for name, c := range map[string]struct {
		s    pinterest.Store
		want string
	}{
		"no AEAD":        {pinterest.Encrypted(mem, nil), "pinterest: Encrypted has a cipher.AEAD that is nil"},
		"no former AEAD": {pinterest.Encrypted(mem, aead, nil), "pinterest: Encrypted has a cipher.AEAD that is nil"},
		"no store":       {pinterest.Encrypted(nil, aead), "pinterest: Encrypted has no Store"},
	} {
		_, err := c.s.Load(t.Context(), "account")
		require.EqualError(t, err, c.want, name)
		require.EqualError(t, c.s.Delete(t.Context(), "account"), c.want, name)
		require.EqualError(t, c.s.Update(t.Context(), "account", nil), c.want, name)
		require.EqualError(t, c.s.Each(t.Context(), time.Time{}, nil), c.want, name)
	}
}
