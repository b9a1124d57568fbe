package pinterest_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestWaitReturnsOnceNothingIsUnderWay(t *testing.T) {
	for hearer, newSource := range hearers {
		t.Run(hearer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, &pinteresttest.Handler{Latency: 5 * time.Second})
				src := newSource(t, l)
				start := time.Now()
				require.NoError(t, src.Wait(t.Context()), "nothing has begun")
				assert.Zero(t, time.Since(start))

				_, err := src.Token()
				require.NoError(t, err)
				time.Sleep(28 * day)
				tok, err := src.TokenContext(t.Context()) // stale, and renewed in the background
				require.NoError(t, err)
				require.Equal(t, l.tok.AccessToken, tok.AccessToken)
				start = time.Now()
				require.NoError(t, src.Wait(t.Context()))
				assert.Equal(t, 5*time.Second, time.Since(start))
				tok, err = src.TokenContext(t.Context())
				require.NoError(t, err)
				assert.NotEqual(t, l.tok.AccessToken, tok.AccessToken)
			})
		})
	}
}

func TestWaitLeavesWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Latency: 5 * time.Second})
		accounts := l.accounts(fleetStore(t, l))
		_, err := accounts.Source("account").Token()
		require.NoError(t, err)
		time.Sleep(28 * day)
		_, err = accounts.Source("account").Token()
		require.NoError(t, err)
		synctest.Wait()
		for _, wait := range []func(context.Context) error{accounts.Wait, accounts.Source("account").Wait} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, wait(ctx), context.DeadlineExceeded)
		}
		require.NoError(t, accounts.Wait(t.Context()))
	})
}

func TestWaitWaitsUntilWhatWasRenewedIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s, down := newMoodyStore(), errors.New("the database is down")
		accounts := l.kept(t, s)
		s.failSave.Store(&down)
		tok, err := accounts.Source("account").Refresh(t.Context())
		require.NoError(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err = accounts.Wait(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, down, "and it says why")

		// Nobody holds the source any more.
		for range 3 {
			time.Sleep(6 * time.Minute)
			accounts.Source("another")
			runtime.GC()
		}
		time.AfterFunc(20*time.Second, func() { s.failSave.Store(nil) })
		start := time.Now()
		require.NoError(t, accounts.Wait(t.Context()))
		assert.InDelta(t, 20*time.Second, time.Since(start), float64(2*time.Second))
		assert.Equal(t, tok.RefreshToken, saved(t, s).RefreshToken)
	})
}

func TestWaitWaitsUntilOnRefreshHasTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		fail, told := true, ""
		l.conf.OnRefresh = func(_ context.Context, tok *oauth2.Token) error {
			if fail {
				return errors.New("disk full")
			}
			told = tok.RefreshToken
			return nil
		}
		src := l.conf.TokenSource(l.ctx, l.tok)
		tok, err := src.Refresh(t.Context())
		require.NoError(t, err)
		fail = false
		require.NoError(t, src.Wait(t.Context()))
		assert.Equal(t, tok.RefreshToken, told)
	})
}

func TestWaitOfAccountsWaitsForAllOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Latency: 5 * time.Second})
		s := pinterest.NewMemoryStore()
		keys := logins(t, l, s, 20)
		accounts := l.accounts(s)
		time.Sleep(31 * day)
		for i, key := range keys {
			go func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				_, _ = accounts.Source(key).Token()
			}()
		}
		time.Sleep(3 * time.Second)
		require.NoError(t, accounts.Wait(t.Context()))
		for _, key := range keys {
			tok, err := load(t, s, key)
			require.NoError(t, err)
			assert.True(t, tok.Valid(), key)
		}
		assert.Equal(t, len(keys), l.fake.Counts().Refresh)
		require.NoError(t, new(pinterest.Accounts).Wait(t.Context()))
	})
}

func TestWaitOfAccountsWaitsForASweepButNotForItsPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, Latency: 5 * time.Second})
		s := pinterest.NewMemoryStore()
		keys := logins(t, l, s, 8)
		accounts := l.accounts(s)
		time.Sleep(50 * day)
		start := time.Now()
		go func() {
			for range accounts.KeepAlive(l.ctx, nil) {
			}
		}()
		synctest.Wait()
		require.NoError(t, accounts.Wait(t.Context()))
		assert.Equal(t, 5*time.Second, time.Since(start))
		for _, key := range keys {
			tok, err := load(t, s, key)
			require.NoError(t, err)
			assert.True(t, tok.Valid(), key)
		}

		time.Sleep(50 * day)
		l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 429, RetryAfter: "900"})
		go func() {
			for range accounts.KeepAlive(l.ctx, nil) {
			}
		}()
		time.Sleep(time.Minute)
		start = time.Now()
		require.NoError(t, accounts.Wait(t.Context()))
		assert.Zero(t, time.Since(start))
		time.Sleep(time.Hour)
	})
}
