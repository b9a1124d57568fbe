package pinterest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

const day = 24 * time.Hour

// A login is an app with one user at a fake Pinterest that has no socket, so
// that time can be a synctest bubble's.
type login struct {
	fake *pinteresttest.Handler
	conf *pinterest.Config
	ctx  context.Context
	tok  *oauth2.Token
}

func newLogin(t *testing.T, fake *pinteresttest.Handler) *login {
	t.Helper()
	return &login{
		fake: fake,
		conf: &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret,
			RedirectURL: "http://localhost:8085/", Scopes: []string{pinterest.ScopeBoardsRead}},
		ctx: context.WithValue(t.Context(), oauth2.HTTPClient, fake.Client()),
		tok: fake.Login(pinterest.ScopeBoardsRead, pinterest.ScopeUserAccountsRead),
	}
}

// call asks the API something by the client and returns the status and how
// long it took.
func call(t *testing.T, client *http.Client) (int, time.Duration) {
	t.Helper()
	start := time.Now()
	resp, err := client.Get("https://api.pinterest.com/v5/user_account")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, time.Since(start)
}

// clients are the two ways to use a source.
var clients = map[string]func(context.Context, *pinterest.TokenSource) *http.Client{
	"oauth2.NewClient":    func(ctx context.Context, s *pinterest.TokenSource) *http.Client { return oauth2.NewClient(ctx, s) },
	"pinterest.NewClient": pinterest.NewClient,
}

// hearers are those who keep a renewed token, so that it may be renewed ahead of
// its expiry.
var hearers = map[string]func(t *testing.T, l *login) *pinterest.TokenSource{
	"Accounts": func(t *testing.T, l *login) *pinterest.TokenSource {
		return fleet(t, l, pinterest.NewMemoryStore(), 1)[0]
	},
	"OnRefresh": func(_ *testing.T, l *login) *pinterest.TokenSource {
		l.conf.OnRefresh = func(context.Context, *oauth2.Token) error { return nil }
		return l.conf.TokenSource(l.ctx, l.tok)
	},
}

func TestWhileTheTokenIsGoodNoRequestWaits(t *testing.T) {
	lives := map[string]struct{ life, step, total time.Duration }{
		"thirty days": {30 * day, 6 * time.Hour, 400 * day},
		"an hour":     {time.Hour, time.Minute, 24 * time.Hour},
		"ten seconds": {10 * time.Second, 100 * time.Millisecond, 10 * time.Minute},
		"two seconds": {2 * time.Second, 20 * time.Millisecond, time.Minute},
	}
	for kind, newClient := range clients {
		for hearer, newSource := range hearers {
			for name, c := range lives {
				t.Run(kind+" with tokens of "+name+" kept by "+hearer, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLogin(t, &pinteresttest.Handler{AccessLife: c.life, StrictRotation: true})
						client := newClient(l.ctx, newSource(t, l))
						// The token endpoint alone is slow: it takes half of the refresh-ahead window.
						for range 1000 {
							l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Latency: min(c.life/20, 20*time.Second)})
						}
						for passed := time.Duration(0); passed < c.total; passed += c.step {
							status, took := call(t, client)
							require.Equal(t, http.StatusOK, status)
							require.Zero(t, took)
							time.Sleep(c.step)
						}
						synctest.Wait()
						counts := l.fake.Counts()
						assert.Zero(t, counts.Unauthorized)
						assert.Zero(t, counts.Replays)
						atLeast, atMost := int(c.total/c.life)-1, int(c.total/(c.life*85/100))
						assert.GreaterOrEqual(t, counts.Refresh, atLeast)
						assert.LessOrEqual(t, counts.Refresh, atMost)
					})
				})
			}
		}
	}
}

// Whoever saves what Token returned, in a wrapper of their own, must be handed
// each token that replaced another.
func TestNothingIsRenewedThatNobodyHearsOf(t *testing.T) {
	for kind, newClient := range map[string]func(context.Context, oauth2.TokenSource) *http.Client{
		"oauth2.NewClient": oauth2.NewClient,
		"a Transport of oauth2's": func(_ context.Context, src oauth2.TokenSource) *http.Client {
			return &http.Client{Transport: &oauth2.Transport{Source: src, Base: src.(*saving).base}}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
				file := jsonOf(t, l.tok)
				for range 20 { // runs of a program, each of some days
					var loaded oauth2.Token
					require.NoError(t, json.Unmarshal([]byte(file), &loaded))
					src := &saving{src: l.conf.TokenSource(l.ctx, &loaded), base: l.fake.Client().Transport, save: func(tok *oauth2.Token) { file = jsonOf(t, tok) }}
					client := newClient(l.ctx, src)
					for range 12 {
						status, _ := call(t, client)
						require.Equal(t, http.StatusOK, status)
						time.Sleep(day)
					}
				}
				counts := l.fake.Counts()
				assert.Equal(t, 240/30-1, counts.Refresh, "each only once it has expired")
				assert.Zero(t, counts.Replays)
			})
		})
	}
}

// A saving source saves each token that it sees for the first time, as programs
// over x/oauth2 do.
type saving struct {
	src  oauth2.TokenSource
	base http.RoundTripper
	save func(*oauth2.Token)
	last string
}

func (s *saving) Token() (*oauth2.Token, error) {
	tok, err := s.src.Token()
	if err == nil && tok.AccessToken != s.last {
		s.last = tok.AccessToken
		s.save(tok)
	}
	return tok, err
}

func TestRefreshAhead(t *testing.T) {
	nobody := func(_ *testing.T, l *login) *pinterest.TokenSource { return l.conf.TokenSource(l.ctx, l.tok) }
	app := func(_ *testing.T, l *login) *pinterest.TokenSource { return l.conf.ClientCredentials(l.ctx) }
	for name, c := range map[string]struct {
		ahead    time.Duration
		source   func(*testing.T, *login) *pinterest.TokenSource
		renewsAt time.Duration
	}{
		"zero is a tenth of the life of a token that Accounts keep":  {0, hearers["Accounts"], 54 * time.Minute},
		"zero is a tenth of the life of a token that is told of":     {0, hearers["OnRefresh"], 54 * time.Minute},
		"zero is only once expired for one that nobody hears of":     {0, nobody, time.Hour - 10*time.Second},
		"zero is a tenth of the life where no refresh token is lost": {0, app, 54 * time.Minute},
		"a duration is that long before the expiry":                  {20 * time.Minute, hearers["Accounts"], 40 * time.Minute},
		"a duration is meant, also of a token that nobody hears of":  {20 * time.Minute, nobody, 40 * time.Minute},
		"more than half counts as half":                              {59 * time.Minute, nobody, 30 * time.Minute},
		"negative is only once expired":                              {-1, nobody, time.Hour - 10*time.Second},
		"negative is only once expired, also where Accounts keep it": {-1, hearers["Accounts"], time.Hour - 10*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, &pinteresttest.Handler{AccessLife: time.Hour})
				l.conf.RefreshAhead = c.ahead
				src := c.source(t, l)
				ask := func() {
					_, err := src.Token()
					require.NoError(t, err)
					synctest.Wait()
				}
				ask()
				before := l.fake.Counts().Token
				time.Sleep(c.renewsAt - time.Millisecond)
				ask()
				assert.Equal(t, before, l.fake.Counts().Token, "a moment before")
				time.Sleep(time.Millisecond)
				ask()
				assert.Equal(t, before+1, l.fake.Counts().Token)
				ask()
				assert.Equal(t, before+1, l.fake.Counts().Token, "the new token is fresh")
			})
		})
	}
}

func TestOnlyTheCachesOfOAuth2SeeAnEarlierExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		var told []*oauth2.Token
		l.conf.OnRefresh = func(_ context.Context, tok *oauth2.Token) error {
			told = append(told, tok)
			return nil
		}
		src := l.conf.TokenSource(l.ctx, l.tok)
		time.Sleep(40 * day)
		truth := time.Now().Add(30 * day)

		handed, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, truth.Add(-3*day+10*time.Second).Unix(), handed.Expiry.Unix(), "asked again when a tenth of the life is left")
		assert.True(t, handed.Valid())

		exact, err := src.TokenContext(t.Context())
		require.NoError(t, err)
		require.Len(t, told, 1)
		data, err := pinterest.MarshalToken(handed)
		require.NoError(t, err)
		kept, err := pinterest.UnmarshalToken(data)
		require.NoError(t, err)
		for name, tok := range map[string]*oauth2.Token{"TokenContext": exact, "OnRefresh": told[0], "MarshalToken": kept} {
			assert.Equal(t, truth.Unix(), tok.Expiry.Unix(), name)
		}

		// A source that begins with the handed token knows the truth, too.
		again, err := l.conf.TokenSource(l.ctx, handed).TokenContext(t.Context())
		require.NoError(t, err)
		assert.Equal(t, truth.Unix(), again.Expiry.Unix())

		// An expiry that the caller set is the caller's.
		handed.Expiry = time.Now().Add(-time.Minute)
		data, err = pinterest.MarshalToken(handed)
		require.NoError(t, err)
		kept, err = pinterest.UnmarshalToken(data)
		require.NoError(t, err)
		assert.True(t, kept.Expiry.Equal(handed.Expiry))
	})
}

func TestWhatATokenOfNoExtraFieldsHandsOutIsMarshalledWithTheTrueExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := testConfig()
		conf.OnRefresh = func(context.Context, *oauth2.Token) error { return nil }
		handed, err := conf.TokenSource(t.Context(), &oauth2.Token{AccessToken: "pina_x", RefreshToken: "pinr.x", Expiry: time.Now().Add(30 * day)}).Token()
		require.NoError(t, err)
		require.True(t, handed.Expiry.Before(time.Now().Add(28*day)))
		data, err := pinterest.MarshalToken(handed)
		require.NoError(t, err)
		assert.Equal(t, `{"version":1,"access_token":"pina_x","refresh_token":"pinr.x","expiry":"2000-01-31T00:00:00Z"}`, string(data))
	})
}

func TestAStaleTokenIsHandedOutWithAnExpiryNeverLaterThanTheTrueOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		l.fake.RevokeGrants() // it cannot be renewed
		src := l.conf.TokenSource(l.ctx, l.tok)
		time.Sleep(27*day + time.Hour)
		for range 20 {
			tok, err := src.Token()
			require.NoError(t, err)
			assert.Equal(t, l.tok.AccessToken, tok.AccessToken)
			assert.False(t, tok.Expiry.After(l.tok.Expiry))
			assert.True(t, tok.Valid())
			time.Sleep(3 * time.Hour)
		}
	})
}

func TestAThousandWaitersShareOneRenewal(t *testing.T) {
	for name, c := range map[string]struct {
		break_ func(*pinteresttest.Handler)
		want   error
	}{
		"success": {func(*pinteresttest.Handler) {}, nil},
		"failure": {func(h *pinteresttest.Handler) { h.RevokeGrants() }, pinterest.ErrReauthorize},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, &pinteresttest.Handler{Latency: time.Second, StrictRotation: true})
				c.break_(l.fake)
				src := l.conf.TokenSource(l.ctx, l.tok)
				time.Sleep(31 * day)
				tokens := make([]*oauth2.Token, 1000)
				errs := make([]error, 1000)
				var wg sync.WaitGroup
				for i := range tokens {
					wg.Go(func() { tokens[i], errs[i] = src.Token() })
				}
				wg.Wait()
				for i := range tokens {
					require.ErrorIs(t, errs[i], c.want)
					if c.want == nil {
						require.Equal(t, tokens[0].AccessToken, tokens[i].AccessToken)
						require.NotSame(t, tokens[0], tokens[max(i, 1)], "x/oauth2 writes to what it is given")
					}
				}
				assert.Equal(t, 1, l.fake.Counts().Token)
			})
		})
	}
}

func TestEachWaiterLeavesByItsOwnContextAndTheRenewalGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Latency: 10 * time.Second, StrictRotation: true})
		src := l.conf.TokenSource(l.ctx, l.tok)
		time.Sleep(31 * day)

		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := src.TokenContext(hasty) // starts the renewal
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualError(t, err, "pinterest: refresh: stopped waiting for the token's renewal: context deadline exceeded")
		assert.Equal(t, time.Second, time.Since(start))

		tok, err := src.TokenContext(t.Context())
		require.NoError(t, err)
		assert.NotEqual(t, l.tok.AccessToken, tok.AccessToken)
		assert.Equal(t, 10*time.Second, time.Since(start), "the same renewal")
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

func TestACancelledCallerStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		ctx, cancel := context.WithCancel(l.ctx)
		src := l.conf.TokenSource(ctx, l.tok)
		cancel()
		_, err := src.Token()
		require.NoError(t, err, "a good token needs no context")
		time.Sleep(31 * day)
		_, err = src.Token()
		require.ErrorIs(t, err, context.Canceled)
		assert.Zero(t, l.fake.Counts().Token)

		_, err = src.TokenContext(t.Context())
		require.NoError(t, err, "the source's context is no renewal's")
	})
}

func TestARenewalHasADeadlineOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		start := time.Now()
		_, err := testConfig().TokenSource(w.context(t.Context()), expiredToken()).Token()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.InDelta(t, time.Minute, time.Since(start), float64(time.Second))
		assert.Len(t, w.requests(), 2, "a try that hangs is given up in time for another")
	})
}

func TestARenewalRidesOutWhatPasses(t *testing.T) {
	for name, faults := range map[string][]pinteresttest.Fault{
		"no answer":                   {{Lose: true}, {Lose: true}, {Lose: true}},
		"an answer lost on the way":   {{After: true, Lose: true}},
		"rate limit with Retry-After": {{Status: 429, RetryAfter: "7"}},
		"rate limit with a reset":     {{Status: 429, RateLimitReset: "9"}},
		"rate limit without either":   {{Status: 429}, {Status: 429}},
		"server faults":               {{Status: 500}, {Status: 503, Body: "<html>try later</html>"}, {Status: 502, EmptyBody: true}},
		"code 12 as a 400":            {{Status: 400, Code: 12}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				l.fake.Fail("/v5/oauth/token", faults...)
				src := l.conf.TokenSource(l.ctx, l.tok)
				time.Sleep(31 * day)
				start := time.Now()
				_, err := src.Token()
				require.NoError(t, err)
				assert.Equal(t, len(faults)+1, l.fake.Counts().Refresh)
				switch {
				case faults[0].RetryAfter == "7":
					assert.Equal(t, 7*time.Second, time.Since(start))
				case faults[0].RateLimitReset == "9":
					assert.Equal(t, 9*time.Second, time.Since(start))
				default: // a quarter of a second, and double each time
					pauses := 0.25 * (math.Pow(2, float64(len(faults))) - 1)
					assert.InDelta(t, pauses, time.Since(start).Seconds(), pauses/4)
				}
			})
		})
	}
	t.Run("client credentials too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLogin(t, new(pinteresttest.Handler))
			l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 503}, pinteresttest.Fault{Lose: true})
			_, err := l.conf.ClientCredentials(l.ctx).Token()
			require.NoError(t, err)
			assert.Equal(t, 3, l.fake.Counts().ClientCredentials)
		})
	})
}

func TestAfterAFailureTheNextTryIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := answering(http.StatusNotFound, "not here")
		src := testConfig().TokenSource(w.context(t.Context()), expiredToken())
		var tries []time.Duration
		start := time.Now()
		for sent := 0; time.Since(start) < time.Hour; time.Sleep(100 * time.Millisecond) {
			asked := time.Now()
			_, err := src.Token()
			require.ErrorContains(t, err, "404 Not Found")
			require.Zero(t, time.Since(asked), "nobody waits for a try that is held back")
			if n := len(w.requests()); n != sent {
				sent = n
				tries = append(tries, time.Since(start))
			}
		}
		assert.Less(t, tries[1]-tries[0], 2*time.Second)
		assert.Greater(t, tries[1]-tries[0], 500*time.Millisecond)
		for i := 2; i < 6; i++ {
			assert.Greater(t, tries[i]-tries[i-1], tries[i-1]-tries[i-2], "longer each time")
		}
		last := tries[len(tries)-1] - tries[len(tries)-2]
		assert.Greater(t, last, 40*time.Second)
		assert.Less(t, last, 80*time.Second, "but not for ever")
	})
}

func TestTheNextTryIsNeverSoonerThanRetryAfter(t *testing.T) {
	for hearer, newSource := range hearers {
		t.Run("of a token that is kept by "+hearer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 429, RetryAfter: "3600"})
				src := newSource(t, l)
				time.Sleep(31 * day)
				start := time.Now()
				_, err := src.Token()
				var e *pinterest.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, time.Hour, e.RetryAfter)
				assert.True(t, e.Temporary())
				assert.Zero(t, time.Since(start), "the renewal's deadline would pass first")

				time.Sleep(time.Hour - time.Second)
				_, err = src.Token()
				require.ErrorAs(t, err, &e)
				_, err = src.Refresh(t.Context())
				require.ErrorAs(t, err, &e)
				assert.Equal(t, 1, l.fake.Counts().Token)

				time.Sleep(time.Second)
				_, err = src.Token()
				require.NoError(t, err)
				assert.Equal(t, 2, l.fake.Counts().Token)
			})
		})
	}
}

func TestASuccessMakesTheNextFailureTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		src := l.conf.TokenSource(l.ctx, l.tok)
		for range 20 {
			l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 404})
			_, err := src.Refresh(t.Context())
			require.Error(t, err)
			time.Sleep(1500 * time.Millisecond)
			_, err = src.Refresh(t.Context())
			require.NoError(t, err)
		}
	})
}

// Verdicts are sometimes wrong, or mended at Pinterest.
func TestAVerdictIsRememberedAndAskedForAgain(t *testing.T) {
	users := []time.Duration{0, 1, 3, 7, 15, 31, 55, 79, 103} // in hours
	operators := []time.Duration{0, 1, 3, 7, 15, 31, 63, 123, 183, 243}
	for name, c := range map[string]struct {
		fault pinteresttest.Fault
		want  error
		asked []time.Duration
		unit  time.Duration
	}{
		"refresh token invalid": {pinteresttest.Fault{Status: 401, Code: 283}, pinterest.ErrReauthorize, users, time.Hour},
		"refresh token expired": {pinteresttest.Fault{Status: 401, Code: 28}, pinterest.ErrReauthorize, users, time.Hour},
		"RFC 6749's own word":   {pinteresttest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`, ContentType: "application/json"}, pinterest.ErrReauthorize, users, time.Hour},
		"wrong secret":          {pinteresttest.Fault{Status: 401, Code: 2}, pinterest.ErrClientRejected, operators, time.Minute},
		"app not approved":      {pinteresttest.Fault{Status: 401, Code: 3}, pinterest.ErrClientRejected, operators, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				src := l.conf.TokenSource(l.ctx, l.tok)
				time.Sleep(31 * day)
				for range c.asked {
					l.fake.Fail("/v5/oauth/token", c.fault)
				}
				var asked []time.Duration
				for start := time.Now(); ; time.Sleep(c.unit / 2) {
					before := l.fake.Counts().Token
					_, err := src.Token()
					if l.fake.Counts().Token != before {
						asked = append(asked, time.Since(start)/c.unit)
					}
					if err == nil {
						break // mended at Pinterest
					}
					require.ErrorIs(t, err, c.want)
					sent := l.fake.Counts().Token
					_, err = src.Refresh(t.Context())
					require.ErrorIs(t, err, c.want)
					require.Equal(t, sent, l.fake.Counts().Token, "nor does Refresh ask")
				}
				next := c.asked[len(c.asked)-1] + c.asked[len(c.asked)-1] - c.asked[len(c.asked)-2]
				assert.Equal(t, append(c.asked, next), asked)

				// Accepted, the source begins anew.
				l.fake.Fail("/v5/oauth/token", c.fault)
				_, err := src.Refresh(t.Context())
				require.ErrorIs(t, err, c.want)
				time.Sleep(c.unit)
				_, err = src.Refresh(t.Context())
				require.NoError(t, err)
			})
		})
	}
}

func TestAnErrorNeverOverwritesAGoodToken(t *testing.T) {
	for name, fault := range map[string]pinteresttest.Fault{
		"refused":        {Status: 401, Code: 283},
		"server fault":   {Status: 500},
		"HTML":           {Status: 200, Body: "<html>hello</html>"},
		"empty":          {Status: 200, EmptyBody: true},
		"no token in it": {Status: 200, Body: `{"refresh_token":""}`, ContentType: "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				for range 10 {
					l.fake.Fail("/v5/oauth/token", fault)
				}
				l.conf.OnRefresh = func(context.Context, *oauth2.Token) error {
					assert.Fail(t, "nothing to save")
					return nil
				}
				src := l.conf.TokenSource(l.ctx, l.tok)
				_, err := src.Refresh(t.Context())
				require.Error(t, err)
				tok, err := src.Token()
				require.NoError(t, err)
				assert.Equal(t, l.tok.AccessToken, tok.AccessToken)
				assert.Equal(t, l.tok.RefreshToken, tok.RefreshToken)
			})
		})
	}
}

func TestARenewedTokenIsSavedBeforeAnyoneIsHandedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		var saved atomic.Pointer[oauth2.Token]
		l.conf.OnRefresh = func(ctx context.Context, tok *oauth2.Token) error {
			time.Sleep(5 * time.Second) // a slow store
			saved.Store(tok)
			return ctx.Err()
		}
		src := l.conf.TokenSource(l.ctx, l.tok)
		time.Sleep(31 * day)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				tok, err := src.Token()
				require.NoError(t, err)
				known := saved.Load()
				require.NotNil(t, known)
				assert.Equal(t, known.AccessToken, tok.AccessToken)
				assert.Equal(t, known.RefreshToken, tok.RefreshToken)
			})
		}
		wg.Wait()
	})
}

func TestIfSavingFailsTheTokenIsUsedAndSavedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, AccessLife: time.Hour})
		var log lockedBuffer
		l.conf.Logger = slog.New(slog.NewTextHandler(&log, nil))
		full := errors.New("disk full")
		var broken atomic.Bool
		var tries atomic.Int32
		var saved atomic.Pointer[oauth2.Token]
		broken.Store(true)
		l.conf.OnRefresh = func(_ context.Context, tok *oauth2.Token) error {
			tries.Add(1)
			if broken.Load() {
				return full
			}
			saved.Store(tok)
			return nil
		}
		src := l.conf.TokenSource(l.ctx, l.tok)
		time.Sleep(2 * time.Hour)
		tok, err := src.Token()
		require.NoError(t, err)
		assert.NotEqual(t, l.tok.AccessToken, tok.AccessToken, "the new token is used")
		assert.Contains(t, log.String(), "disk full")

		// Nobody asks, and saving is tried again all the same.
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		before := tries.Load()
		assert.InDelta(t, 30*60, before, 60, "about once a second")

		// No second renewal is sent meanwhile: not ahead, not forced, not once expired.
		_, err = src.Refresh(t.Context())
		require.ErrorIs(t, err, full)
		time.Sleep(time.Hour)
		_, err = src.Token()
		require.ErrorIs(t, err, full)
		assert.ErrorContains(t, err, "no renewal is sent before the last one's token is saved")
		assert.Equal(t, 1, l.fake.Counts().Refresh)

		broken.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.NotNil(t, saved.Load())
		assert.Equal(t, tok.RefreshToken, saved.Load().RefreshToken)
		next, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, 2, l.fake.Counts().Refresh)
		assert.Equal(t, next.RefreshToken, saved.Load().RefreshToken)
		assert.Zero(t, l.fake.Counts().Replays)

		quiet := tries.Load()
		time.Sleep(20 * time.Minute)
		assert.Equal(t, quiet, tries.Load(), "once saved, nothing goes on")
	})
}

func TestACallbackThatEndsItsGoroutineLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		var calls atomic.Int32
		l.conf.OnRefresh = func(context.Context, *oauth2.Token) error {
			if calls.Add(1) == 1 {
				runtime.Goexit() // as t.FailNow does
			}
			return nil
		}
		src := l.conf.TokenSource(l.ctx, l.tok)
		time.Sleep(31 * day)
		tok, err := src.Token()
		require.NoError(t, err)
		assert.NotEqual(t, l.tok.AccessToken, tok.AccessToken)
		_, err = src.Refresh(t.Context())
		require.EqualError(t, err, "pinterest: refresh: no renewal is sent before the last one's token is saved: OnRefresh did not return")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, int32(2), calls.Load(), "it is told again")
		assert.Equal(t, 1, l.fake.Counts().Refresh)
	})
}

func TestALegacyRefreshKeepsTheRefreshTokenAndItsExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{LegacyApp: true})
		l.conf.RefreshOn = pinterest.RefreshOnLegacy
		until, ok := pinterest.RefreshExpiry(l.tok)
		require.True(t, ok)
		src := l.conf.TokenSource(l.ctx, l.tok)
		for range 10 {
			time.Sleep(31 * day)
			tok, err := src.Token()
			require.NoError(t, err)
			assert.Equal(t, l.tok.RefreshToken, tok.RefreshToken)
			still, ok := pinterest.RefreshExpiry(tok)
			require.True(t, ok)
			assert.True(t, until.Equal(still))
		}
		time.Sleep(90 * day)
		_, err := src.Token()
		require.ErrorIs(t, err, pinterest.ErrReauthorize)
	})
}

func TestEveryShapeOfARefreshAnswerIsRead(t *testing.T) {
	for _, kind := range []string{"refresh_token", "everlasting_refresh", "integration_refresh"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, &pinteresttest.Handler{ResponseType: kind, StrictRotation: true})
				src := l.conf.TokenSource(l.ctx, l.tok)
				for range 5 {
					time.Sleep(31 * day)
					tok, err := src.Token()
					require.NoError(t, err)
					until, ok := pinterest.RefreshExpiry(tok)
					require.True(t, ok)
					assert.Equal(t, time.Now().Add(60*day).Unix(), until.Unix())
					assert.Equal(t, []string{"boards:read", "user_accounts:read"}, pinterest.GrantedScopes(tok))
				}
			})
		})
	}
}

// Whoever wants the app's own tokens renewed asks Accounts or ClientCredentials.
func TestASourceOfAUsersTokensAsksForNoClientCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		tok, err := l.conf.ClientCredentials(l.ctx).Token()
		require.NoError(t, err)
		src := l.conf.TokenSource(l.ctx, tok)
		time.Sleep(31 * day)
		_, err = src.Token()
		require.EqualError(t, err, "pinterest: refresh: the token has no refresh token to renew it by: the user must authorize the app again")
		assert.Equal(t, 1, l.fake.Counts().Token)
	})
}

func TestATokenThatNoRequestCanCarryIsRenewedAtFirstUse(t *testing.T) {
	for name, access := range map[string]string{"only a refresh token": "", "an access token that no header takes": "pina_x\n"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				src := l.conf.TokenSource(l.ctx, &oauth2.Token{AccessToken: access, RefreshToken: l.tok.RefreshToken})
				assert.Zero(t, l.fake.Counts().Token)
				status, _ := call(t, oauth2.NewClient(l.ctx, src))
				assert.Equal(t, http.StatusOK, status)
				assert.Equal(t, 1, l.fake.Counts().Token)
			})
		})
	}
}

func TestATokenWithoutExpiryIsUsedAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := answering(500, "")
		src := testConfig().TokenSource(w.context(t.Context()), &oauth2.Token{AccessToken: "pina_x", RefreshToken: "pinr.x"})
		time.Sleep(1000 * day)
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, "pina_x", tok.AccessToken)
		assert.True(t, tok.Expiry.IsZero())
		synctest.Wait()
		assert.Empty(t, w.requests(), "and never renewed")
	})
}

func TestATokenFromTheJSONOfOAuth2Works(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		var loaded oauth2.Token
		require.NoError(t, json.Unmarshal([]byte(jsonOf(t, l.tok)), &loaded))
		client := l.conf.Client(l.ctx, &loaded)
		for range 3 {
			status, _ := call(t, client)
			assert.Equal(t, http.StatusOK, status)
			time.Sleep(40 * day)
		}
		assert.Equal(t, 2, l.fake.Counts().Refresh)
	})
}

func TestTheTokenGivenIsNotModified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, new(pinteresttest.Handler))
		before := *l.tok
		src := l.conf.TokenSource(l.ctx, l.tok)
		l.tok.AccessToken, l.tok.RefreshToken = "spoiled", "spoiled" // nor shared
		tok, err := src.Token()
		require.NoError(t, err)
		assert.Equal(t, before.AccessToken, tok.AccessToken)
		tok.AccessToken, tok.RefreshToken = "spoiled", "spoiled"
		time.Sleep(31 * day)
		_, err = src.Token()
		require.NoError(t, err)
	})
}

// x/oauth2 writes to the token it is given, without a lock that both know of.
func TestTwoOAuth2ClientsShareOneSource(t *testing.T) {
	l := newLogin(t, &pinteresttest.Handler{AccessLife: 2 * time.Second})
	src := l.conf.TokenSource(l.ctx, l.tok)
	var wg sync.WaitGroup
	for range 4 {
		client := oauth2.NewClient(l.ctx, src)
		early := oauth2.ReuseTokenSourceWithExpiry(nil, src, time.Minute)
		wg.Go(func() {
			for range 200 {
				_, _ = call(t, client)
				_, _ = early.Token()
			}
		})
	}
	wg.Wait()
}

func TestClientCredentialsGoThroughTheSameMechanism(t *testing.T) {
	for kind, newClient := range clients {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				l.conf.Scopes = []string{pinterest.ScopeUserAccountsRead, pinterest.ScopeAdsRead}
				var told atomic.Int32
				l.conf.OnRefresh = func(_ context.Context, tok *oauth2.Token) error {
					told.Add(1)
					assert.Empty(t, tok.RefreshToken)
					return nil
				}
				client := newClient(l.ctx, l.conf.ClientCredentials(l.ctx))
				assert.Zero(t, l.fake.Counts().Token, "nothing is sent before the first token is asked for")
				for range 100 {
					status, _ := call(t, client)
					require.Equal(t, http.StatusOK, status)
					time.Sleep(day)
					synctest.Wait()
				}
				assert.Equal(t, 4, l.fake.Counts().ClientCredentials)
				assert.Equal(t, int32(4), told.Load())
			})
		})
	}
}

func TestRefreshRenewsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, Latency: time.Second})
		src := l.conf.TokenSource(l.ctx, l.tok)
		tok, err := src.Refresh(t.Context())
		require.NoError(t, err)
		assert.NotEqual(t, l.tok.AccessToken, tok.AccessToken)
		assert.Equal(t, time.Now().Add(30*day-time.Second).Unix(), tok.Expiry.Unix())

		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				_, err := src.Refresh(t.Context())
				require.NoError(t, err)
			})
		}
		wg.Wait()
		assert.Equal(t, 2, l.fake.Counts().Refresh, "those who ask together share one")
	})
}

func TestAnUnchangedTokenIsNoFailure(t *testing.T) {
	w := answering(http.StatusOK, `{"access_token":"pina_old","refresh_token":"pinr.old","expires_in":3600}`)
	tok, err := testConfig().TokenSource(w.context(t.Context()), expiredToken()).Token()
	require.NoError(t, err)
	assert.Equal(t, "pina_old", tok.AccessToken)
	assert.True(t, tok.Valid())
}

func TestAnIdleSourceCostsNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	conf := testConfig()
	sources := make([]*pinterest.TokenSource, 10_000)
	for i := range sources {
		sources[i] = conf.TokenSource(t.Context(), &oauth2.Token{AccessToken: "pina_x", RefreshToken: "pinr.x", Expiry: time.Now().Add(day)})
		_, err := sources[i].Token()
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before)
	runtime.KeepAlive(sources)
}

func TestAZeroTokenSourceSaysHowItIsMade(t *testing.T) {
	var src pinterest.TokenSource
	_, err := src.Token()
	require.EqualError(t, err, "pinterest: a TokenSource must be made by a method of Config or Accounts")
	require.Error(t, src.Wait(t.Context()))
	_, err = src.Refresh(t.Context())
	require.Error(t, err)
	_, err = src.TokenContext(t.Context())
	require.Error(t, err)
	_, err = testConfig().ConversionToken(t.Context(), &src)
	require.EqualError(t, err, "pinterest: a TokenSource must be made by a method of Config or Accounts")
}

// A try is only begun with its full time: hanging up on a slow answer loses it.
func TestTheLastTryHasTheTimeOfTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		src := l.conf.TokenSource(l.ctx, l.tok)
		time.Sleep(31 * day)
		l.fake.Fail("/v5/oauth/token",
			pinteresttest.Fault{Status: 503, Latency: 28 * time.Second},
			pinteresttest.Fault{Status: 503, Latency: 28 * time.Second},
			pinteresttest.Fault{After: true, Latency: 20 * time.Second})
		_, err := src.Token()
		require.NoError(t, err)
		assert.Zero(t, l.fake.Counts().Replays)
	})
}

func TestAContextNeedCarryNoClient(t *testing.T) {
	for _, ctx := range []context.Context{nil, context.Background(), context.WithValue(context.Background(), oauth2.HTTPClient, (*http.Client)(nil))} {
		client := testConfig().Client(ctx, &oauth2.Token{AccessToken: "pina_x"})
		assert.Nil(t, client.Transport.(*pinterest.Transport).Base, "which is the default one")
	}
}

// An answer that is lost may have cost a token.
func TestTheTimeoutOfTheContextsClientCutsNoRenewalShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true, Latency: 10 * time.Second})
		hasty := l.fake.Client()
		hasty.Timeout = time.Second
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, hasty)
		src := l.conf.TokenSource(ctx, l.tok)
		_, err := src.Refresh(t.Context())
		require.NoError(t, err)
		_, err = l.conf.ClientCredentials(ctx).Token()
		require.NoError(t, err)
		assert.Equal(t, 2, l.fake.Counts().Token)
		client := l.conf.Client(ctx, l.tok)
		assert.Equal(t, time.Second, client.Timeout, "it is for the requests to the API")
	})
}

func TestAnAnswerWithATokenThatBrokeOffIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{StrictRotation: true})
		cut := roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := l.fake.Client().Transport.RoundTrip(r)
			if err == nil && r.URL.Path == "/v5/oauth/token" {
				resp.Body = struct {
					io.Reader
					io.Closer
				}{io.MultiReader(resp.Body, iotest.ErrReader(io.ErrUnexpectedEOF)), resp.Body}
			}
			return resp, err
		})
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: cut})
		src := l.conf.TokenSource(ctx, l.tok)
		for i := range 5 {
			_, err := src.Refresh(t.Context())
			require.NoError(t, err)
			assert.Equal(t, i+1, l.fake.Counts().Refresh, "and nothing is sent again")
		}
		assert.Zero(t, l.fake.Counts().Replays)
	})
}

func TestAnAnswerWithoutATokenThatBrokeOffIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		w.answer = func(*http.Request) (*http.Response, error) {
			if len(w.requests()) > 2 {
				return answer(http.StatusOK, goodAnswer), nil
			}
			resp := answer(http.StatusOK, "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(goodAnswer[:10]), iotest.ErrReader(io.ErrUnexpectedEOF)))
			return resp, nil
		}
		tok, err := testConfig().TokenSource(w.context(t.Context()), expiredToken()).Token()
		require.NoError(t, err)
		assert.Equal(t, "pina_new", tok.AccessToken)
		assert.Len(t, w.requests(), 3)
	})
}

func TestWhiteSpaceAroundTheTokensOfAnAnswerCostsNone(t *testing.T) {
	ctx := answers(`{"access_token":" pina_x\n","refresh_token":"\tpinr.new\r\n","expires_in":3600}`).context(t.Context())
	tok, err := testConfig().TokenSource(ctx, expiredToken()).Token()
	require.NoError(t, err)
	assert.Equal(t, "pina_x", tok.AccessToken)
	assert.Equal(t, "pinr.new", tok.RefreshToken)
	tok, err = testConfig().ConversionToken(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "pina_user"}))
	require.NoError(t, err)
	assert.Equal(t, "pina_x", tok.AccessToken)
}

func TestAnHTTPClientThatEndsItsGoroutineHangsNobody(t *testing.T) {
	for hearer, newSource := range hearers {
		t.Run(hearer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t, new(pinteresttest.Handler))
				base, leave := l.fake.Client().Transport, true
				l.ctx = context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					if leave {
						leave = false
						runtime.Goexit() // as t.FailNow does in a mock
					}
					return base.RoundTrip(r)
				})})
				src := newSource(t, l)
				time.Sleep(31 * day)
				_, err := src.Token()
				require.Error(t, err)
				var e *pinterest.Error
				require.ErrorAs(t, err, &e)
				assert.True(t, e.Temporary())
				time.Sleep(2 * time.Second)
				_, err = src.Token()
				require.NoError(t, err)
			})
		})
	}
}
