package pinterest_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
	failSave       atomic.Pointer[error] // after f has run, before anything is kept
	failLock       atomic.Pointer[error] // before f runs
	loseAnswer     atomic.Pointer[error] // after the value is kept
	slow           atomic.Int64          // how long an Update waits for its lock, in nanoseconds
}

func newMoodyStore() *moodyStore { return &moodyStore{Store: pinterest.NewMemoryStore()} }

func (m *moodyStore) Load(ctx context.Context, key string) ([]byte, error) {
	m.loads.Add(1)
	if err := m.failLoad.Load(); err != nil {
		return nil, *err
	}
	return m.Store.Load(ctx, key)
}

func (m *moodyStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, error)) error {
	m.updates.Add(1)
	time.Sleep(time.Duration(m.slow.Load()))
	if err := m.failLock.Load(); err != nil {
		return *err
	}
	err := m.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
		value, err := f(ctx, old)
		if e := m.failSave.Load(); err == nil && e != nil {
			return nil, *e
		}
		return value, err
	})
	if e := m.loseAnswer.Load(); err == nil && e != nil {
		return *e
	}
	return err
}

// fleet returns n sources of one account, as n processes would have them.
func fleet(t *testing.T, l *login, s pinterest.Store, n int) []*pinterest.TokenSource {
	t.Helper()
	require.NoError(t, pinterest.SaveToken(l.ctx, s, "account", l.tok))
	sources := make([]*pinterest.TokenSource, n)
	for i := range sources {
		conf := *l.conf
		sources[i] = conf.StoredTokenSource(l.ctx, s, "account")
	}
	return sources
}

func kept(t *testing.T, s pinterest.Store) *oauth2.Token {
	t.Helper()
	tok, err := pinterest.LoadToken(t.Context(), s, "account")
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

func TestWhileTheTokenIsFreshTheStoreIsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := newMoodyStore()
		src := fleet(t, l, s, 1)[0]
		updates := s.updates.Load()
		assert.Zero(t, s.loads.Load(), "not before a token is asked for")
		for range 26 {
			_, err := src.Token()
			require.NoError(t, err)
			time.Sleep(day)
		}
		assert.Equal(t, int32(1), s.loads.Load())
		assert.Equal(t, updates, s.updates.Load(), "and no lock is taken")
	})
}

func TestAKeyThatHoldsNothingSaysHowToLogIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		src := l.conf.StoredTokenSource(l.ctx, s, "account")
		_, err := src.Token()
		require.EqualError(t, err, `pinterest: refresh: no token is kept under key "account": send the user to Config.AuthCodeURL and keep the token of Config.Exchange by SaveToken`)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorIs(t, err, pinterest.ErrReauthorize)
		_, err = pinterest.LoadToken(t.Context(), s, "account")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorIs(t, err, pinterest.ErrReauthorize)

		require.NoError(t, pinterest.SaveToken(t.Context(), s, "account", l.tok))
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
		for range 50 {
			_, err := src.Token()
			require.ErrorIs(t, err, pinterest.ErrReauthorize)
			time.Sleep(time.Minute)
		}
		assert.Equal(t, 1, l.fake.Counts().Token, "the verdict is remembered while the store does not change")
		assert.Equal(t, l.tok.RefreshToken, kept(t, s).RefreshToken, "and nothing is thrown away")

		fresh := l.fake.Login(pinterest.ScopeUserAccountsRead)
		require.NoError(t, pinterest.SaveToken(t.Context(), s, "account", fresh))
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, fresh.AccessToken, tok.AccessToken)

		// A login whose access token has expired by the time it is found.
		l.fake.RevokeGrants()
		time.Sleep(31 * day)
		_, err = src.Token()
		require.ErrorIs(t, err, pinterest.ErrReauthorize)
		late := l.fake.Login(pinterest.ScopeUserAccountsRead)
		require.NoError(t, pinterest.SaveToken(t.Context(), s, "account", late))
		time.Sleep(31 * day)
		tok, err = src.Token()
		require.NoError(t, err)
		assert.Equal(t, kept(t, s).AccessToken, tok.AccessToken)
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
		src := l.conf.StoredTokenSource(l.ctx, behind, "account")
		l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 401, Code: 283})
		behind.afterRefusal = record
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, fresh.AccessToken, tok.AccessToken)
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

// A sideDoor is a store whose lock somebody got around.
type sideDoor struct {
	pinterest.Store
	afterRefusal []byte
}

func (d *sideDoor) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, error)) error {
	err := d.Store.Update(ctx, key, f)
	if errors.Is(err, pinterest.ErrReauthorize) {
		_ = d.Store.Update(ctx, key, func(context.Context, []byte) ([]byte, error) { return d.afterRefusal, nil })
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
		lost bool // the value was kept, and nobody heard of it
	}{
		"nothing was kept":               {func(m *moodyStore) *atomic.Pointer[error] { return &m.failSave }, false},
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
					assert.Equal(t, l.tok.RefreshToken, kept(t, s).RefreshToken)
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
					assert.Equal(t, tok.RefreshToken, kept(t, s).RefreshToken, "saved though nobody asked")
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
		sibling, err := l.conf.StoredTokenSource(l.ctx, theirs, "account").Token()
		require.NoError(t, err)
		ours.failSave.Store(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, sibling.AccessToken, tok.AccessToken)
		assert.Equal(t, sibling.RefreshToken, kept(t, theirs).RefreshToken)
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
		_, err = l.conf.StoredTokenSource(l.ctx, theirs, "account").Token()
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
		time.Sleep(time.Hour)
		synctest.Wait()
		_, err = pinterest.LoadToken(t.Context(), s, "account")
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
				require.NoError(t, s.Update(t.Context(), "account", func(context.Context, []byte) ([]byte, error) { return []byte(record), nil }))
				w := answering(200, goodAnswer)
				src := testConfig().StoredTokenSource(w.context(t.Context()), s, "account")
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
		require.NoError(t, s.Update(t.Context(), "account", func(context.Context, []byte) ([]byte, error) {
			return []byte(jsonOf(t, l.tok)), nil
		}))
		src := l.conf.StoredTokenSource(l.ctx, s, "account")
		_, err := src.Token()
		require.NoError(t, err)
		time.Sleep(31 * day)
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, kept(t, s).AccessToken, tok.AccessToken)
		_, ok := pinterest.RefreshExpiry(kept(t, s))
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
		require.NoError(t, pinterest.SaveToken(t.Context(), s, "account", tok))
		assert.True(t, kept(t, s).Expiry.Equal(l.tok.Expiry))
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
		assert.Equal(t, kept(t, s).RefreshToken, tok.RefreshToken)
	})
}

func TestOnRefreshIsToldOnceTheStoreHasTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s := pinterest.NewMemoryStore()
		var told atomic.Int32
		l.conf.OnRefresh = func(_ context.Context, tok *oauth2.Token) error {
			assert.Equal(t, kept(t, s).RefreshToken, tok.RefreshToken)
			if told.Add(1) == 1 {
				return errors.New("not now")
			}
			return nil
		}
		sources := fleet(t, l, s, 2)
		_, err := sources[0].Refresh(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, int32(2), told.Load())
		_, err = sources[1].Token()
		require.NoError(t, err)
		assert.Equal(t, int32(2), told.Load(), "who adopts a token did not renew it")
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

func TestAStoredSourceRefusesBadInput(t *testing.T) {
	w := answering(200, goodAnswer)
	ctx := w.context(t.Context())
	_, err := testConfig().StoredTokenSource(ctx, nil, "account").Token()
	require.EqualError(t, err, "pinterest: refresh: the Store is nil: make one, such as NewMemoryStore()")
	_, err = testConfig().StoredTokenSource(ctx, pinterest.NewMemoryStore(), "").Token()
	require.EqualError(t, err, "pinterest: refresh: the key is empty: name the account that the token belongs to")
	require.EqualError(t, pinterest.SaveToken(ctx, nil, "account", expiredToken()), "pinterest: the Store is nil: make one, such as NewMemoryStore()")
	require.EqualError(t, pinterest.SaveToken(ctx, pinterest.NewMemoryStore(), "", expiredToken()), "pinterest: the key is empty: name the account that the token belongs to")
	require.ErrorContains(t, pinterest.SaveToken(ctx, pinterest.NewMemoryStore(), "account", nil), "nothing to marshal")
	_, err = pinterest.LoadToken(ctx, nil, "account")
	require.Error(t, err)
	assert.Empty(t, w.requests())
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
		require.NoError(t, pinterest.SaveToken(t.Context(), s, "account", l.fake.Login()))
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
			_ = s.Update(context.Background(), "account", func(_ context.Context, old []byte) ([]byte, error) {
				time.Sleep(2*time.Minute - 100*time.Millisecond)
				return old, nil
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
		require.NoError(t, pinterest.SaveToken(t.Context(), s, "account", &oauth2.Token{RefreshToken: l.tok.RefreshToken}))
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
		require.NoError(t, pinterest.SaveToken(t.Context(), s.Store, "account", &oauth2.Token{RefreshToken: fresh.RefreshToken}))
		s.failSave.Store(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		start := time.Now()
		tok, err := src.TokenContext(t.Context())
		require.NoError(t, err)
		assert.Equal(t, renewed.AccessToken, tok.AccessToken)
		assert.Zero(t, time.Since(start), "it is good for thirty days")
		assert.Equal(t, fresh.RefreshToken, kept(t, s).RefreshToken)
		tok, err = src.Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, kept(t, s).AccessToken, tok.AccessToken)
	})
}

// A failover to a replica that lagged behind brings an old token back.
func TestATokenThatTheStoreLostIsRenewedFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		s := pinterest.NewMemoryStore()
		src := fleet(t, l, s, 1)[0]
		before, err := s.Load(t.Context(), "account")
		require.NoError(t, err)
		time.Sleep(31 * day)
		_, err = src.Token()
		require.NoError(t, err)
		require.NoError(t, s.Update(t.Context(), "account", func(context.Context, []byte) ([]byte, error) { return before, nil }))
		time.Sleep(31 * day)
		tok, err := src.TokenContext(t.Context())
		require.NoError(t, err)
		assert.Zero(t, l.fake.Counts().Replays)
		assert.Equal(t, tok.RefreshToken, kept(t, s).RefreshToken)
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
		s.slow.Store(int64(time.Second))
		go bad() // only looks into the store
		synctest.Wait()
		tok, err := src.Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, kept(t, s).AccessToken, tok.AccessToken)
		assert.Equal(t, 2, l.fake.Counts().Refresh)
	})
}

func TestAFailureOfTheStoreIsNoVerdictAndCanPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		l.conf.OnRefresh = func(context.Context, *oauth2.Token) error {
			_, err := pinterest.LoadToken(t.Context(), pinterest.NewMemoryStore(), "account") // says ErrReauthorize
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
		_, err = l.conf.StoredTokenSource(l.ctx, s, "account").Token()
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
			require.Equal(t, tok.AccessToken, kept(t, s).AccessToken)
		})
	}
}

func TestAStoreThatDoesNotKeepItsContractIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		_, err := l.conf.StoredTokenSource(l.ctx, oddStore{fleetStore(t, l), 0}, "account").Refresh(t.Context())
		require.EqualError(t, err, `pinterest: refresh: the store failed at key "account": its Update did not call f`)
		_, err = l.conf.StoredTokenSource(l.ctx, oddStore{fleetStore(t, l), 2}, "account").Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1, l.fake.Counts().Refresh, "f that is run twice renews once")
	})
}

func fleetStore(t *testing.T, l *login) pinterest.Store {
	s := pinterest.NewMemoryStore()
	fleet(t, l, s, 0)
	return s
}

// An oddStore runs f so many times.
type oddStore struct {
	pinterest.Store
	times int
}

func (o oddStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, error)) error {
	for range o.times {
		if err := o.Store.Update(ctx, key, f); err != nil {
			return err
		}
	}
	return nil
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
				require.NoError(t, pinterest.SaveToken(t.Context(), s, "account", l.fake.Login(pinterest.ScopeUserAccountsRead)))
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

// However old a token that SaveToken keeps looks, it is a new login.
func TestANewLoginIsNeverTakenForAnOldToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		s := pinterest.NewMemoryStore()
		login := l.fake.Login(pinterest.ScopeUserAccountsRead)
		time.Sleep(20 * day)
		l.tok = l.fake.Login(pinterest.ScopeUserAccountsRead)
		src := fleet(t, l, s, 1)[0]
		_, err := src.Refresh(t.Context())
		require.NoError(t, err)
		require.NoError(t, pinterest.SaveToken(t.Context(), s, "account", login)) // of twenty days ago
		tok, err := src.Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, login.AccessToken, tok.AccessToken)
		assert.Equal(t, login.RefreshToken, kept(t, s).RefreshToken)
	})
}

func TestAStoreThatPanicsLosesNoToken(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("the driver") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
				s := &leavingStore{Store: fleetStore(t, l), leave: leave}
				src := l.conf.StoredTokenSource(l.ctx, s, "account")
				_, _ = src.Refresh(t.Context())
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				tok, err := src.Refresh(t.Context())
				require.NoError(t, err)
				assert.Equal(t, kept(t, s).RefreshToken, tok.RefreshToken)
				assert.Zero(t, l.fake.Counts().Replays)
			})
		})
	}
}

// A leavingStore leaves the first Update once f has returned.
type leavingStore struct {
	pinterest.Store
	leave func()
	left  bool
}

func (s *leavingStore) Update(ctx context.Context, key string, f func(context.Context, []byte) ([]byte, error)) error {
	return s.Store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
		value, err := f(ctx, old)
		if !s.left {
			s.left = true
			s.leave()
		}
		return value, err
	})
}

func TestAnOnRefreshThatFailsKeepsNobodyFromASiblingsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, AccessLife: time.Hour})
		s := pinterest.NewMemoryStore()
		sibling := fleet(t, l, s, 1)[0]
		conf := *l.conf
		conf.OnRefresh = func(context.Context, *oauth2.Token) error { return errors.New("not now") }
		src := conf.StoredTokenSource(l.ctx, s, "account")
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
