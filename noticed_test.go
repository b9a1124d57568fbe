package pinterest_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// users are the ways to use a kept account.
var users = map[string]func(ctx context.Context, a *pinterest.Accounts) *http.Client{
	"Accounts.Client": func(_ context.Context, a *pinterest.Accounts) *http.Client { return a.Client("account") },
	"pinterest.NewClient": func(ctx context.Context, a *pinterest.Accounts) *http.Client {
		return pinterest.NewClient(ctx, a.Source("account"))
	},
	"oauth2.NewClient": func(ctx context.Context, a *pinterest.Accounts) *http.Client {
		return oauth2.NewClient(ctx, a.Source("account"))
	},
	"a client per request": func(ctx context.Context, a *pinterest.Accounts) *http.Client {
		return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return a.Client("account").Transport.RoundTrip(r) })}
	},
}

// eachUser runs test with each kind of client, of an account that is in use.
func eachUser(t *testing.T, test func(t *testing.T, l *login, s pinterest.Store, a *pinterest.Accounts, client *http.Client)) {
	for name, newClient := range users {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, s := newLogin(t, new(pinteresttest.Handler)), pinterest.NewMemoryStore()
				a := l.kept(t, s)
				client := newClient(l.ctx, a)
				use(t, client, 90*time.Second)
				require.Equal(t, l.tok.AccessToken, carried(t, client))
				test(t, l, s, a, client)
			})
		})
	}
}

// use sends five requests a second.
func use(t *testing.T, client *http.Client, d time.Duration) {
	t.Helper()
	for start := time.Now(); time.Since(start) < d; time.Sleep(200 * time.Millisecond) {
		_, _ = client.Get(account)
	}
}

// carried returns the token that the client's next request carries.
func carried(t *testing.T, client *http.Client) (token string) {
	t.Helper()
	resp, err := client.Get(account)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.Request.Header.Get("Authorization")[len("Bearer "):]
}

func TestALoginElsewhereIsNoticedWithinAMinuteOfUse(t *testing.T) {
	eachUser(t, func(t *testing.T, l *login, s pinterest.Store, _ *pinterest.Accounts, client *http.Client) {
		fresh := l.fake.Login(pinterest.ScopeUserAccountsRead)
		require.NoError(t, save(t, s, "account", fresh))
		use(t, client, time.Minute)
		assert.Equal(t, fresh.AccessToken, carried(t, client))
		assert.Zero(t, l.fake.Counts().Token)
	})
}

func TestARenewalElsewhereIsNoticedWithinAMinuteOfUse(t *testing.T) {
	eachUser(t, func(t *testing.T, l *login, s pinterest.Store, _ *pinterest.Accounts, client *http.Client) {
		renewed, err := l.accounts(s).Source("account").Refresh(t.Context())
		require.NoError(t, err)
		use(t, client, time.Minute)
		assert.Equal(t, renewed.AccessToken, carried(t, client))
		assert.Equal(t, 1, l.fake.Counts().Token)
	})
}

func TestALogoutElsewhereIsNoticedWithinAMinuteOfUse(t *testing.T) {
	eachUser(t, func(t *testing.T, l *login, s pinterest.Store, _ *pinterest.Accounts, client *http.Client) {
		require.NoError(t, l.accounts(s).Forget(t.Context(), "account"))
		use(t, client, time.Minute)
		_, err := client.Get(account)
		require.ErrorIs(t, err, pinterest.ErrReauthorize)
		require.ErrorIs(t, err, fs.ErrNotExist)
		assert.Zero(t, l.fake.Counts().Token)
	})
}

func TestALoginInThisProcessIsNoticedAtOnce(t *testing.T) {
	eachUser(t, func(t *testing.T, l *login, _ pinterest.Store, a *pinterest.Accounts, client *http.Client) {
		for range 3 {
			fresh, start := l.fake.Login(pinterest.ScopeUserAccountsRead), time.Now()
			require.NoError(t, a.Save(t.Context(), "account", fresh))
			assert.Less(t, time.Since(start), 300*time.Millisecond)
			assert.Equal(t, fresh.AccessToken, carried(t, client))
		}
	})
}

func TestAfterForgetNoRequestCarriesTheToken(t *testing.T) {
	eachUser(t, func(t *testing.T, l *login, _ pinterest.Store, a *pinterest.Accounts, client *http.Client) {
		start := time.Now()
		require.NoError(t, a.Forget(t.Context(), "account"))
		assert.Less(t, time.Since(start), 300*time.Millisecond)
		requests := l.fake.Counts().API
		for range 100 {
			_, err := client.Get(account)
			require.ErrorIs(t, err, pinterest.ErrReauthorize)
			time.Sleep(10 * time.Second)
		}
		assert.Equal(t, requests, l.fake.Counts().API)

		fresh := l.fake.Login(pinterest.ScopeUserAccountsRead)
		require.NoError(t, a.Save(t.Context(), "account", fresh))
		assert.Equal(t, fresh.AccessToken, carried(t, client))
	})
}

// Requests that run all the while, and each asks at its own moment.
func TestAfterForgetNoRequestCarriesTheTokenHoweverManyAreUnderWay(t *testing.T) {
	eachUser(t, func(t *testing.T, l *login, _ pinterest.Store, a *pinterest.Accounts, client *http.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 17 * time.Millisecond)
				for ctx.Err() == nil {
					if resp, err := client.Get(account); err == nil {
						resp.Body.Close()
					}
					time.Sleep(350 * time.Millisecond)
				}
			})
		}
		time.Sleep(10 * time.Second)
		require.NoError(t, a.Forget(t.Context(), "account"))
		requests := l.fake.Counts().API
		time.Sleep(2 * time.Minute)
		assert.Equal(t, requests, l.fake.Counts().API)
		cancel()
		wg.Wait()
	})
}

func TestALookIsNeverWaitedForAndItsFailureHurtsNobody(t *testing.T) {
	for kind, newClient := range users {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
				client := newClient(l.ctx, l.kept(t, s))
				_, _ = call(t, client)
				s.slowLoad.Store(int64(20 * time.Second))
				down := fs.ErrPermission
				s.failLoad.Store(&down)
				before := s.loads.Load()
				for range 600 {
					status, took := call(t, client)
					require.Equal(t, http.StatusOK, status)
					require.Zero(t, took)
					time.Sleep(time.Second)
				}
				assert.InDelta(t, 600/59, s.loads.Load()-before, 1, "a look is due a minute after the last one began")
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestForgetWaitsForTheCachesThoughItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		a := l.accounts(pinterest.NewMemoryStore())
		require.NoError(t, a.Save(t.Context(), "account", l.tok))
		client := oauth2.NewClient(l.ctx, a.Source("account"))
		_, _ = call(t, client)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		require.NoError(t, a.Forget(ctx, "account"))
		_, err := client.Get(account)
		assert.ErrorIs(t, err, pinterest.ErrReauthorize)
	})
}

func TestAStoreThatSaysCanceledIsNoOperatorsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
		src := l.kept(t, s).Source("account")
		down := fmt.Errorf("pool: %w", context.Canceled)
		s.failLoad.Store(&down)
		_, err := src.Token()
		var e *pinterest.Error
		require.ErrorAs(t, err, &e)
		assert.True(t, e.Temporary())
		s.failLoad.Store(nil)
		time.Sleep(3 * time.Second)
		_, err = src.Token()
		assert.NoError(t, err)
	})
}
