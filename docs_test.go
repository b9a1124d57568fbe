package pinterest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// What docs/production.md and docs/moving.md have people do, done.

const boards = "https://api.pinterest.com/v5/boards"

// A frozen store is read, and not written: as docs/production.md has it.
type frozen struct{ pinterest.Store }

var errFrozen = errors.New("the tokens are being moved: nothing is renewed, saved or forgotten now")

func (frozen) Update(context.Context, string, func(context.Context, []byte) ([]byte, time.Time, error)) error {
	return errFrozen
}

func (frozen) Delete(context.Context, string) error { return errFrozen }

func TestWhileTokensAreMovedGoodOnesAreServedAndNothingIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &pinteresttest.Handler{StrictRotation: true}
		accounts := func(s pinterest.Store) *pinterest.Accounts {
			return &pinterest.Accounts{Config: newLogin(t, fake).conf, Store: s, HTTPClient: fake.Client()}
		}
		old, store := pinterest.NewMemoryStore(), pinterest.NewMemoryStore()
		require.NoError(t, accounts(old).Save(t.Context(), "alice", fake.Login()))

		moving := accounts(frozen{old})
		time.Sleep(29 * day)
		resp, err := moving.Client("alice").Get(boards)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.StatusCode)
		require.ErrorIs(t, moving.Save(t.Context(), "bob", fake.Login()), errFrozen)
		time.Sleep(2 * day)
		_, err = moving.Client("alice").Get(boards)
		var passing *pinterest.Error
		require.ErrorAs(t, err, &passing)
		assert.True(t, passing.Temporary())
		assert.Zero(t, fake.Counts().Refresh)

		moved := accounts(store)
		require.NoError(t, old.Each(t.Context(), time.Time{}, func(key string, record []byte) error {
			token, err := pinterest.UnmarshalToken(record)
			if err != nil {
				return fmt.Errorf("account %s: %w", key, err)
			}
			return moved.Save(t.Context(), key, token)
		}))
		resp, err = moved.Client("alice").Get(boards)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.StatusCode)

		time.Sleep(50 * day)
		keys, errs := collect(accounts(store).KeepAlive(t.Context(), nil))
		assert.Equal(t, []string{"alice"}, keys, "a sweep sees what was moved")
		assert.Empty(t, errs)
	})
}

func TestEveryRecordCanBeSealedAnewUnderItsLock(t *testing.T) {
	fake, inside := new(pinteresttest.Handler), pinterest.NewMemoryStore()
	former, next := newAEAD(t, true), newAEAD(t, true)
	accounts := func(s pinterest.Store) *pinterest.Accounts {
		return &pinterest.Accounts{Config: newLogin(t, fake).conf, Store: s, HTTPClient: fake.Client()}
	}
	require.NoError(t, accounts(pinterest.Encrypted(inside, former)).Save(t.Context(), "alice", fake.Login()))

	ctx, store := t.Context(), pinterest.Encrypted(inside, next, former)
	require.NoError(t, store.Each(ctx, time.Time{}, func(key string, _ []byte) error {
		err := store.Update(ctx, key, func(_ context.Context, record []byte) ([]byte, time.Time, error) {
			if record == nil {
				return nil, time.Time{}, fs.ErrNotExist
			}
			token, err := pinterest.UnmarshalToken(record)
			if err != nil {
				return nil, time.Time{}, err
			}
			due, known := pinterest.RefreshExpiry(token)
			if !known && token.RefreshToken != "" {
				due = time.Now()
			}
			return record, due, nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("account %s: %w", key, err)
		}
		return nil
	}))
	_, err := accounts(pinterest.Encrypted(inside, next)).Load(ctx, "alice")
	require.NoError(t, err, "the former key is needed no more")
	keys, _ := collect(accounts(pinterest.Encrypted(inside, next)).KeepAlive(ctx, &pinterest.KeepAliveOptions{Within: 59 * day}))
	assert.Empty(t, keys, "what is due is as it was")
}

// A backup that is one renewal behind is mended by a process that has the
// account in use, and what is older than that is taken for a login.
func TestABackupThatIsRestoredUnderARunningProcess(t *testing.T) {
	for renewals, want := range map[int]int{1: http.StatusOK, 2: http.StatusUnauthorized} {
		t.Run(fmt.Sprintf("%d renewals later", renewals), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := &pinteresttest.Handler{StrictRotation: true, OldAccessDies: true}
				store := pinterest.NewMemoryStore()
				accounts := &pinterest.Accounts{Config: newLogin(t, fake).conf, Store: store, HTTPClient: fake.Client()}
				require.NoError(t, accounts.Save(t.Context(), "alice", fake.Login()))
				backup, err := store.Load(t.Context(), "alice")
				require.NoError(t, err)
				for range renewals {
					_, err := accounts.Source("alice").Refresh(t.Context())
					require.NoError(t, err)
				}

				put(t, store, "alice", backup)
				client := accounts.Client("alice")
				use(t, client, 2*time.Minute)
				resp, err := client.Get(boards)
				if want == http.StatusOK {
					require.NoError(t, err)
					assert.Equal(t, want, resp.StatusCode)
					return
				}
				require.ErrorIs(t, err, pinterest.ErrReauthorize)
			})
		})
	}
}

func TestAWrapperMissesWhatAClientBesideItRenewed(t *testing.T) {
	fake := &pinteresttest.Handler{StrictRotation: true}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, fake.Client())
	token := fake.Login()
	src := newLogin(t, fake).conf.TokenSource(ctx, token)
	last := token.RefreshToken
	wrapper := func() {
		wrapped, err := src.Token()
		require.NoError(t, err)
		last = wrapped.RefreshToken
	}
	fake.ExpireAccess()
	_, err := pinterest.NewClient(ctx, src).Get(boards)
	require.NoError(t, err)
	now, err := src.TokenContext(ctx)
	require.NoError(t, err)
	assert.NotEqual(t, now.RefreshToken, last)
	wrapper()
	assert.Equal(t, now.RefreshToken, last, "but when it is asked later")
}
