package pinterest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
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

// logins saves the tokens of n logins and returns their keys.
func logins(t *testing.T, l *login, s pinterest.Store, n int) []string {
	t.Helper()
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("account-%d", i)
		require.NoError(t, save(t, s, keys[i], l.fake.Login(pinterest.ScopeUserAccountsRead)))
	}
	return keys
}

// collect runs a sweep to its end.
func collect(seq iter.Seq2[string, error]) (keys []string, errs map[string]error) {
	errs = make(map[string]error)
	for key, err := range seq {
		if err != nil {
			errs[key] = err
		} else {
			keys = append(keys, key)
		}
	}
	return keys, errs
}

func TestIdleAccountsStayConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s := pinterest.NewMemoryStore()
		keys := logins(t, l, s, 20)
		renewals := 0
		for range 2 * 365 { // two years without a single call
			renewed, errs := collect(l.accounts(s).KeepAlive(l.ctx, nil))
			require.Empty(t, errs)
			renewals += len(renewed)
			time.Sleep(day)
		}
		for _, key := range keys {
			tok, err := load(t, s, key)
			require.NoError(t, err)
			until, ok := pinterest.RefreshExpiry(tok)
			require.True(t, ok)
			assert.Greater(t, time.Until(until), 13*day)
		}
		assert.Equal(t, renewals, l.fake.Counts().Refresh)
		assert.InDelta(t, 20*2*365/47, renewals, 40, "each about every 46 days, and not daily")
	})
}

func TestKeepAliveRenewsWhatHasLessThanWithinToLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		logins(t, l, s, 1)
		time.Sleep(30 * day)
		require.NoError(t, save(t, s, "young", l.fake.Login()))
		require.NoError(t, save(t, s, "unknown", &oauth2.Token{AccessToken: "a", RefreshToken: l.fake.Login().RefreshToken}))
		require.NoError(t, save(t, s, "app", &oauth2.Token{AccessToken: "pinc_x"}))
		keys, errs := collect(l.accounts(s).KeepAlive(l.ctx, nil))
		require.Empty(t, errs)
		assert.Equal(t, []string{"unknown"}, keys)
		keys, errs = collect(l.accounts(s).KeepAlive(l.ctx, &pinterest.KeepAliveOptions{Within: 30 * day}))
		require.Empty(t, errs)
		assert.Empty(t, keys)
		keys, errs = collect(l.accounts(s).KeepAlive(l.ctx, &pinterest.KeepAliveOptions{Within: 30*day + 1}))
		require.Empty(t, errs)
		assert.Equal(t, []string{"account-0"}, keys)
	})
}

func TestOneBadAccountStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		revoked := l.fake.Login()
		l.fake.RevokeGrants()
		keys := logins(t, l, s, 30)
		require.NoError(t, save(t, s, "revoked", revoked))
		put(t, s, "damaged", []byte("{"))
		time.Sleep(50 * day)
		renewed, errs := collect(l.accounts(s).KeepAlive(l.ctx, nil))
		assert.ElementsMatch(t, keys, renewed)
		assert.Len(t, errs, 2)
		assert.ErrorIs(t, errs["revoked"], pinterest.ErrReauthorize)
		assert.ErrorContains(t, errs["damaged"], "it is damaged")
	})
}

func TestSweepsAtTheSameTimeShareTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, Latency: 50 * time.Millisecond})
		s := pinterest.NewMemoryStore()
		keys := logins(t, l, s, 200)
		time.Sleep(50 * day)
		var wg sync.WaitGroup
		shares := make([][]string, 3)
		for i := range shares {
			wg.Go(func() {
				var errs map[string]error
				shares[i], errs = collect(l.accounts(s).KeepAlive(l.ctx, nil))
				assert.Empty(t, errs)
			})
		}
		wg.Wait()
		var all []string
		for _, share := range shares {
			assert.NotEmpty(t, share)
			all = append(all, share...)
		}
		assert.ElementsMatch(t, keys, all, "each once")
		assert.Equal(t, len(keys), l.fake.Counts().Refresh)
	})
}

// What a store listed before it failed is renewed all the same.
func TestAFailureToListAllKeysStopsNoneThatWasListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		keys := logins(t, l, s, 100)
		time.Sleep(50 * day)
		renewed, errs := collect(l.accounts(cutStore{s}).KeepAlive(l.ctx, &pinterest.KeepAliveOptions{Parallel: 1}))
		assert.ElementsMatch(t, keys, renewed)
		assert.Len(t, errs, 1)
		assert.ErrorContains(t, errs[""], "page 2 cannot be read")
	})
}

// A cutStore fails after the last of its keys.
type cutStore struct{ pinterest.Store }

func (c cutStore) Each(ctx context.Context, before time.Time, f func(string, []byte) error) error {
	if err := c.Store.Each(ctx, before, f); err != nil {
		return err
	}
	return errors.New("page 2 cannot be read")
}

func TestASweepCanBeRunTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Latency: time.Second})
		s := pinterest.NewMemoryStore()
		keys := logins(t, l, s, 50)
		time.Sleep(50 * day)
		seq := l.accounts(s).KeepAlive(l.ctx, nil)
		var wg sync.WaitGroup
		renewed := make([][]string, 2)
		for i := range renewed {
			wg.Go(func() {
				var errs map[string]error
				renewed[i], errs = collect(seq)
				assert.Empty(t, errs)
			})
		}
		wg.Wait()
		assert.Equal(t, len(keys), l.fake.Counts().Refresh, "each once, by whichever came first")
		all := slices.Concat(renewed...)
		slices.Sort(all)
		assert.ElementsMatch(t, keys, slices.Compact(all), "and told by it, or by both if they waited together")
	})
}

func TestTwoSweepsAreFasterThanOne(t *testing.T) {
	sweeps := func(n int) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, Latency: 100 * time.Millisecond})
			s := orderedStore{pinterest.NewMemoryStore()}
			logins(t, l, s, 800)
			time.Sleep(50 * day)
			start := time.Now()
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					_, errs := collect(l.accounts(s).KeepAlive(l.ctx, nil))
					assert.Empty(t, errs)
				})
			}
			wg.Wait()
			assert.Equal(t, 800, l.fake.Counts().Refresh)
			took = time.Since(start)
		})
		return took
	}
	one, two := sweeps(1), sweeps(2)
	assert.Equal(t, 10*time.Second, one)
	assert.Less(t, two, one*7/10)
}

// An orderedStore yields its keys in order, as most databases do.
type orderedStore struct{ pinterest.Store }

func (o orderedStore) Each(ctx context.Context, before time.Time, f func(string, []byte) error) error {
	values := make(map[string][]byte)
	err := o.Store.Each(ctx, before, func(key string, value []byte) error {
		values[key] = value
		return nil
	})
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := f(key, values[key]); err != nil {
			return err
		}
	}
	return err
}

func TestARateLimitSlowsTheSweepAndFailsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s := pinterest.NewMemoryStore()
		keys := logins(t, l, s, 50)
		time.Sleep(50 * day)
		l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 429, RetryAfter: "900"})
		for range 40 {
			l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 429})
		}
		start := time.Now()
		renewed, errs := collect(l.accounts(s).KeepAlive(l.ctx, nil))
		assert.Empty(t, errs)
		assert.ElementsMatch(t, keys, renewed)
		assert.GreaterOrEqual(t, time.Since(start), 15*time.Minute)
		assert.Less(t, time.Since(start), 25*time.Minute)
	})
}

func TestAnAccountThatIsAlwaysToldToWaitHoldsTheSweepUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		keys := logins(t, l, s, 50)
		bad := keys[7]
		token, err := load(t, s, bad)
		require.NoError(t, err)
		time.Sleep(50 * day)
		a := l.accounts(s)
		a.HTTPClient = &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return nil, err
			}
			if strings.Contains(string(body), url.QueryEscape(token.RefreshToken)) {
				return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"7200"}}, Body: http.NoBody}, nil
			}
			req = req.Clone(req.Context())
			req.Body = io.NopCloser(bytes.NewReader(body))
			return l.fake.Client().Transport.RoundTrip(req)
		})}
		start := time.Now()
		renewed, errs := collect(a.KeepAlive(l.ctx, nil))
		assert.Len(t, renewed, 49)
		require.Len(t, errs, 1)
		assert.ErrorContains(t, errs[bad], "429")
		assert.InDelta(t, 2, time.Since(start).Hours(), 0.1)
	})
}

func TestTheTokenEndpointIsKeptBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Latency: 100 * time.Millisecond})
		s := pinterest.NewMemoryStore()
		logins(t, l, s, 500)
		time.Sleep(50 * day)
		start := time.Now()
		renewed, _ := collect(l.accounts(s).KeepAlive(l.ctx, &pinterest.KeepAliveOptions{Parallel: 25}))
		assert.Len(t, renewed, 500)
		assert.Equal(t, 2*time.Second, time.Since(start))
	})
}

func TestASweepCanBeLeft(t *testing.T) {
	t.Run("by its loop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, Latency: time.Second})
			s := pinterest.NewMemoryStore()
			logins(t, l, s, 100)
			time.Sleep(50 * day)
			for range l.accounts(s).KeepAlive(l.ctx, nil) {
				break
			}
			sent := l.fake.Counts().Refresh
			assert.LessOrEqual(t, sent, 16)
			time.Sleep(time.Hour)
			assert.Equal(t, sent, l.fake.Counts().Refresh)
			_, errs := collect(l.accounts(s).KeepAlive(l.ctx, nil))
			assert.Empty(t, errs, "what had begun was saved")
			assert.Zero(t, l.fake.Counts().Replays)
		})
	})
	t.Run("by its context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, Latency: time.Second})
			s := pinterest.NewMemoryStore()
			logins(t, l, s, 100)
			time.Sleep(50 * day)
			ctx, cancel := context.WithTimeout(l.ctx, 2500*time.Millisecond)
			defer cancel()
			renewed, ends := 0, 0
			for key, err := range l.accounts(s).KeepAlive(ctx, nil) {
				if key == "" {
					assert.Equal(t, context.DeadlineExceeded, err)
					ends++
					continue
				}
				assert.NoError(t, err)
				renewed++
			}
			assert.Equal(t, 24, renewed, "those under way are brought to an end")
			assert.Equal(t, 1, ends)
			assert.Equal(t, 24, l.fake.Counts().Refresh)
		})
	})
	t.Run("while it reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
			logins(t, l, s, 20)
			time.Sleep(50 * day)
			s.slowLoad.Store(int64(time.Second))
			ctx, cancel := context.WithTimeout(l.ctx, 500*time.Millisecond)
			defer cancel()
			renewed, errs := collect(l.accounts(s).KeepAlive(ctx, nil))
			assert.Empty(t, renewed)
			assert.Equal(t, map[string]error{"": context.DeadlineExceeded}, errs)
			assert.Zero(t, l.fake.Counts().Refresh)
		})
	})
	t.Run("by a panic", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, new(pinteresttest.Handler))
			s := pinterest.NewMemoryStore()
			logins(t, l, s, 100)
			time.Sleep(50 * day)
			require.Panics(t, func() {
				for range l.accounts(s).KeepAlive(l.ctx, nil) {
					panic("in the loop")
				}
			})
		})
	})
}

// A store that saves nothing must not be swept on and on: each renewal would be
// one more token that exists in memory alone.
func TestASweepOfAStoreThatSavesNothingComesToAStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s := newMoodyStore()
		logins(t, l, s, 100)
		time.Sleep(50 * day)
		down := errors.New("disk full")
		s.failSave.Store(&down)
		ctx, cancel := context.WithTimeout(l.ctx, 5*time.Minute)
		defer cancel()
		accounts := l.accounts(s)
		_, errs := collect(accounts.KeepAlive(ctx, &pinterest.KeepAliveOptions{Parallel: 4}))
		assert.LessOrEqual(t, l.fake.Counts().Refresh, 8)
		assert.ErrorIs(t, errs[""], context.DeadlineExceeded)
		s.failSave.Store(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.NoError(t, accounts.Wait(t.Context()))
		_, errs = collect(l.accounts(s).KeepAlive(l.ctx, nil))
		assert.Empty(t, errs, "what was renewed is saved in the end")
		assert.Zero(t, l.fake.Counts().Replays)
	})
}

// One account that can never be saved, or that Pinterest limits, is passed by.
func TestABadAccountIsPassedByOneAtATime(t *testing.T) {
	t.Run("never saved", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
			s := &pickyStore{Store: pinterest.NewMemoryStore(), refuses: "account-1"}
			keys := logins(t, l, s.Store, 5)
			time.Sleep(50 * day)
			ctx, cancel := context.WithTimeout(l.ctx, time.Hour)
			defer cancel()
			renewed, errs := collect(l.accounts(s).KeepAlive(ctx, &pinterest.KeepAliveOptions{Parallel: 1}))
			assert.Len(t, renewed, len(keys)-1)
			assert.ErrorContains(t, errs["account-1"], "refused")
		})
	})
	t.Run("limited", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
			s := pinterest.NewMemoryStore()
			keys := logins(t, l, s, 5)
			limited, err := load(t, s, "account-1")
			require.NoError(t, err)
			base := l.fake.Client().Transport
			l.ctx = context.WithValue(l.ctx, oauth2.HTTPClient, &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				body, err := r.GetBody()
				require.NoError(t, err)
				form, err := io.ReadAll(body)
				require.NoError(t, err)
				if strings.Contains(string(form), url.QueryEscape(limited.RefreshToken)) {
					return answer(http.StatusTooManyRequests, `{"code":8}`), nil
				}
				return base.RoundTrip(r)
			})})
			time.Sleep(50 * day)
			start := time.Now()
			renewed, errs := collect(l.accounts(s).KeepAlive(l.ctx, &pinterest.KeepAliveOptions{Parallel: 1}))
			assert.Len(t, renewed, len(keys)-1)
			assert.ErrorContains(t, errs["account-1"], "429")
			assert.InDelta(t, 31, time.Since(start).Minutes(), 1.5)
		})
	})
}

// A pickyStore saves nothing under one key.
type pickyStore struct {
	pinterest.Store
	refuses string
}

func (p *pickyStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	return p.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		if err == nil && key == p.refuses {
			err = errors.New("refused")
		}
		return value, due, err
	})
}

// An account that is deleted between the sweep's Load and its Update was not due,
// as it turns out, and nobody has to log in again.
func TestAnAccountThatIsForgottenWhileItIsSweptIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := &vanishingStore{pinterest.NewMemoryStore()}
		logins(t, l, s, 1)
		time.Sleep(50 * day)
		renewed, errs := collect(l.accounts(s).KeepAlive(l.ctx, nil))
		assert.Empty(t, renewed)
		assert.Empty(t, errs)
		assert.Zero(t, l.fake.Counts().Token)
	})
}

// A vanishingStore forgets what it has let somebody read.
type vanishingStore struct{ pinterest.Store }

func (v *vanishingStore) Load(ctx context.Context, key string) ([]byte, error) {
	value, err := v.Store.Load(ctx, key)
	_ = v.Store.Delete(ctx, key)
	return value, err
}

func TestASweepRenewsByTheSourceThatIsInUse(t *testing.T) {
	for kind, newClient := range users {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, OldAccessDies: true})
				s := pinterest.NewMemoryStore()
				accounts := l.kept(t, s)
				client := newClient(l.ctx, accounts)
				_, _ = call(t, client)
				time.Sleep(10 * time.Second)
				renewed, errs := collect(accounts.KeepAlive(l.ctx, &pinterest.KeepAliveOptions{Within: 100 * day}))
				require.Empty(t, errs)
				require.Equal(t, []string{"account"}, renewed)
				time.Sleep(time.Second)
				assert.Equal(t, saved(t, s).AccessToken, carried(t, client))
				assert.Zero(t, l.fake.Counts().Unauthorized)
				assert.Equal(t, 1, l.fake.Counts().Refresh)
			})
		})
	}
}

func TestASweepPausesForAsLongAsTheLongestThatPinterestAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		asked  []string
		paused time.Duration
	}{
		"the first":  {[]string{"600", "70"}, time.Second + 10*time.Minute},
		"the second": {[]string{"70", "600"}, 2*time.Second + 10*time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				s := pinterest.NewMemoryStore()
				logins(t, l, s, 2)
				time.Sleep(50 * day)
				l.fake.Fail("/v5/oauth/token",
					pinteresttest.Fault{Status: 429, RetryAfter: c.asked[0], Latency: time.Second},
					pinteresttest.Fault{Status: 429, RetryAfter: c.asked[1], Latency: 2 * time.Second})
				start := time.Now()
				var paused []time.Duration
				for _, err := range l.accounts(s).KeepAlive(l.ctx, &pinterest.KeepAliveOptions{Parallel: 2}) {
					require.NoError(t, err)
					paused = append(paused, time.Since(start))
				}
				require.Len(t, paused, 2)
				assert.Equal(t, c.paused, paused[0])
			})
		})
	}
}

func TestASweepWaitsUntilWhatItRenewedIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s := newMoodyStore()
		keys := logins(t, l, s, 10)
		time.Sleep(50 * day)
		down := errors.New("the database is down")
		s.failSave.Store(&down)
		time.AfterFunc(2*time.Minute, func() { s.failSave.Store(nil) })
		start := time.Now()
		renewed, errs := collect(l.accounts(s).KeepAlive(l.ctx, &pinterest.KeepAliveOptions{Parallel: 4}))
		assert.GreaterOrEqual(t, time.Since(start), 2*time.Minute)
		assert.Less(t, time.Since(start), 3*time.Minute)
		assert.Len(t, renewed, 2, "once the store saves again")
		assert.Len(t, errs, 8, "four that wait to be saved, and four more that wait for a place to wait")
		for _, err := range errs {
			require.ErrorIs(t, err, down, "it is told as it happens")
		}
		renewed, errs = collect(l.accounts(s).KeepAlive(l.ctx, &pinterest.KeepAliveOptions{Within: 100 * day}))
		assert.Empty(t, errs)
		assert.ElementsMatch(t, keys, renewed, "by the tokens that were saved in the end")
		assert.Zero(t, l.fake.Counts().Replays)
	})
}

func TestASweepSaysWhyItCannotBegin(t *testing.T) {
	down := errors.New("the database is down")
	for name, c := range map[string]struct {
		conf  *pinterest.Config
		store pinterest.Store
		want  string
	}{
		"no store":  {testConfig(), nil, "pinterest: the Store is nil: make one, such as NewMemoryStore()"},
		"no app id": {&pinterest.Config{}, pinterest.NewMemoryStore(), "pinterest: refresh: ClientID is empty: set it to the app id that Pinterest's developer page shows"},
		"no keys":   {testConfig(), keyless{down}, "the database is down"},
	} {
		renewed, errs := collect((&pinterest.Accounts{Config: c.conf, Store: c.store}).KeepAlive(t.Context(), nil))
		assert.Empty(t, renewed, name)
		require.Len(t, errs, 1, name)
		assert.EqualError(t, errs[""], c.want)
	}
}

type keyless struct{ err error }

func (k keyless) Load(context.Context, string) ([]byte, error) { return nil, k.err }
func (k keyless) Update(context.Context, string, func(context.Context, []byte) ([]byte, time.Time, error)) error {
	return k.err
}
func (k keyless) Delete(context.Context, string) error                              { return k.err }
func (k keyless) Each(context.Context, time.Time, func(string, []byte) error) error { return k.err }

// A hookedStore runs after, once, when a Load has read, listed when Each has
// listed a key, and locked before an Update.
type hookedStore struct {
	*moodyStore
	after, listed, locked func()
}

func (h *hookedStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	if h.locked != nil {
		h.locked()
	}
	return h.moodyStore.Update(ctx, key, f)
}

func (h *hookedStore) Each(ctx context.Context, before time.Time, f func(string, []byte) error) error {
	return h.moodyStore.Each(ctx, before, func(key string, value []byte) error {
		if h.listed != nil {
			h.listed()
		}
		return f(key, value)
	})
}

func (h *hookedStore) Load(ctx context.Context, key string) ([]byte, error) {
	value, err := h.moodyStore.Load(ctx, key)
	if after := h.after; after != nil {
		h.after = nil
		after()
	}
	return value, err
}

func TestASweepBringsNoForgottenTokenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := &hookedStore{moodyStore: newMoodyStore()}
		a := l.kept(t, s)
		s.after = func() { require.NoError(t, a.Forget(t.Context(), "account")) }
		s.slow.Store(int64(time.Second)) // the sweep waits at the lock
		go func() {
			for range a.KeepAlive(t.Context(), &pinterest.KeepAliveOptions{Within: 100 * day}) {
			}
		}()
		time.Sleep(500 * time.Millisecond)
		_, err := a.Client("account").Get(account)
		assert.Error(t, err)
		assert.Zero(t, l.fake.Counts().API)
		time.Sleep(time.Minute)
	})
}

func TestASweepDropsNoSourceThatSomebodyHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
		a := l.kept(t, s)
		l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 429, RetryAfter: "900"})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range a.KeepAlive(t.Context(), &pinterest.KeepAliveOptions{Within: 100 * day}) {
			}
		}()
		time.Sleep(time.Minute)
		src := a.Source("account")
		for range 4 {
			time.Sleep(5 * time.Minute)
			a.Source("other")
		}
		<-done
		_, err := src.Token()
		require.NoError(t, err)
		require.NoError(t, a.Forget(t.Context(), "account"))
		_, err = src.Token()
		assert.ErrorIs(t, err, pinterest.ErrReauthorize)
		assert.Same(t, src, a.Source("account"))
	})
}

// While a rate limit holds it up, nobody else is asked about, and whoever leaves
// does not wait.
func TestASweepThatIsLeftDuringAPauseTellsOfNoAccountThatItHasNotAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Latency: time.Second})
		s := pinterest.NewMemoryStore()
		logins(t, l, s, 20)
		time.Sleep(50 * day)
		limit := pinteresttest.Fault{Status: 429, RetryAfter: "900", Latency: time.Second}
		l.fake.Fail("/v5/oauth/token", limit, limit)
		ctx, cancel := context.WithTimeout(l.ctx, time.Minute)
		defer cancel()
		start := time.Now()
		renewed, errs := collect(l.accounts(s).KeepAlive(ctx, &pinterest.KeepAliveOptions{Parallel: 4}))
		assert.Equal(t, time.Minute, time.Since(start))
		assert.Len(t, renewed, l.fake.Counts().Refresh-2)
		require.Len(t, errs, 3)
		require.ErrorIs(t, errs[""], context.DeadlineExceeded)
		delete(errs, "")
		for key, err := range errs {
			assert.ErrorContains(t, err, "429", key)
		}
	})
}

func TestASweepThatIsLeftReadsNoMoreOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Latency: time.Second})
		s := &listingStore{Store: pinterest.NewMemoryStore()}
		logins(t, l, s, 1000)
		time.Sleep(50 * day)
		for range l.accounts(s).KeepAlive(l.ctx, &pinterest.KeepAliveOptions{Parallel: 2}) {
			break
		}
		assert.Less(t, s.listed, 500)
	})
}

// A listingStore counts the keys that it has listed.
type listingStore struct {
	pinterest.Store
	listed int
}

func (s *listingStore) Each(ctx context.Context, before time.Time, f func(string, []byte) error) error {
	return s.Store.Each(context.WithoutCancel(ctx), before, func(key string, value []byte) error {
		s.listed++
		return f(key, value)
	})
}

// What a sweep has listed, or read, may be old by the time it is acted upon.
func TestASweepActsUponWhatIsKeptNow(t *testing.T) {
	for name, c := range map[string]struct {
		change        func(t *testing.T, l *login, s pinterest.Store, a *pinterest.Accounts) // while the sweep reads the token
		want          []string
		wantRefreshes int
		wantErr       string
	}{
		"forgotten": {func(t *testing.T, _ *login, s pinterest.Store, a *pinterest.Accounts) {
			require.NoError(t, a.Forget(t.Context(), "account"))
		}, nil, 0, ""},
		"renewed in this process": {func(t *testing.T, _ *login, _ pinterest.Store, a *pinterest.Accounts) {
			_, err := a.Source("account").Refresh(t.Context())
			require.NoError(t, err)
		}, nil, 1, ""},
		"renewed in this process, and then the store fails": {func(t *testing.T, _ *login, s pinterest.Store, a *pinterest.Accounts) {
			_, err := a.Source("account").Refresh(t.Context())
			require.NoError(t, err)
			down := errors.New("the database is down")
			s.(*hookedStore).failLoad.Store(&down)
		}, nil, 1, `pinterest: loading the token of key "account": the database is down`},
		"a login elsewhere that is due": {func(t *testing.T, l *login, s pinterest.Store, a *pinterest.Accounts) {
			_, err := a.Source("account").Refresh(t.Context())
			require.NoError(t, err)
			tok := l.fake.Login()
			require.NoError(t, save(t, s, "account", &oauth2.Token{AccessToken: tok.AccessToken, RefreshToken: tok.RefreshToken}))
		}, []string{"account"}, 2, ""},
	} {
		for _, when := range []string{"is listed", "is read"} {
			t.Run(name+" while it "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLogin(t, new(pinteresttest.Handler))
					s := &hookedStore{moodyStore: newMoodyStore()}
					a := l.accounts(s)
					require.NoError(t, save(t, s, "account", l.tok))
					time.Sleep(50 * day)
					change := func() { c.change(t, l, s, a) }
					if when == "is listed" {
						s.listed = change
					} else {
						s.after = change
					}
					renewed, errs := collect(a.KeepAlive(l.ctx, nil))
					if c.wantErr != "" {
						assert.EqualError(t, errs["account"], c.wantErr)
						delete(errs, "account")
					}
					assert.Empty(t, errs)
					assert.Equal(t, c.want, renewed)
					assert.Equal(t, c.wantRefreshes, l.fake.Counts().Refresh)
				})
			})
		}
	}
}

func TestWhatASweepCostsGrowsWithWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
		due := logins(t, l, s, 10)
		time.Sleep(50 * day)
		for i := range 10 {
			require.NoError(t, save(t, s, fmt.Sprint("young-", i), l.fake.Login()))
		}
		loads, updates := s.loads.Load(), s.updates.Load()
		renewed, errs := collect(l.accounts(s).KeepAlive(l.ctx, nil))
		require.Empty(t, errs)
		assert.ElementsMatch(t, due, renewed)
		assert.Equal(t, int32(10), s.loads.Load()-loads)
		assert.Equal(t, int32(10), s.updates.Load()-updates)
	})
}
