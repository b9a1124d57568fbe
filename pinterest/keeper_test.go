package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// A brittleStore fails to keep what is new as long as it is broken.
type brittleStore struct {
	pinterest.Store
	broken func(old, value []byte) bool
}

var errBroken = errors.New("the disk is full")

func (s *brittleStore) Update(ctx context.Context, key string, f func(ctx context.Context, old []byte) ([]byte, error)) error {
	return s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
		value, err := f(ctx, old)
		if err == nil && s.broken(old, value) {
			err = errBroken
		}
		return value, err
	})
}

// expired returns a keeper over a store whose token has expired, and a source of it.
func expired(t *testing.T, h *pinteresttest.Handler, s *brittleStore) (*keeper, *pinterest.TokenSource) {
	t.Helper()
	h.StrictRotation = true
	s.Store = pinterest.NewMemoryStore()
	require.NoError(t, pinterest.SaveToken(t.Context(), s.Store, "a", h.Login()))
	time.Sleep(31 * 24 * time.Hour)
	k := &keeper{Store: s, say: new(strings.Builder)}
	conf := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret}
	return k, conf.StoredTokenSource(context.WithValue(t.Context(), oauth2.HTTPClient, h.Client()), k, "a")
}

func TestNoTokenIsRenewedThatCouldNotBeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h pinteresttest.Handler
		k, src := expired(t, &h, &brittleStore{broken: func(_, _ []byte) bool { return true }})
		_, err := src.Token()
		require.ErrorIs(t, err, errBroken)
		assert.Zero(t, h.Counts().Token)
		assert.NoError(t, k.settle(t.Context()), "nothing waits to be saved")
	})
}

func TestACommandDoesNotEndBeforeTheRenewedTokenIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h pinteresttest.Handler
		until := time.Now().Add(31*24*time.Hour + 10*time.Second)
		k, src := expired(t, &h, &brittleStore{broken: func(old, value []byte) bool {
			return string(old) != string(value) && time.Now().Before(until)
		}})
		token, err := src.TokenContext(t.Context())
		require.NoError(t, err)
		kept, err := pinterest.LoadToken(t.Context(), k, "a")
		require.NoError(t, err)
		assert.NotEqual(t, token.AccessToken, kept.AccessToken)

		require.NoError(t, k.settle(t.Context()))
		kept, err = pinterest.LoadToken(t.Context(), k, "a")
		require.NoError(t, err)
		assert.Equal(t, token.AccessToken, kept.AccessToken)
		assert.Equal(t, token.RefreshToken, kept.RefreshToken)
		assert.Equal(t, 1, h.Counts().Token)
		assert.Equal(t, "pinterest: the renewed token could not be saved: the disk is full\n"+
			"pinterest: it is tried again for two minutes; do not stop this program, or the token is lost\n", k.say.(*strings.Builder).String())
	})
}

func TestACommandSaysThatTheRenewedTokenIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h pinteresttest.Handler
		k, src := expired(t, &h, &brittleStore{broken: func(old, value []byte) bool { return string(old) != string(value) }})
		_, err := src.Token()
		require.NoError(t, err)
		begun := time.Now()
		assert.ErrorContains(t, k.settle(t.Context()), "could not be saved")
		assert.Equal(t, patience, time.Since(begun))

		ctx, cancel := context.WithCancel(t.Context())
		cancel() // Ctrl-C
		assert.ErrorContains(t, k.settle(ctx), "could not be saved")
	})
}

func TestACommandDoesNotEndInTheMiddleOfARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := pinteresttest.Handler{Latency: 10 * time.Second}
		k, src := expired(t, &h, &brittleStore{broken: func(_, _ []byte) bool { return false }})
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, stop) // Ctrl-C
		_, err := src.TokenContext(ctx)
		require.ErrorIs(t, err, context.Canceled)

		begun := time.Now()
		require.NoError(t, k.settle(t.Context()))
		assert.Equal(t, 5*time.Second, time.Since(begun))
		kept, err := pinterest.LoadToken(t.Context(), k, "a")
		require.NoError(t, err)
		assert.True(t, kept.Valid())
		assert.Equal(t, 1, h.Counts().Token)
		assert.Empty(t, k.say.(*strings.Builder).String())
	})
}
