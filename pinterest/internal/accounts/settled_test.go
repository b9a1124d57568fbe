package accounts

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// A brittleStore fails to save what is new as long as it is broken.
type brittleStore struct {
	pinterest.Store
	broken func() bool
}

var errBroken = errors.New("the disk is full")

func (s *brittleStore) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) ([]byte, time.Time, error)) error {
	return s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		if err == nil && s.broken() {
			err = errBroken
		}
		return value, due, err
	})
}

// expired returns an Store whose only token has expired, the accounts of its app,
// and what the user is told. The store is broken until the given time from now.
func expired(t *testing.T, h *pinteresttest.Handler, broken time.Duration) (*Store, *pinterest.Accounts, *bytes.Buffer) {
	t.Helper()
	h.StrictRotation = true
	v, told := emptyStore("memory"), new(bytes.Buffer)
	v.logger = slog.New(newUnsavedHandler(told))
	conf := &pinterest.Config{
		ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret,
		RefreshAhead: -1, Logger: v.logger,
	}
	require.NoError(t, v.Save(t.Context(), "a", &App{ID: "1"}, h.Login()))
	time.Sleep(31 * 24 * time.Hour)
	until := time.Now().Add(broken)
	v.Tokens = &brittleStore{v.Tokens, func() bool { return time.Now().Before(until) }}
	a := v.Accounts(conf, v.Tokens)
	a.HTTPClient = h.Client()
	return v, a, told
}

func TestACommandDoesNotEndBeforeTheRenewedTokenIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h pinteresttest.Handler
		v, a, told := expired(t, &h, 10*time.Second)
		token, err := a.Source("a").TokenContext(t.Context())
		require.NoError(t, err)
		saved, err := a.Load(t.Context(), "a")
		require.NoError(t, err)
		assert.NotEqual(t, token.AccessToken, saved.AccessToken)

		ctx, cancel := context.WithCancel(t.Context())
		cancel() // Ctrl-C
		require.NoError(t, v.Settled(ctx, nil))
		saved, err = a.Load(t.Context(), "a")
		require.NoError(t, err)
		assert.Equal(t, token.AccessToken, saved.AccessToken)
		assert.Equal(t, token.RefreshToken, saved.RefreshToken)
		assert.Equal(t, 1, h.Counts().Token)
		assert.Equal(t, "pinterest: the renewed token could not be saved: the disk is full\n"+
			"pinterest: it is tried again for two minutes; do not stop this program, or the token is lost\n", told.String())
	})
}

func TestACommandSaysThatTheRenewedTokenIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h pinteresttest.Handler
		v, a, _ := expired(t, &h, 10*time.Minute)
		_, err := a.Source("a").Token()
		require.NoError(t, err)
		begun := time.Now()
		assert.ErrorContains(t, v.Settled(t.Context(), nil), "could not be saved")
		assert.Equal(t, savingLimit, time.Since(begun))
	})
}

func TestACommandDoesNotEndInTheMiddleOfARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := pinteresttest.Handler{Latency: 10 * time.Second}
		v, a, told := expired(t, &h, 0)
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, stop) // Ctrl-C
		_, err := a.Source("a").TokenContext(ctx)
		require.ErrorIs(t, err, context.Canceled)

		begun := time.Now()
		require.NoError(t, v.Settled(ctx, nil))
		assert.Equal(t, 5*time.Second, time.Since(begun))
		saved, err := a.Load(t.Context(), "a")
		require.NoError(t, err)
		assert.True(t, saved.Valid())
		assert.Equal(t, 1, h.Counts().Token)
		assert.Empty(t, told.String())
	})
}

func TestAPassThatHasEndedIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h pinteresttest.Handler
		v, a, _ := expired(t, &h, 10*time.Second)
		_, err := a.Source("a").Token()
		require.NoError(t, err)
		again := v.Accounts(a.Config, a.Store)
		assert.Equal(t, []*pinterest.Accounts{a, again}, v.used, "the token of the first is not saved yet")
		require.NoError(t, a.Wait(t.Context()))
		third := v.Accounts(a.Config, a.Store)
		assert.Equal(t, []*pinterest.Accounts{third}, v.used)
	})
}
