package pinterest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// A moodyStore is a memory store that can be told to fail, and counts.
type moodyStore struct {
	pinterest.Store
	loads, updates atomic.Int32
	failLoad       atomic.Pointer[error]
	failSave       atomic.Pointer[error] // after f has run, before anything is saved
	failLock       atomic.Pointer[error] // before f runs
	loseAnswer     atomic.Pointer[error] // after the value is saved
	slow           atomic.Int64          // how long an Update waits for its lock, in nanoseconds
	slowLoad       atomic.Int64          // how long the answer of a Load is on its way
}

func newMoodyStore() *moodyStore { return &moodyStore{Store: pinterest.NewMemoryStore()} }

func (m *moodyStore) Load(ctx context.Context, key string) ([]byte, error) {
	m.loads.Add(1)
	value, err := m.Store.Load(ctx, key)
	time.Sleep(time.Duration(m.slowLoad.Load()))
	if err := m.failLoad.Load(); err != nil {
		return nil, *err
	}
	return value, err
}

func (m *moodyStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	m.updates.Add(1)
	time.Sleep(time.Duration(m.slow.Load()))
	if err := m.failLock.Load(); err != nil {
		return *err
	}
	err := m.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		if e := m.failSave.Load(); err == nil && e != nil {
			return nil, due, *e
		}
		return value, due, err
	})
	if e := m.loseAnswer.Load(); err == nil && e != nil {
		return *e
	}
	return err
}

// accounts are those of l's app in a process of their own that shares s.
func (l *login) accounts(s pinterest.Store) *pinterest.Accounts {
	conf := *l.conf
	return &pinterest.Accounts{Config: &conf, Store: s, HTTPClient: l.ctx.Value(oauth2.HTTPClient).(*http.Client)}
}

// kept are the accounts of a process that shares s, which holds l's token.
func (l *login) kept(t *testing.T, s pinterest.Store) *pinterest.Accounts {
	t.Helper()
	require.NoError(t, save(t, s, "account", l.tok))
	return l.accounts(s)
}

// fleet returns n sources of one account, as n processes would have them.
func fleet(t *testing.T, l *login, s pinterest.Store, n int) []*pinterest.TokenSource {
	t.Helper()
	require.NoError(t, save(t, s, "account", l.tok))
	sources := make([]*pinterest.TokenSource, n)
	for i := range sources {
		sources[i] = l.accounts(s).Source("account")
	}
	return sources
}

// save saves a token as a process does that has no source of it.
func save(t *testing.T, s pinterest.Store, key string, tok *oauth2.Token) error {
	return (&pinterest.Accounts{Store: s}).Save(t.Context(), key, tok)
}

func load(t *testing.T, s pinterest.Store, key string) (*oauth2.Token, error) {
	return (&pinterest.Accounts{Store: s}).Load(t.Context(), key)
}

// put has s hold data, as it is, and due at once.
func put(t *testing.T, s pinterest.Store, key string, data []byte) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Time, error) { return data, time.Now(), nil }))
}

// beforeFailover returns the source of l's kept token and its store, and what brings
// back what that holds now: a failover to a replica that lagged behind.
func beforeFailover(t *testing.T, l *login) (src *pinterest.TokenSource, s pinterest.Store, failOver func()) {
	t.Helper()
	s = pinterest.NewMemoryStore()
	src = fleet(t, l, s, 1)[0]
	before, err := s.Load(t.Context(), "account")
	require.NoError(t, err)
	return src, s, func() { put(t, s, "account", before) }
}

// saved is the token that s holds.
func saved(t *testing.T, s pinterest.Store) *oauth2.Token {
	t.Helper()
	tok, err := load(t, s, "account")
	require.NoError(t, err)
	return tok
}

func TestAFleetRenewsEachTokenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, OldAccessDies: true, Latency: 100 * time.Millisecond})
		s := newMoodyStore()
		var wg sync.WaitGroup
		for _, src := range fleet(t, l, s, 8) {
			client := pinterest.NewClient(l.ctx, src)
			wg.Go(func() {
				for range 400 {
					status, _ := call(t, client)
					require.Equal(t, http.StatusOK, status)
					time.Sleep(day)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		counts := l.fake.Counts()
		assert.Zero(t, counts.Replays)
		assert.GreaterOrEqual(t, counts.Refresh, 400/28)
		assert.LessOrEqual(t, counts.Refresh, 400/26)
	})
}

func TestWhileTheTokenIsFreshTheStoreIsReadOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := newMoodyStore()
		src := fleet(t, l, s, 1)[0]
		updates := s.updates.Load()
		assert.Zero(t, s.loads.Load(), "not before a token is asked for")
		_, err := src.Token()
		require.NoError(t, err)
		time.Sleep(day)
		assert.Equal(t, int32(1), s.loads.Load(), "nor while nobody asks")
		for range 3600 * 10 {
			_, err := src.Token()
			require.NoError(t, err)
			synctest.Wait()
			time.Sleep(100 * time.Millisecond)
		}
		assert.InDelta(t, 2+60, s.loads.Load(), 1)
		assert.Equal(t, updates, s.updates.Load(), "and no lock is taken")
	})
}

func TestAKeyThatHoldsNothingSaysHowToLogIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		accounts := l.accounts(s)
		src := accounts.Source("account")
		_, err := src.Token()
		require.EqualError(t, err, `pinterest: refresh: no token is kept under key "account": send the user to Config.AuthCodeURL and keep the token of Config.Exchange by Accounts.Save`)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorIs(t, err, pinterest.ErrReauthorize)
		_, err = accounts.Load(t.Context(), "account")
		require.EqualError(t, err, `pinterest: no token is kept under key "account": send the user to Config.AuthCodeURL and keep the token of Config.Exchange by Accounts.Save`)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorIs(t, err, pinterest.ErrReauthorize)

		require.NoError(t, accounts.Save(t.Context(), "account", l.tok))
		tok, err := src.Token()
		require.NoError(t, err, "a login is noticed at once")
		assert.Equal(t, l.tok.AccessToken, tok.AccessToken)
		assert.Zero(t, l.fake.Counts().Token)
	})
}

func TestALoginElsewhereEndsARememberedErrReauthorize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		src := fleet(t, l, s, 1)[0]
		l.fake.RevokeGrants()
		time.Sleep(31 * day)
		for range 59 {
			_, err := src.Token()
			require.ErrorIs(t, err, pinterest.ErrReauthorize)
			time.Sleep(time.Minute)
		}
		assert.Equal(t, 1, l.fake.Counts().Token, "the verdict is remembered while the store does not change")
		assert.Equal(t, l.tok.RefreshToken, saved(t, s).RefreshToken, "and nothing is thrown away")

		fresh := l.fake.Login(pinterest.ScopeUserAccountsRead)
		require.NoError(t, save(t, s, "account", fresh))
		time.Sleep(time.Minute)
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, fresh.AccessToken, tok.AccessToken)
		assert.Equal(t, 1, l.fake.Counts().Token)

		// A login whose access token has expired by the time it is found.
		l.fake.RevokeGrants()
		time.Sleep(31 * day)
		_, err = src.Token()
		require.ErrorIs(t, err, pinterest.ErrReauthorize)
		late := l.fake.Login(pinterest.ScopeUserAccountsRead)
		require.NoError(t, save(t, s, "account", late))
		time.Sleep(31 * day)
		tok, err = src.Token()
		require.NoError(t, err)
		assert.Equal(t, saved(t, s).AccessToken, tok.AccessToken)
	})
}

func TestAfterInvalidGrantTheStoreIsReadOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		fleet(t, l, s, 0)
		time.Sleep(31 * day)
		// While the refusal is on its way, a sibling that lost its lock saves.
		fresh := l.fake.Login(pinterest.ScopeUserAccountsRead)
		record, err := pinterest.MarshalToken(fresh)
		require.NoError(t, err)
		behind := &sideDoor{Store: s}
		src := l.accounts(behind).Source("account")
		l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 401, Code: 283})
		behind.afterRefusal = record
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, fresh.AccessToken, tok.AccessToken)
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

func TestADeadTokenThatOthersKeptIsPresentedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLogin(t, new(pinteresttest.Handler)), pinterest.NewMemoryStore()
		src := l.kept(t, s).Source("account")
		_, err := src.Token()
		require.NoError(t, err)
		require.NoError(t, save(t, s, "account", l.fake.Login()))
		l.fake.RevokeGrants()
		time.Sleep(31 * day)
		_, err = src.Token()
		require.ErrorIs(t, err, pinterest.ErrReauthorize)
		assert.Equal(t, 1, l.fake.Counts().Token)
	})
}

// A sideDoor is a store whose lock somebody got around.
type sideDoor struct {
	pinterest.Store
	afterRefusal []byte
}

func (d *sideDoor) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	err := d.Store.Update(ctx, key, f)
	if errors.Is(err, pinterest.ErrReauthorize) {
		_ = d.Store.Update(context.WithoutCancel(ctx), key, func(context.Context, []byte) ([]byte, time.Time, error) { return d.afterRefusal, time.Time{}, nil })
	}
	return err
}

func TestA401FirstLooksWhetherASiblingRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, OldAccessDies: true})
		s := pinterest.NewMemoryStore()
		sources := fleet(t, l, s, 2)
		ours, sibling := pinterest.NewClient(l.ctx, sources[0]), sources[1]
		for i := range 10 {
			status, _ := call(t, ours)
			require.Equal(t, http.StatusOK, status)
			_, err := sibling.Refresh(t.Context())
			require.NoError(t, err)
			status, _ = call(t, ours) // its access token has died with the renewal
			require.Equal(t, http.StatusOK, status)
			assert.Equal(t, i+1, l.fake.Counts().Refresh, "the sibling's")
		}
		assert.Zero(t, l.fake.Counts().Replays)
	})
}

// An endpoint that answers 401 whatever the token does not keep a source from
// seeing that a sibling renewed.
func TestASiblingsTokenIsAdoptedEvenWhile401sCauseNoRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, OldAccessDies: true})
		s := pinterest.NewMemoryStore()
		sources := fleet(t, l, s, 2)
		ours := pinterest.NewClient(l.ctx, sources[0])
		resp, err := ours.Get("https://api.pinterest.com/v5/pins") // wants a scope the user did not grant
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
		resp.Body.Close()
		require.Equal(t, 1, l.fake.Counts().Refresh)
		_, err = sources[1].Token()
		require.NoError(t, err)
		_, err = sources[1].Refresh(t.Context())
		require.NoError(t, err)
		status, _ := call(t, ours)
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, 2, l.fake.Counts().Refresh)
	})
}

func TestIfTheStoreCannotSaveTheTokenIsUsedAndSavedLater(t *testing.T) {
	down := errors.New("the database is down")
	for name, c := range map[string]struct {
		fail func(*moodyStore) *atomic.Pointer[error]
		lost bool // the value was saved, and nobody heard of it
	}{
		"nothing was saved":              {func(m *moodyStore) *atomic.Pointer[error] { return &m.failSave }, false},
		"it was, but the answer is lost": {func(m *moodyStore) *atomic.Pointer[error] { return &m.loseAnswer }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, AccessLife: time.Hour})
				s := newMoodyStore()
				src := fleet(t, l, s, 1)[0]
				c.fail(s).Store(&down)
				time.Sleep(2 * time.Hour)
				tok, err := src.TokenContext(t.Context())
				require.NoError(t, err)
				if !c.lost {
					assert.Equal(t, l.tok.RefreshToken, saved(t, s).RefreshToken)
				}
				time.Sleep(2 * time.Hour)
				_, err = src.Token()
				if c.lost {
					// The next try sees that it is there: the answer alone was lost.
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, down)
					assert.Equal(t, 1, l.fake.Counts().Refresh, "no second renewal")
				}
				c.fail(s).Store(nil)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if !c.lost {
					assert.Equal(t, tok.RefreshToken, saved(t, s).RefreshToken, "saved though nobody asked")
				}
				_, err = src.Token()
				require.NoError(t, err)
				assert.Zero(t, l.fake.Counts().Replays)
			})
		})
	}
}

func TestAnUnsavedTokenGivesWayToASiblings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler)) // lenient: the sibling may use the old refresh token
		down := errors.New("the database is down")
		ours, theirs := newMoodyStore(), pinterest.NewMemoryStore()
		ours.Store = theirs
		src := fleet(t, l, ours, 1)[0]
		time.Sleep(31 * day)
		ours.failSave.Store(&down)
		_, err := src.Token()
		require.NoError(t, err)
		sibling, err := l.accounts(theirs).Source("account").Token()
		require.NoError(t, err)
		ours.failSave.Store(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, sibling.AccessToken, tok.AccessToken)
		assert.Equal(t, sibling.RefreshToken, saved(t, theirs).RefreshToken)
	})
}

func TestAnExpiredTokenOfASiblingsIsNotHandedOutInPlaceOfAnUnsavedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{AccessLife: time.Hour})
		down := errors.New("the database is down")
		ours, theirs := newMoodyStore(), pinterest.NewMemoryStore()
		ours.Store = theirs
		src := fleet(t, l, ours, 1)[0]
		time.Sleep(2 * time.Hour)
		ours.failSave.Store(&down)
		_, err := src.Token()
		require.NoError(t, err)
		_, err = l.accounts(theirs).Source("account").Token()
		require.NoError(t, err)
		ours.failLock.Store(&down) // for so long that both tokens expire
		time.Sleep(2 * time.Hour)
		ours.failSave.Store(nil)
		ours.failLock.Store(nil)
		ours.slow.Store(int64(time.Second)) // so that the caller below joins the saving
		var tok *oauth2.Token
		for range 1200 {
			if tok, err = src.TokenContext(t.Context()); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		require.NoError(t, err)
		assert.True(t, tok.Expiry.After(time.Now()))
	})
}

func TestAnUnsavedTokenDoesNotBringBackAnAccountThatLoggedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		down := errors.New("the database is down")
		s := newMoodyStore()
		src := fleet(t, l, s, 1)[0]
		time.Sleep(31 * day)
		s.failSave.Store(&down)
		_, err := src.Token()
		require.NoError(t, err)
		require.NoError(t, s.Delete(t.Context(), "account"))
		s.failSave.Store(nil)
		require.NoError(t, src.Wait(t.Context()))
		requests := l.fake.Counts().API
		_, err = pinterest.NewClient(l.ctx, src).Get(account)
		require.ErrorIs(t, err, fs.ErrNotExist, "nor carries it any request")
		require.ErrorContains(t, err, `no token is kept under key "account"`)
		assert.Equal(t, requests, l.fake.Counts().API)
		_, err = load(t, s, "account")
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func TestWithoutTheStoreNothingIsRenewed(t *testing.T) {
	down := errors.New("the database is down")
	for name, fail := range map[string]func(*moodyStore) *atomic.Pointer[error]{
		"no lock": func(m *moodyStore) *atomic.Pointer[error] { return &m.failLock },
		"no read": func(m *moodyStore) *atomic.Pointer[error] { return &m.failLoad },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
				s := newMoodyStore()
				src := fleet(t, l, s, 1)[0]
				time.Sleep(31 * day)
				fail(s).Store(&down)
				for range 1000 {
					_, err := src.Token()
					require.ErrorIs(t, err, down)
					require.NotErrorIs(t, err, pinterest.ErrReauthorize)
					assert.EqualError(t, err, `pinterest: refresh: the store failed at key "account": the database is down`)
					time.Sleep(100 * time.Millisecond)
				}
				assert.Zero(t, l.fake.Counts().Token)
				assert.Less(t, s.loads.Load()+s.updates.Load(), int32(30), "and the store is not hammered")
				fail(s).Store(nil)
				time.Sleep(2 * time.Minute)
				_, err := src.Token()
				require.NoError(t, err)
			})
		})
	}
}

func TestARecordThatCannotBeReadIsLeftUntouched(t *testing.T) {
	for name, record := range map[string]string{
		"of a newer version": `{"version":2,"token":"sealed"}`,
		"damaged":            `{"version":1,"access_tok`,
		"empty":              ``,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := pinterest.NewMemoryStore()
				put(t, s, "account", []byte(record))
				w := answering(200, goodAnswer)
				src := (&pinterest.Accounts{Config: testConfig(), Store: s, HTTPClient: &http.Client{Transport: w}}).Source("account")
				_, err := src.Token()
				require.ErrorContains(t, err, `pinterest: refresh: the record under key "account": it `)
				require.NotErrorIs(t, err, pinterest.ErrReauthorize)
				_, err = src.Refresh(t.Context())
				require.Error(t, err)
				data, err := s.Load(t.Context(), "account")
				require.NoError(t, err)
				assert.Equal(t, record, string(data))
				assert.Empty(t, w.requests())
			})
		})
	}
}

func TestAStoreReadsTheJSONOfOAuth2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		put(t, s, "account", []byte(jsonOf(t, l.tok)))
		src := l.accounts(s).Source("account")
		_, err := src.Token()
		require.NoError(t, err)
		time.Sleep(31 * day)
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, saved(t, s).AccessToken, tok.AccessToken)
		_, ok := pinterest.RefreshExpiry(saved(t, s))
		assert.True(t, ok)
	})
}

func TestAStoreSeesTheTrueExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		src := fleet(t, l, s, 1)[0]
		tok, err := src.Token()
		require.NoError(t, err)
		require.NoError(t, save(t, s, "account", tok))
		assert.True(t, saved(t, s).Expiry.Equal(l.tok.Expiry))
	})
}

func TestRefreshOfANewSourceRenewsWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s := pinterest.NewMemoryStore()
		src := fleet(t, l, s, 1)[0]
		tok, err := src.Refresh(t.Context())
		require.NoError(t, err)
		assert.NotEqual(t, l.tok.AccessToken, tok.AccessToken)
		assert.Equal(t, saved(t, s).RefreshToken, tok.RefreshToken)
	})
}

func TestOnRefreshIsToldOnceOfATokenThatTheStoreHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s := pinterest.NewMemoryStore()
		var told atomic.Int32
		l.conf.OnRefresh = func(_ context.Context, tok *oauth2.Token) error {
			assert.Equal(t, saved(t, s).RefreshToken, tok.RefreshToken)
			told.Add(1)
			return errors.New("not now")
		}
		sources := fleet(t, l, s, 2)
		_, err := sources[0].Refresh(t.Context())
		require.NoError(t, err)
		require.NoError(t, sources[0].Wait(t.Context()))
		time.Sleep(time.Minute)
		assert.Equal(t, int32(1), told.Load(), "also if it fails")
		_, err = sources[1].Token()
		require.NoError(t, err)
		assert.Equal(t, int32(1), told.Load(), "who adopts a token did not renew it")
		_, err = sources[0].Refresh(t.Context())
		require.NoError(t, err, "and its failure keeps nobody from renewing")
		assert.Equal(t, int32(2), told.Load())
	})
}

func TestOnRefreshIsToldOfATokenOnceTheStoreHasIt(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, l *login, s *moodyStore)
		told      int
	}{
		"saved": {func(*testing.T, *login, *moodyStore) {}, 1},
		"saved before, though the answer was lost": {func(_ *testing.T, _ *login, s *moodyStore) {
			s.loseAnswer.Store(s.failSave.Swap(nil))
			time.Sleep(10 * time.Second)
			s.loseAnswer.Store(nil)
		}, 1},
		"logged out": {func(t *testing.T, _ *login, s *moodyStore) { require.NoError(t, s.Delete(t.Context(), "account")) }, 0},
		"logged in again": {func(t *testing.T, l *login, s *moodyStore) {
			require.NoError(t, save(t, s.Store, "account", l.fake.Login()))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
				var told []string
				l.conf.OnRefresh = func(_ context.Context, tok *oauth2.Token) error {
					told = append(told, tok.RefreshToken)
					return nil
				}
				src := l.kept(t, s).Source("account")
				down := errors.New("the database is down")
				s.failSave.Store(&down)
				renewed, err := src.Refresh(t.Context())
				require.NoError(t, err)
				time.Sleep(time.Minute)
				assert.Empty(t, told)
				c.meanwhile(t, l, s)
				s.failSave.Store(nil)
				require.NoError(t, src.Wait(t.Context()))
				require.Len(t, told, c.told)
				if c.told > 0 {
					assert.Equal(t, renewed.RefreshToken, told[0])
				}
			})
		})
	}
}

func TestWhatIsSavedHereIsUsedAtOnceWhateverTheStoreTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
		a := l.kept(t, s)
		src := a.Source("account")
		handed, err := src.Token()
		require.NoError(t, err)
		s.slowLoad.Store(int64(time.Second))
		for _, tok := range []*oauth2.Token{handed, l.fake.Login(), handed} {
			require.NoError(t, a.Save(t.Context(), "account", tok))
			start := time.Now()
			got, err := src.TokenContext(t.Context())
			require.NoError(t, err)
			assert.Zero(t, time.Since(start))
			assert.Equal(t, tok.AccessToken, got.AccessToken)
			assert.Equal(t, l.tok.Expiry.Unix(), got.Expiry.Unix(), "the true one")
		}
		time.Sleep(time.Minute)
	})
}

// The retry of a save that a caller's own request for a token has overtaken.
func TestARetryThatFindsTheTokenSavedDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		var calls atomic.Int32
		l.conf.OnRefresh = func(context.Context, *oauth2.Token) error {
			if calls.Add(1) <= 3 {
				return errors.New("not now")
			}
			return nil
		}
		src := l.conf.TokenSource(l.ctx, l.tok)
		_, err := src.Refresh(t.Context())
		require.NoError(t, err)
		for range 2000 {
			_, _ = src.Refresh(t.Context()) // whenever it may, this saves and then renews
			time.Sleep(10 * time.Millisecond)
			if calls.Load() >= 4 {
				break
			}
		}
		refreshes := l.fake.Counts().Refresh
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		assert.Equal(t, refreshes, l.fake.Counts().Refresh)
	})
}

func TestAccountsRefuseBadInputBeforeAnyTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hint = ": name the account that the token belongs to"
		for key, want := range map[string]string{
			"":              "the key is empty" + hint,
			" \n":           "the key is blank" + hint,
			"alice\n":       "the key ends in a line break" + hint,
			"alice\r\n":     "the key ends in a carriage return" + hint,
			"\talice":       "the key begins with a tab" + hint,
			"alice and bob": "the key holds a space" + hint,
			"al\u00a0ice":   "the key holds the character U+00A0" + hint,
			"al\x00ice":     "the key holds the character U+0000" + hint,
		} {
			w, s := answering(200, goodAnswer), newMoodyStore()
			refuses(t, &pinterest.Accounts{Config: testConfig(), Store: s, HTTPClient: &http.Client{Transport: w}}, key, want)
			assert.Empty(t, w.requests())
			assert.Zero(t, s.loads.Load()+s.updates.Load())
		}
		refuses(t, &pinterest.Accounts{Config: testConfig()}, "account", "the Store is nil: make one, such as NewMemoryStore()")

		accounts := &pinterest.Accounts{Store: pinterest.NewMemoryStore()} // Save and Load need no Config
		require.EqualError(t, accounts.Save(t.Context(), "account", nil), "pinterest: nothing to marshal: the token holds neither an access token nor a refresh token")
		require.EqualError(t, accounts.Save(t.Context(), "account", &oauth2.Token{AccessToken: "pina_x\n"}), "pinterest: the access token ends in a line break")
		require.EqualError(t, accounts.Save(t.Context(), "account", &oauth2.Token{RefreshToken: "pinr. x"}), "pinterest: the refresh token holds a space")
		_, err := accounts.Load(t.Context(), "account")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, accounts.Save(t.Context(), "account", expiredToken()))
		_, err = accounts.Source("account").Token()
		require.EqualError(t, err, "pinterest: refresh: ClientID is empty: set it to the app id that Pinterest's developer page shows")
	})
}

// refuses sees that every method finds the same fault with key.
func refuses(t *testing.T, a *pinterest.Accounts, key, want string) {
	t.Helper()
	require.EqualError(t, a.Save(t.Context(), key, expiredToken()), "pinterest: "+want)
	require.EqualError(t, a.Forget(t.Context(), key), "pinterest: "+want)
	_, err := a.Load(t.Context(), key)
	require.EqualError(t, err, "pinterest: "+want)
	_, err = a.Source(key).Token()
	require.EqualError(t, err, "pinterest: refresh: "+want)
	_, err = a.Source(key).Refresh(t.Context())
	require.EqualError(t, err, "pinterest: refresh: "+want)
	_, err = a.Client(key).Get(account)
	require.ErrorContains(t, err, "pinterest: refresh: "+want)
}

func TestAStoreThatFailsForAMomentDoesNotMakeAVerdictLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := newMoodyStore()
		src := fleet(t, l, s, 1)[0]
		_, err := src.Token()
		require.NoError(t, err)
		l.fake.RevokeGrants()
		time.Sleep(31 * day)
		down := errors.New("the database is down")
		s.failLoad.Store(&down) // when the store is read once more before giving up
		_, err = src.Token()
		require.ErrorIs(t, err, pinterest.ErrReauthorize)
		s.failLoad.Store(nil)
		require.NoError(t, save(t, s, "account", l.fake.Login()))
		time.Sleep(time.Minute)
		_, err = src.Token()
		require.NoError(t, err)
	})
}

// Whoever waited long for the lock still gives Pinterest the time to answer.
func TestAnAnswerIsWaitedForHoweverLongTheLockTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s := pinterest.NewMemoryStore()
		src := fleet(t, l, s, 1)[0]
		time.Sleep(31 * day)
		go func() {
			_ = s.Update(context.Background(), "account", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
				time.Sleep(2*time.Minute - 100*time.Millisecond)
				return old, time.Time{}, nil
			})
		}()
		synctest.Wait()
		l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{After: true, Latency: 20 * time.Second})
		_, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

func TestAFailedRenewalTakesNoGoodTokenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		src := fleet(t, l, s, 1)[0]
		_, err := src.Token()
		require.NoError(t, err)
		time.Sleep(28 * day) // stale, and good for two more days
		require.NoError(t, save(t, s, "account", &oauth2.Token{RefreshToken: l.tok.RefreshToken}))
		for range 100 {
			l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 503})
		}
		for range 10 {
			start := time.Now()
			tok, err := src.TokenContext(t.Context())
			require.NoError(t, err)
			assert.Equal(t, l.tok.AccessToken, tok.AccessToken)
			assert.Zero(t, time.Since(start))
			time.Sleep(time.Minute)
		}
	})
}

func TestAnUnsavedTokenGivesWayToALoginAndIsUsedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := newMoodyStore()
		src := fleet(t, l, s, 1)[0]
		down := errors.New("the database is down")
		s.failSave.Store(&down)
		renewed, err := src.Refresh(t.Context())
		require.NoError(t, err)
		fresh := l.fake.Login(pinterest.ScopeUserAccountsRead)
		require.NoError(t, save(t, s.Store, "account", &oauth2.Token{RefreshToken: fresh.RefreshToken}))
		s.failSave.Store(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		start := time.Now()
		tok, err := src.TokenContext(t.Context())
		require.NoError(t, err)
		assert.Equal(t, renewed.AccessToken, tok.AccessToken)
		assert.Zero(t, time.Since(start), "it is good for thirty days")
		assert.Equal(t, fresh.RefreshToken, saved(t, s).RefreshToken)
		tok, err = src.Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, saved(t, s).AccessToken, tok.AccessToken)
	})
}

// A failover to a replica that lagged behind brings an old token back.
func TestATokenThatTheStoreLostIsRenewedFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		src, s, failOver := beforeFailover(t, l)
		time.Sleep(31 * day)
		_, err := src.Token()
		require.NoError(t, err)
		failOver()
		time.Sleep(31 * day)
		tok, err := src.TokenContext(t.Context())
		require.NoError(t, err)
		assert.Zero(t, l.fake.Counts().Replays)
		assert.Equal(t, tok.RefreshToken, saved(t, s).RefreshToken)
	})
}

func TestAReasonNotToRenewIsNobodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := newMoodyStore()
		src := fleet(t, l, s, 1)[0]
		client := pinterest.NewClient(l.ctx, src)
		bad := func() {
			resp, err := client.Get("https://api.pinterest.com/v5/pins") // wants a scope the user did not grant
			require.NoError(t, err)
			resp.Body.Close()
		}
		bad()
		time.Sleep(time.Millisecond)
		s.slowLoad.Store(int64(time.Second))
		loads := s.loads.Load()
		go bad() // only looks into the store
		synctest.Wait()
		require.Equal(t, loads+1, s.loads.Load())
		tok, err := src.Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, saved(t, s).AccessToken, tok.AccessToken)
		assert.Equal(t, 2, l.fake.Counts().Refresh)
	})
}

func TestAFailureOfTheStoreIsNoVerdictAndCanPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		l.conf.OnRefresh = func(context.Context, *oauth2.Token) error {
			_, err := load(t, pinterest.NewMemoryStore(), "account") // says ErrReauthorize
			return err
		}
		src := l.conf.TokenSource(l.ctx, l.tok)
		_, err := src.Refresh(t.Context())
		require.NoError(t, err)
		_, err = src.Refresh(t.Context())
		require.Error(t, err)
		assert.NotErrorIs(t, err, pinterest.ErrReauthorize)
		var e *pinterest.Error
		require.ErrorAs(t, err, &e)
		assert.True(t, e.Temporary())

		s := newMoodyStore()
		down := errors.New("the database is down")
		s.failLoad.Store(&down)
		_, err = l.accounts(s).Source("account").Token()
		require.ErrorAs(t, err, &e)
		assert.True(t, e.Temporary())
		require.ErrorIs(t, err, down)
	})
}

func TestAStaleTokenFoundInTheStoreIsRenewedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		src := fleet(t, l, pinterest.NewMemoryStore(), 1)[0]
		time.Sleep(29 * day)
		_, err := src.Token()
		require.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

// A 401 that may cause no renewal comes just when saving is to be tried again.
func TestNothingMakesASourceForgetToSave(t *testing.T) {
	for range 40 {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, new(pinteresttest.Handler))
			s := newMoodyStore()
			src := fleet(t, l, s, 1)[0]
			client := pinterest.NewClient(l.ctx, src)
			down := errors.New("the database is down")
			s.failSave.Store(&down)
			for range 30 {
				resp, err := client.Get("https://api.pinterest.com/v5/pins") // 401, whatever the token
				require.NoError(t, err)
				resp.Body.Close()
				s.slow.Store(int64(50 * time.Millisecond))
				time.Sleep(70 * time.Millisecond)
			}
			s.failSave.Store(nil)
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			tok, err := src.TokenContext(t.Context())
			require.NoError(t, err)
			require.Equal(t, tok.AccessToken, saved(t, s).AccessToken)
		})
	}
}

func TestAStoreThatDoesNotKeepItsContractIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		_, err := l.accounts(oddStore{fleetStore(t, l), 0}).Source("account").Refresh(t.Context())
		require.EqualError(t, err, `pinterest: refresh: the store failed at key "account": its Update did not call f`)
		twice := oddStore{fleetStore(t, l), 2}
		renewed, err := l.accounts(twice).Source("account").Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1, l.fake.Counts().Refresh, "f that is run twice renews once")
		assert.Equal(t, renewed.RefreshToken, saved(t, twice).RefreshToken)
	})
}

func fleetStore(t *testing.T, l *login) pinterest.Store {
	s := pinterest.NewMemoryStore()
	fleet(t, l, s, 0)
	return s
}

// An oddStore runs f so many times, as one does that tries a transaction again.
type oddStore struct {
	pinterest.Store
	times int
}

func (o oddStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	if o.times == 0 {
		return nil
	}
	return o.Store.Update(ctx, key, func(ctx context.Context, old []byte) (value []byte, due time.Time, err error) {
		for range o.times {
			value, due, err = f(ctx, old)
		}
		return value, due, err
	})
}

// The user disconnects while the access token has time left, and logs in again
// elsewhere. Plain oauth2 asks for a token and does nothing about a 401.
func TestALoginIsNoticedWhileTheDeadTokenHasTimeLeft(t *testing.T) {
	for kind, newClient := range clients {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				s := pinterest.NewMemoryStore()
				client := newClient(l.ctx, fleet(t, l, s, 1)[0])
				_, _ = call(t, client)
				time.Sleep(27*day + time.Hour) // stale
				l.fake.RevokeGrants()
				resp, err := client.Get(account)
				require.NoError(t, err)
				resp.Body.Close()
				synctest.Wait()
				require.NoError(t, save(t, s, "account", l.fake.Login(pinterest.ScopeUserAccountsRead)))
				status := 0
				for range 3 {
					time.Sleep(time.Minute)
					resp, err := client.Get(account)
					require.NoError(t, err)
					resp.Body.Close()
					status = resp.StatusCode
				}
				assert.Equal(t, http.StatusOK, status)
				assert.Equal(t, 1, l.fake.Counts().Token, "the dead token is presented once")
			})
		})
	}
}

// However old a token that Save saves looks, it is a new login.
func TestANewLoginIsNeverTakenForAnOldToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		login := l.fake.Login(pinterest.ScopePinsRead)
		time.Sleep(20 * day)
		l.tok = l.fake.Login(pinterest.ScopeUserAccountsRead)
		src := fleet(t, l, s, 1)[0]
		_, err := src.Refresh(t.Context())
		require.NoError(t, err)
		require.NoError(t, save(t, s, "account", login)) // of twenty days ago
		tok, err := src.Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{pinterest.ScopePinsRead}, pinterest.GrantedScopes(tok), "of the new login")
		assert.Equal(t, saved(t, s).RefreshToken, tok.RefreshToken)
		assert.Zero(t, l.fake.Counts().Replays)
	})
}

func TestAStoreThatEndsItsGoroutineLosesNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s := &leavingStore{Store: fleetStore(t, l)}
		src := l.accounts(s).Source("account")
		renewed, err := src.Refresh(t.Context())
		require.NoError(t, err)
		require.NoError(t, src.Wait(t.Context()))
		assert.Equal(t, renewed.RefreshToken, saved(t, s).RefreshToken)
		tok, err := src.Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, saved(t, s).RefreshToken, tok.RefreshToken)
		assert.Zero(t, l.fake.Counts().Replays)
	})
}

func TestAStoreThatEndsItsGoroutineBeforeItDoesAnythingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := &hookedStore{moodyStore: newMoodyStore()}
		src := l.kept(t, s).Source("account")
		s.after = runtime.Goexit
		_, err := src.Token()
		require.EqualError(t, err, `pinterest: refresh: the store failed at key "account": its Load did not return`)
		time.Sleep(2 * time.Second)
		_, err = src.Token()
		require.NoError(t, err)
		s.locked = runtime.Goexit
		_, err = src.Refresh(t.Context())
		require.EqualError(t, err, `pinterest: refresh: the store failed at key "account": its Update did not return`)
		assert.Zero(t, l.fake.Counts().Token)
	})
}

// A leavingStore leaves the first Update once f has returned, as a failing test
// does.
type leavingStore struct {
	pinterest.Store
	left bool
}

func (s *leavingStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	return s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		if !s.left {
			s.left = true
			runtime.Goexit()
		}
		return value, due, err
	})
}

func TestAnOnRefreshThatFailsKeepsNobodyFromASiblingsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, AccessLife: time.Hour})
		s := pinterest.NewMemoryStore()
		sibling := fleet(t, l, s, 1)[0]
		l.conf.OnRefresh = func(context.Context, *oauth2.Token) error { return errors.New("not now") }
		src := l.accounts(s).Source("account")
		_, err := src.Refresh(t.Context())
		require.NoError(t, err)
		time.Sleep(2 * time.Hour)
		want, err := sibling.Token()
		require.NoError(t, err)
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, want.AccessToken, tok.AccessToken)
	})
}

func TestThereIsOneSourceForEachKeyHoweverOftenItIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		accounts := l.accounts(fleetStore(t, l))
		src := accounts.Source("account")
		for range 10 {
			assert.Same(t, src, accounts.Source("account"))
			assert.Same(t, src, accounts.Client("account").Transport.(*pinterest.Transport).Source)
			assert.NotSame(t, src, accounts.Source("another"))
			time.Sleep(time.Hour)
			runtime.GC()
		}
		first, second := accounts.Client("account"), accounts.Client("account")
		first.Timeout = time.Second
		assert.Zero(t, second.Timeout, "each client is the caller's own")
	})
}

func TestASourceThatNobodyHoldsIsForgottenSomeMinutesAfterItWasLastAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		accounts := l.accounts(fleetStore(t, l))
		src := weak.Make(accounts.Source("account"))
		for range 10 { // asked for in time
			for range 4 {
				time.Sleep(time.Minute)
				accounts.Client("another")
			}
			runtime.GC()
			require.NotNil(t, src.Value())
			accounts.Client("account")
		}
		for range 3 { // nobody asks for it, while others are asked for
			time.Sleep(6 * time.Minute)
			accounts.Client("another")
		}
		runtime.GC()
		assert.Nil(t, src.Value())
		_, err := accounts.Source("account").Token()
		require.NoError(t, err, "and there is another when it is asked for")
	})
}

func TestASourceIsRememberedForFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accounts := &pinterest.Accounts{Store: pinterest.NewMemoryStore()}
		src := weak.Make(accounts.Source("account"))
		for range 10 {
			time.Sleep(30 * time.Second)
			accounts.Source("another")
		}
		runtime.GC()
		assert.NotNil(t, src.Value())
		runtime.KeepAlive(accounts)
	})
}

func TestASourceThatIsHeldIsNotForgotten(t *testing.T) {
	for name, hold := range map[string]func(*pinterest.Accounts) any{
		"the source":                func(a *pinterest.Accounts) any { return a.Source("account") },
		"a client":                  func(a *pinterest.Accounts) any { return a.Client("account") },
		"a client of oauth2's":      func(a *pinterest.Accounts) any { return oauth2.NewClient(context.Background(), a.Source("account")) },
		"a client's transport":      func(a *pinterest.Accounts) any { return a.Client("account").Transport },
		"a source of oauth2's over": func(a *pinterest.Accounts) any { return oauth2.ReuseTokenSource(nil, a.Source("account")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				accounts := l.accounts(fleetStore(t, l))
				held := hold(accounts)
				src := weak.Make(accounts.Source("account"))
				for range 4 {
					time.Sleep(6 * time.Minute)
					accounts.Source("another")
					runtime.GC()
				}
				require.NotNil(t, src.Value())
				assert.Same(t, src.Value(), accounts.Source("account"))
				runtime.KeepAlive(held)
			})
		})
	}
}

// A token that is renewed and not saved is nowhere else.
func TestASourceThatIsBusyIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s, down := newMoodyStore(), errors.New("the database is down")
		accounts := l.kept(t, s)
		s.failSave.Store(&down)
		_, err := accounts.Source("account").Refresh(t.Context())
		require.NoError(t, err)
		src := weak.Make(accounts.Source("account"))
		for range 3 {
			time.Sleep(6 * time.Minute)
			accounts.Source("another")
			runtime.GC()
		}
		require.NotNil(t, src.Value())
		s.failSave.Store(nil)
		time.Sleep(10 * time.Second)
		_, err = accounts.Source("account").Refresh(t.Context())
		require.NoError(t, err)
		assert.Zero(t, l.fake.Counts().Replays)
	})
}

func TestHoldBacksHoldForAClientPerRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := newMoodyStore()
		accounts := l.kept(t, s)
		l.fake.RevokeGrants()
		time.Sleep(31 * day)
		for range 50 * 60 {
			_, err := accounts.Client("account").Get(account)
			require.ErrorIs(t, err, pinterest.ErrReauthorize)
			time.Sleep(time.Second)
		}
		assert.Equal(t, 1, l.fake.Counts().Token)
	})
}

func TestForgetWaitsForARenewalThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Latency: 10 * time.Second})
		s := pinterest.NewMemoryStore()
		accounts := l.kept(t, s)
		time.Sleep(31 * day)
		late := make(chan error)
		go func() {
			_, err := accounts.Source("account").Token()
			late <- err
		}()
		time.Sleep(time.Second)
		require.NoError(t, accounts.Forget(t.Context(), "account"))
		_, err := accounts.Load(t.Context(), "account")
		require.ErrorIs(t, err, fs.ErrNotExist)
		<-late
		requests := l.fake.Counts().API
		for range 5 {
			_, err = accounts.Client("account").Get(account)
			require.ErrorIs(t, err, fs.ErrNotExist)
			time.Sleep(time.Minute)
		}
		assert.Equal(t, requests, l.fake.Counts().API)
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

func TestALoginDuringARenewalWaitsForItAndThenStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Latency: 10 * time.Second})
		s := pinterest.NewMemoryStore()
		accounts := l.kept(t, s)
		time.Sleep(31 * day)
		go func() { _, _ = accounts.Source("account").Token() }()
		time.Sleep(time.Second)
		fresh := l.fake.Login(pinterest.ScopeUserAccountsRead)
		require.NoError(t, accounts.Save(t.Context(), "account", fresh))
		for range 5 {
			tok, err := accounts.Source("account").Token()
			require.NoError(t, err)
			assert.Equal(t, fresh.AccessToken, tok.AccessToken)
			assert.Equal(t, fresh.RefreshToken, saved(t, s).RefreshToken)
			time.Sleep(time.Minute)
		}
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

// A look into the store that began before the login or logout, and whose answer
// comes after it.
func TestALookThatIsUnderWayDoesNotBringTheFormerTokenBack(t *testing.T) {
	for name, fresh := range map[string]*oauth2.Token{"login": {AccessToken: "pina_fresh", RefreshToken: "pinr.fresh"}, "logout": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
				accounts := l.kept(t, s)
				src := accounts.Source("account")
				_, err := src.Token()
				require.NoError(t, err)
				time.Sleep(time.Minute)
				s.slowLoad.Store(int64(10 * time.Second))
				require.NoError(t, save(t, s, "account", &oauth2.Token{AccessToken: "pina_former", RefreshToken: "pinr.former"}))
				_, err = src.Token() // looks in the background
				require.NoError(t, err)
				synctest.Wait()
				if fresh != nil {
					require.NoError(t, accounts.Save(t.Context(), "account", fresh))
				} else {
					require.NoError(t, accounts.Forget(t.Context(), "account"))
				}
				time.Sleep(11 * time.Second)
				tok, err := src.Token()
				if fresh == nil {
					require.ErrorIs(t, err, fs.ErrNotExist)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, fresh.AccessToken, tok.AccessToken)
			})
		})
	}
}

func TestTheStoreIsToldWhenATokenIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		dues := &dueStore{Store: pinterest.NewMemoryStore()}
		accounts := l.accounts(dues)
		require.NoError(t, accounts.Save(t.Context(), "account", l.tok))
		_, err := accounts.Source("account").Refresh(t.Context())
		require.NoError(t, err)
		require.NoError(t, accounts.Save(t.Context(), "unknown", &oauth2.Token{RefreshToken: "pinr.x"}))
		require.NoError(t, accounts.Save(t.Context(), "never", &oauth2.Token{AccessToken: "pinc_x", Expiry: time.Now()}))
		lapse, ok := pinterest.RefreshExpiry(l.tok)
		require.True(t, ok)
		later, ok := pinterest.RefreshExpiry(saved(t, dues))
		require.True(t, ok)
		require.Len(t, dues.seen, 4)
		assert.True(t, dues.seen[0].Equal(lapse))
		assert.True(t, dues.seen[1].Equal(later))
		assert.WithinDuration(t, time.Now(), dues.seen[2], time.Second)
		assert.True(t, dues.seen[3].IsZero())
	})
}

// A dueStore keeps when values were due.
type dueStore struct {
	pinterest.Store
	seen []time.Time
}

func (d *dueStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	return d.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		d.seen = append(d.seen, due)
		return value, due, err
	})
}

// After an Update it runs after, once.
type interruptedStore struct {
	pinterest.Store
	after func()
}

func (i *interruptedStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	err := i.Store.Update(ctx, key, f)
	if after := i.after; after != nil {
		i.after = nil
		after()
	}
	return err
}

func TestALoginAndALogoutAtOnceEndAsTheStoreHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := &interruptedStore{Store: pinterest.NewMemoryStore()}
		a := l.kept(t, s)
		src := a.Source("account")
		_, err := src.Token()
		require.NoError(t, err)
		s.after = func() { require.NoError(t, a.Forget(t.Context(), "account")) }
		require.NoError(t, a.Save(t.Context(), "account", l.fake.Login(pinterest.ScopeBoardsRead)))
		_, err = src.Token()
		assert.ErrorIs(t, err, pinterest.ErrReauthorize)
	})
}

func TestForgetOfNothingIsNoErrorAndTellsPinterestNothing(t *testing.T) {
	l := newLogin(t, new(pinteresttest.Handler))
	accounts := l.accounts(pinterest.NewMemoryStore())
	require.NoError(t, accounts.Forget(t.Context(), "account"))
	require.NoError(t, accounts.Save(t.Context(), "account", l.tok))
	require.NoError(t, accounts.Forget(t.Context(), "account"))
	require.NoError(t, accounts.Forget(t.Context(), "account"))
	assert.Zero(t, l.fake.Counts().Token+l.fake.Counts().Revoke)
}

func TestKeptClientCredentialsAreRenewedByTheirGrantWithTheirScopes(t *testing.T) {
	for kind, newClient := range users {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				l.conf.Scopes = []string{pinterest.ScopeUserAccountsRead, pinterest.ScopeAdsRead}
				tok, err := l.conf.ClientCredentials(l.ctx).Token()
				require.NoError(t, err)
				l.conf.Scopes = []string{pinterest.ScopeBoardsRead} // of the logins
				s := pinterest.NewMemoryStore()
				require.NoError(t, save(t, s, "account", tok))
				client := newClient(l.ctx, l.accounts(s))
				for range 100 {
					status, took := call(t, client)
					require.Equal(t, http.StatusOK, status)
					require.Zero(t, took)
					time.Sleep(day)
					synctest.Wait()
					renewed, errs := collect(l.accounts(s).KeepAlive(l.ctx, &pinterest.KeepAliveOptions{Within: 1000 * day}))
					require.Empty(t, errs)
					require.Empty(t, renewed, "a sweep has nothing to do for them")
				}
				counts := l.fake.Counts()
				assert.Equal(t, 4, counts.ClientCredentials)
				assert.Zero(t, counts.Refresh)
				assert.ElementsMatch(t, []string{pinterest.ScopeUserAccountsRead, pinterest.ScopeAdsRead}, pinterest.GrantedScopes(saved(t, s)))
			})
		})
	}
}

func TestAFirstRefreshThatFailsTakesNoGoodTokenAway(t *testing.T) {
	for name, fault := range map[string]pinteresttest.Fault{
		"server fault": {Status: 503}, "the user's verdict": {Status: 401, Code: 283}, "the operator's": {Status: 401, Code: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				src := l.accounts(fleetStore(t, l)).Source("account")
				for range 1000 {
					l.fake.Fail("/v5/oauth/token", fault)
				}
				_, err := src.Refresh(t.Context())
				require.Error(t, err)
				for range 29 {
					tok, err := src.Token()
					require.NoError(t, err)
					assert.Equal(t, l.tok.AccessToken, tok.AccessToken)
					time.Sleep(day)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestRefreshRenewsThoughSomebodysFirstCallIsJustReadingTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
		src := fleet(t, l, s, 1)[0]
		s.slowLoad.Store(int64(time.Second))
		first := make(chan *oauth2.Token)
		go func() {
			tok, _ := src.Token()
			first <- tok
		}()
		time.Sleep(500 * time.Millisecond)
		tok, err := src.Refresh(t.Context())
		require.NoError(t, err)
		assert.NotEqual(t, l.tok.AccessToken, tok.AccessToken)
		assert.Equal(t, 1, l.fake.Counts().Refresh)
		assert.Equal(t, l.tok.AccessToken, (<-first).AccessToken)
	})
}

// The lock takes nearly as long as a renewal may wait for it, and while the
// refusal is on its way a login comes in.
func TestALongLockMakesNoFalseErrReauthorize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		behind := &sideDoor{Store: fleetStore(t, l)}
		src := l.accounts(behind).Source("account")
		time.Sleep(31 * day)
		fresh := l.fake.Login(pinterest.ScopeUserAccountsRead)
		record, err := pinterest.MarshalToken(fresh)
		require.NoError(t, err)
		behind.afterRefusal = record
		go func() {
			_ = behind.Store.Update(context.Background(), "account", func(_ context.Context, old []byte) ([]byte, time.Time, error) {
				time.Sleep(2*time.Minute - 100*time.Millisecond)
				return old, time.Time{}, nil
			})
		}()
		synctest.Wait()
		l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 401, Code: 283, Latency: 20 * time.Second})
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, fresh.AccessToken, tok.AccessToken)
	})
}

// A lockLosingStore runs f with a context that is over, as a store does that has
// lost its lock.
type lockLosingStore struct{ pinterest.Store }

func (s lockLosingStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	return s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return f(ctx, old)
	})
}

func TestALockThatIsLostBeforeAnythingIsSentMayHoldTheNextTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		_, err := l.accounts(lockLosingStore{fleetStore(t, l)}).Source("account").Refresh(t.Context())
		require.EqualError(t, err, "pinterest: refresh: the time for the renewal was over, or the store's lock was lost, before anything was sent")
		var e *pinterest.Error
		require.ErrorAs(t, err, &e)
		assert.True(t, e.Temporary())
		assert.NotErrorIs(t, err, context.Canceled, "nobody cancelled")
		assert.Zero(t, l.fake.Counts().Token)
	})
}

// A held-back Refresh looks into the store just when saving is to be tried again.
func TestNoLookMakesASourceForgetToSave(t *testing.T) {
	for after := time.Duration(0); after < 2*time.Second; after += 20 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			l, s := newLogin(t, &pinteresttest.Handler{StrictRotation: true}), newMoodyStore()
			src := fleet(t, l, s, 1)[0]
			down := errors.New("the database is down")
			s.failSave.Store(&down)
			renewed, err := src.Refresh(t.Context())
			require.NoError(t, err)
			s.slowLoad.Store(int64(2 * time.Second))
			s.slow.Store(int64(10 * time.Millisecond))
			time.Sleep(after)
			_, _ = src.Refresh(t.Context())
			s.failSave.Store(nil)
			time.Sleep(5 * time.Second)
			require.Equal(t, renewed.RefreshToken, saved(t, s).RefreshToken, "%v", after)
		})
	}
}

// What a driver quotes in its error is the value it was to write.
func TestAStoresErrorIsToldWithoutTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		var log lockedBuffer
		l.conf.Logger = slog.New(slog.NewTextHandler(&log, nil))
		s := quotingStore{pinterest.NewMemoryStore()}
		accounts := l.accounts(s)
		said := accounts.Save(t.Context(), "account", l.tok).Error()
		assert.Contains(t, said, `pinterest: saving the token of key "account": `)
		assert.Contains(t, said, "failing row contains")
		require.NoError(t, save(t, s.Store, "account", l.tok))
		tok, err := accounts.Source("account").Refresh(t.Context())
		require.NoError(t, err)
		_, err = accounts.Source("account").Refresh(t.Context())
		require.ErrorContains(t, err, "failing row contains")
		said += fmt.Sprintf("%+v %#v", err, err) + log.String()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = accounts.Wait(ctx)
		require.ErrorContains(t, err, "failing row contains")
		said += fmt.Sprintf("%+v %#v", err, err)
		for _, secret := range []string{l.tok.AccessToken, l.tok.RefreshToken, tok.AccessToken, tok.RefreshToken} {
			for i := 0; i+12 <= len(secret); i += 12 {
				require.NotContains(t, said, secret[i:i+12])
			}
		}
	})
}

// A quotingStore saves nothing, and says what.
type quotingStore struct{ pinterest.Store }

func (q quotingStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	return q.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		value, due, err := f(ctx, old)
		if err == nil {
			err = fmt.Errorf("violates check constraint: failing row contains (%s, %s)", key, value)
		}
		return value, due, err
	})
}

func TestWhatAStoreSaysIsToldByTheKeyAndWithoutATokenThatItQuotes(t *testing.T) {
	down := errors.New("the row of pina_AAAA1111bbbb is locked")
	a := &pinterest.Accounts{Config: testConfig(), Store: keyless{down}}
	_, err := a.Source("account").Token()
	require.EqualError(t, err, `pinterest: refresh: the store failed at key "account": the row of [redacted] is locked`)
	_, err = a.Load(t.Context(), "account")
	for what, err := range map[string]error{
		"loading":    err,
		"saving":     a.Save(t.Context(), "account", expiredToken()),
		"forgetting": a.Forget(t.Context(), "account"),
	} {
		require.EqualError(t, err, "pinterest: "+what+` the token of key "account": the row of [redacted] is locked`)
		require.ErrorIs(t, err, down)
	}
}

// A failover to a replica that lagged behind, while the token is good.
func TestATokenThatTheStoreLostIsSavedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		l.conf.Logger = log.logger()
		src, s, failOver := beforeFailover(t, l)
		renewed, err := src.Refresh(t.Context())
		require.NoError(t, err)
		failOver()
		log.since()
		time.Sleep(time.Minute)
		_, err = src.Token() // looks
		require.NoError(t, err)
		require.NoError(t, src.Wait(t.Context()))
		assert.Equal(t, renewed.RefreshToken, saved(t, s).RefreshToken)
		assert.Equal(t, 1, l.fake.Counts().Refresh)
		const expiries = " expiry=2000-01-31T00:00:00.000Z refresh_expiry=2000-03-01T00:00:00.000Z"
		assert.Equal(t, []string{
			`level=ERROR msg="pinterest: token not saved" op=refresh key=account error="the store has lost it" mend=time took=0s retry_in=soon`,
			`level=INFO msg="pinterest: token saved" op=refresh key=account` + expiries,
		}, log.since())
	})
}

func TestARecordThatCannotBeReadIsLeftUntouchedByATokenThatIsNotSavedYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLogin(t, &pinteresttest.Handler{StrictRotation: true}), newMoodyStore()
		src := fleet(t, l, s, 1)[0]
		before, err := s.Load(t.Context(), "account")
		require.NoError(t, err)
		down := errors.New("the database is down")
		s.failSave.Store(&down)
		renewed, err := src.Refresh(t.Context())
		require.NoError(t, err)
		put(t, s.Store, "account", []byte("{"))
		s.failSave.Store(nil)
		time.Sleep(time.Minute)
		record, err := s.Load(t.Context(), "account")
		require.NoError(t, err)
		assert.Equal(t, "{", string(record))
		_, err = src.Refresh(t.Context())
		require.EqualError(t, err, `pinterest: refresh: no renewal is sent before the last one's token is saved: pinterest: refresh: the record under key "account": it is damaged: these 1 bytes are not a token's JSON`)

		put(t, s.Store, "account", before)
		require.NoError(t, src.Wait(t.Context()))
		assert.Equal(t, renewed.RefreshToken, saved(t, s).RefreshToken)
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

func TestARecordThatCannotBeReadAnyMoreHurtsNobodyWhileTheTokenIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
		l.conf.Logger = log.logger()
		src := fleet(t, l, s, 1)[0]
		_, err := src.Token()
		require.NoError(t, err)
		log.since()
		put(t, s, "account", []byte("{"))
		updates := s.updates.Load()
		for range 10 {
			tok, err := src.Token()
			require.NoError(t, err)
			assert.Equal(t, l.tok.AccessToken, tok.AccessToken)
			time.Sleep(time.Minute)
		}
		assert.Equal(t, updates, s.updates.Load(), "no lock is taken")
		assert.Empty(t, log.since(), "and nobody is told before it matters")
		for _, ask := range []func(context.Context) (*oauth2.Token, error){src.Refresh, src.TokenContext} {
			_, err = ask(t.Context())
			require.EqualError(t, err, `pinterest: refresh: the record under key "account": it is damaged: these 1 bytes are not a token's JSON`)
			record, err := s.Load(t.Context(), "account")
			require.NoError(t, err)
			assert.Equal(t, "{", string(record), "it is left as it is")
			time.Sleep(31 * day)
		}
		assert.Zero(t, l.fake.Counts().Token)
	})
}

// A hangingStore hangs where it is told to, for as long as its context lets it.
type hangingStore struct {
	*moodyStore
	load, lock atomic.Bool

	mu    sync.Mutex // guards what follows
	seen  []context.Context
	locks []time.Time
}

func (h *hangingStore) Load(ctx context.Context, key string) ([]byte, error) {
	h.saw(ctx)
	if h.load.Load() {
		<-ctx.Done()
	}
	return h.moodyStore.Load(ctx, key)
}

func (h *hangingStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	h.saw(ctx)
	h.mu.Lock()
	h.locks = append(h.locks, time.Now())
	h.mu.Unlock()
	if h.lock.Load() {
		<-ctx.Done()
	}
	return h.moodyStore.Update(ctx, key, f)
}

func (h *hangingStore) saw(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, ctx)
}

func TestEachStepOfARenewalHasATimeLimitOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLogin(t, new(pinteresttest.Handler)), &hangingStore{moodyStore: newMoodyStore()}
		var hang atomic.Bool
		l.conf.OnRefresh = func(ctx context.Context, _ *oauth2.Token) error {
			s.saw(ctx)
			if hang.Load() {
				<-ctx.Done()
			}
			return nil
		}
		src := l.kept(t, s).Source("account")
		s.mu.Lock()
		s.seen = nil // those of Save are the caller's
		s.mu.Unlock()
		took := func(do func(context.Context) (*oauth2.Token, error)) (time.Duration, error) {
			start := time.Now()
			_, err := do(t.Context())
			return time.Since(start), err
		}

		_, err := l.accounts(s).Source("account").Refresh(t.Context())
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, s.seen, 3)
		for _, ctx := range s.seen {
			assert.ErrorIs(t, ctx.Err(), context.Canceled, "no timer is left behind")
		}

		s.load.Store(true)
		hang.Store(true)
		d, err := took(src.TokenContext)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, d, "reading the store")
		time.Sleep(time.Minute)
		s.load.Store(false)
		s.lock.Store(true)
		_, err = src.Token()
		require.NoError(t, err)
		d, err = took(src.Refresh)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 2*time.Minute, d, "waiting for the lock, a sibling's renewal and ours")
		time.Sleep(time.Minute)
		s.lock.Store(false)
		hang.Store(false)
		_, err = src.Refresh(t.Context())
		require.NoError(t, err)
		hang.Store(true)
		d, err = took(src.Refresh)
		require.NoError(t, err)
		assert.Equal(t, 30*time.Second, d, "telling OnRefresh")
		hang.Store(false)

		down := errors.New("the database is down")
		s.failSave.Store(&down)
		_, err = src.Refresh(t.Context())
		require.NoError(t, err)
		s.failSave.Store(nil)
		s.lock.Store(true)
		s.mu.Lock()
		s.locks = nil
		s.mu.Unlock()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.Greater(t, len(s.locks), 5)
		for i := 1; i < len(s.locks); i++ {
			assert.InDelta(t, 30.6, s.locks[i].Sub(s.locks[i-1]).Seconds(), 0.7, "saving, and then a pause")
		}
		s.lock.Store(false)
		require.NoError(t, src.Wait(t.Context()))
		synctest.Wait()
		assert.ErrorIs(t, s.seen[len(s.seen)-1].Err(), context.Canceled)
	})
}

func TestALogoutThatARenewalFindsStandsThoughTheStoreCannotBeReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
		src := l.kept(t, s).Source("account")
		_, err := src.Token()
		require.NoError(t, err)
		require.NoError(t, s.Delete(t.Context(), "account"))
		down := errors.New("the database is down")
		s.failLoad.Store(&down)
		for _, ask := range []func(context.Context) (*oauth2.Token, error){src.Refresh, src.TokenContext} {
			_, err = ask(t.Context())
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
	})
}

func TestATokenThatTheStoreLostIsNotGivenUpForTheOldOneWhenPinterestFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		src, _, failOver := beforeFailover(t, l)
		_, err := src.Refresh(t.Context())
		require.NoError(t, err)
		failOver()
		time.Sleep(31 * day)
		unavailable := pinteresttest.Fault{Status: http.StatusServiceUnavailable}
		l.fake.Fail("/v5/oauth/token", unavailable, unavailable, unavailable, unavailable)
		_, err = src.Token()
		require.Error(t, err)
		time.Sleep(time.Hour)
		_, err = src.Token()
		require.NoError(t, err)
		assert.Zero(t, l.fake.Counts().Replays)
	})
}

func TestATokenThatWasWaitedForIsValidForTheCachesOfOAuth2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLogin(t, new(pinteresttest.Handler)), newMoodyStore()
		require.NoError(t, save(t, s, "account", l.tok))
		s.slowLoad.Store(int64(2 * time.Second))
		tok, err := l.accounts(s).Source("account").Token()
		require.NoError(t, err)
		assert.True(t, tok.Valid(), "after a slow store")
		time.Sleep(31 * day)
		l.fake.Latency = 2 * time.Second
		tok, err = l.accounts(s).Source("account").Token()
		require.NoError(t, err)
		assert.True(t, tok.Valid(), "after a renewal")
	})
}

// A lateStore's answer to an Update may be late, after the lock is let go.
type lateStore struct {
	*moodyStore
	late chan time.Duration
}

func (s *lateStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, time.Time, error)) error {
	err := s.moodyStore.Update(ctx, key, f)
	select {
	case d := <-s.late:
		time.Sleep(d)
	default:
	}
	return err
}

func TestARenewalOfWhatIsJustBeingSavedIsNotDropped(t *testing.T) {
	for _, latency := range []time.Duration{10 * time.Millisecond, 200 * time.Millisecond} {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprint(latency, ", failing ", fails), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, AccessLife: time.Hour, Latency: latency})
					s := &lateStore{newMoodyStore(), make(chan time.Duration, 1)}
					a := l.kept(t, s)
					src := a.Source("account")
					_, err := src.TokenContext(t.Context())
					require.NoError(t, err)
					time.Sleep(time.Hour) // expired
					imported := &oauth2.Token{RefreshToken: l.fake.Login().RefreshToken}
					s.late <- 100 * time.Millisecond
					go func() {
						time.Sleep(time.Millisecond) // it is in the store, and its answer on its way
						if fails {
							down := errors.New("down")
							s.failSave.Store(&down)
						}
						_, err := src.TokenContext(t.Context())
						assert.NoError(t, err)
					}()
					require.NoError(t, a.Save(t.Context(), "account", imported))
					time.Sleep(400 * time.Millisecond)
					s.failSave.Store(nil)
					time.Sleep(5 * time.Second)
					_, err = src.TokenContext(t.Context())
					assert.NoError(t, err)
					assert.Zero(t, l.fake.Counts().Replays)
				})
			})
		}
	}
}

func TestARefreshOfWhatIsJustBeingSavedIsNotDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, OldAccessDies: true, AccessLife: time.Hour})
		s := &lateStore{newMoodyStore(), make(chan time.Duration, 1)}
		a := l.kept(t, s)
		src := a.Source("account")
		_, err := src.TokenContext(t.Context())
		require.NoError(t, err)
		s.late <- 100 * time.Millisecond
		go func() {
			time.Sleep(time.Millisecond)
			_, err := src.Refresh(t.Context()) // adopts the login and renews that
			assert.NoError(t, err)
		}()
		require.NoError(t, a.Save(t.Context(), "account", l.fake.Login()))
		client := a.Client("account")
		for range 50 {
			resp, err := client.Get("https://api.pinterest.com/v5/user_account")
			require.NoError(t, err)
			resp.Body.Close()
			time.Sleep(time.Second)
		}
		kept, err := src.TokenContext(t.Context())
		require.NoError(t, err)
		assert.Equal(t, saved(t, s).AccessToken, kept.AccessToken, "the source goes on with a token older than the store's")
		c := l.fake.Counts()
		assert.Zero(t, c.Unauthorized)
		assert.Zero(t, c.Replays)
	})
}

func TestALoginBesideAnotherTakesNoGoodTokenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{})
		s := newMoodyStore()
		a := l.kept(t, s)
		client := a.Client("account")
		call(t, client)
		s.slow.Store(int64(100 * time.Millisecond))
		var wg sync.WaitGroup
		wg.Go(func() {
			time.Sleep(10 * time.Millisecond)
			assert.NoError(t, a.Save(t.Context(), "account", l.fake.Login()))
		})
		wg.Go(func() { assert.NoError(t, a.Save(t.Context(), "bob", l.fake.Login())) })
		wg.Wait()
		down := errors.New("the store is down")
		s.failLoad.Store(&down)
		s.slowLoad.Store(int64(5 * time.Second))
		start := time.Now()
		_, err := client.Get("https://api.pinterest.com/v5/user_account")
		assert.NoError(t, err, "a token that was just saved here is good, and a request fails")
		assert.Zero(t, time.Since(start), "and waits")
	})
}
