package pinterest_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
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

// A journal is a log, line by line, without the time. Of retry_in it shows how
// many digits the seconds have, where chance has a part in it.
type journal struct{ buf lockedBuffer }

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&j.buf, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch {
		case a.Key == slog.TimeKey:
			return slog.Attr{}
		case a.Key == "retry_in" && a.Value.Duration()%time.Minute != 0:
			return slog.String(a.Key, "soon")
		}
		return a
	}}))
}

// config returns a Config that logs to j.
func (j *journal) config() *pinterest.Config {
	conf := testConfig()
	conf.Logger = j.logger()
	return conf
}

// since returns the lines since it was last called.
func (j *journal) since() (lines []string) {
	j.buf.mu.Lock()
	defer j.buf.mu.Unlock()
	for line := range strings.Lines(j.buf.buf.String()) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	j.buf.buf.Reset()
	return lines
}

// answers returns a wire that gives one answer after the other, each of a
// request id, and then the last again.
func answers(bodies ...string) *wire {
	var mu sync.Mutex
	return &wire{answer: func(*http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		time.Sleep(time.Second)
		status, body := http.StatusOK, bodies[0]
		switch {
		case strings.HasPrefix(body, "401 "), strings.HasPrefix(body, "404 "):
			status = map[string]int{"401": 401, "404": 404}[body[:3]]
			body = body[4:]
		}
		if len(bodies) > 1 {
			bodies = bodies[1:]
		}
		r := answer(status, body)
		r.Header.Set("X-Pinterest-Rid", "123456789")
		return r, nil
	}}
}

func TestWhatTheLogTellsOfARenewal(t *testing.T) {
	const (
		renewed = `level=INFO msg="pinterest: token renewed" op=refresh key=account expiry=2000-01-31T01:00:00.000Z refresh_expiry=2000-03-01T01:00:00.000Z took=1s`
		known   = `status=401 code=283 request_id=123456789 expiry=2000-01-01T01:00:00.000Z took=1s`
	)
	for name, c := range map[string]struct {
		body string
		want string
	}{
		"renewed": {goodAnswer, renewed},
		"the user's to mend": {`401 {"code":283,"message":"Invalid refresh token"}`,
			`level=WARN msg="pinterest: token not renewed" op=refresh key=account error="pinterest: refresh: 401 Unauthorized: Invalid refresh token (code 283, request id 123456789); the user must authorize the app again" mend=user ` + known + ` retry_in=1h0m0s`},
		"the operator's": {`401 {"code":2,"message":"Authentication failed."}`,
			`level=ERROR msg="pinterest: token not renewed" op=refresh key=account error="pinterest: refresh: 401 Unauthorized: Authentication failed. (code 2, request id 123456789); the app's operator must act: check app id, secret, environment, scopes and approval" mend=operator status=401 code=2 request_id=123456789 expiry=2000-01-01T01:00:00.000Z took=1s retry_in=1m0s`},
		"time's": {`404 {"code":50,"message":"Not here."}`,
			`level=WARN msg="pinterest: token not renewed" op=refresh key=account error="pinterest: refresh: 404 Not Found: Not here. (code 50, request id 123456789)" mend=time status=404 code=50 request_id=123456789 expiry=2000-01-01T01:00:00.000Z took=1s retry_in=soon`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log journal
				conf := log.config()
				s := pinterest.NewMemoryStore()
				tok := expiredToken()
				tok.Expiry = time.Now().Add(time.Hour)
				require.NoError(t, save(t, s, "account", tok))
				accounts := &pinterest.Accounts{Config: conf, Store: s, HTTPClient: &http.Client{Transport: answers(c.body)}}
				_, err := accounts.Source("account").Token()
				require.NoError(t, err)
				time.Sleep(time.Hour)
				log.since()
				var wg sync.WaitGroup
				for range 50 {
					wg.Go(func() { _, _ = accounts.Source("account").Token() })
				}
				wg.Wait()
				_, _ = accounts.Source("account").Token()
				assert.Equal(t, []string{c.want}, log.since(), "once, however many wait or ask again")
			})
		})
	}
}

func TestALogOfAPlainSourceNamesItsGrantAndNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		conf := log.config()
		ctx := answers(`{"access_token":"pinc_x","expires_in":3600}`, `{"access_token":"pina_x"}`).context(t.Context())
		_, err := conf.ClientCredentials(ctx).Token()
		require.NoError(t, err)
		_, err = conf.TokenSource(ctx, expiredToken()).Token()
		require.NoError(t, err)
		_, err = conf.TokenSource(ctx, &oauth2.Token{AccessToken: "pina_x", Expiry: time.Now()}).Token()
		require.ErrorIs(t, err, pinterest.ErrReauthorize)
		assert.Equal(t, []string{
			`level=INFO msg="pinterest: token renewed" op=client_credentials expiry=2000-01-01T01:00:00.000Z took=1s`,
			`level=INFO msg="pinterest: token renewed" op=refresh took=1s`,
			`level=WARN msg="pinterest: token not renewed" op=refresh error="pinterest: refresh: the token has no refresh token to renew it by: the user must authorize the app again" mend=user expiry=2000-01-01T00:00:02.000Z took=0s retry_in=1h0m0s`,
		}, log.since())
	})
}

func TestASourceThatCannotRenewItsTokenSaysNothingWhileItIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		l := newLogin(t, new(pinteresttest.Handler))
		tok, err := l.conf.ClientCredentials(l.ctx).Token()
		require.NoError(t, err)
		l.conf.Logger = log.logger()
		src := l.conf.TokenSource(l.ctx, tok)
		time.Sleep(30*day - time.Hour)
		_, err = src.Token()
		require.NoError(t, err)
		synctest.Wait()
		assert.Empty(t, log.since())
	})
}

func TestTheLogNamesTheGrantOfAKeptToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		l := newLogin(t, new(pinteresttest.Handler))
		tok, err := l.conf.ClientCredentials(l.ctx).Token()
		require.NoError(t, err)
		s := newMoodyStore()
		require.NoError(t, save(t, s, "account", tok))
		a := l.accounts(s)
		a.Config.Logger = log.logger()
		src := a.Source("account")
		refresh := func() {
			t.Helper()
			_, err := src.Refresh(l.ctx)
			require.NoError(t, err)
		}
		refresh()
		down := errors.New("the database is down")
		s.failSave.Store(&down)
		refresh()
		time.Sleep(10 * time.Second)
		s.failSave.Store(nil)
		require.NoError(t, src.Wait(t.Context()))
		last := saved(t, s)
		l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 404})
		_, err = src.Refresh(l.ctx)
		require.Error(t, err)
		require.NoError(t, s.Delete(t.Context(), "account"))
		time.Sleep(time.Minute)
		_, _ = src.Token()
		synctest.Wait()

		last.Expiry = time.Now()
		require.NoError(t, save(t, s, "account", last))
		l.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 404})
		begun := l.accounts(s)
		begun.Config.Logger = a.Config.Logger
		_, err = begun.Source("account").Token()
		require.Error(t, err)

		messages := make(map[string]bool)
		var line string
		for _, line = range log.since() {
			message, _, ok := strings.Cut(line, " op=client_credentials key=account")
			require.True(t, ok, line)
			messages[message] = true
		}
		assert.Equal(t, map[string]bool{
			`level=DEBUG msg="pinterest: token adopted"`:    true,
			`level=INFO msg="pinterest: token renewed"`:     true,
			`level=ERROR msg="pinterest: token not saved"`:  true,
			`level=INFO msg="pinterest: token saved"`:       true,
			`level=WARN msg="pinterest: token not renewed"`: true,
			`level=INFO msg="pinterest: token forgotten"`:   true,
		}, messages)
		assert.Contains(t, line, " status=404 ")
		assert.Contains(t, line, " expiry=2000-01-01T00:01:1", "also of a token that was just found")
	})
}

func TestWhatTheLogTellsOfWhatOthersDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		conf := log.config()
		s := pinterest.NewMemoryStore()
		accounts := &pinterest.Accounts{Config: conf, Store: s, HTTPClient: &http.Client{Transport: answers(goodAnswer)}}
		src := accounts.Source("account")
		ask := func(n int) {
			for range n {
				_, _ = src.Token()
				synctest.Wait()
				time.Sleep(time.Minute)
			}
		}
		const nothing = `error="no token is kept under key \"account\": send the user to Config.AuthCodeURL and keep the token of Config.Exchange by Accounts.Save"`
		ask(10)
		lines := log.since()
		require.Len(t, lines, 1, "though the store is looked into each minute")
		assert.Contains(t, lines[0], `level=WARN msg="pinterest: token not renewed" op=refresh key=account `)
		assert.Contains(t, lines[0], strings.TrimPrefix(nothing, `error="`))
		assert.Contains(t, lines[0], ` mend=user took=0s retry_in=1h0m0s`)

		require.NoError(t, save(t, s, "account", &oauth2.Token{AccessToken: "pina_1", RefreshToken: "pinr.1", Expiry: time.Now().Add(day)}))
		ask(2)
		require.NoError(t, save(t, s, "account", &oauth2.Token{AccessToken: "pina_2", RefreshToken: "pinr.2", Expiry: time.Now().Add(day)}))
		ask(3)
		require.NoError(t, (&pinterest.Accounts{Store: s}).Forget(t.Context(), "account"))
		ask(3)
		assert.Equal(t, []string{
			`level=DEBUG msg="pinterest: token adopted" op=refresh key=account expiry=2000-01-02T00:10:00.000Z`,
			`level=INFO msg="pinterest: token adopted" op=refresh key=account expiry=2000-01-02T00:12:00.000Z`,
			`level=INFO msg="pinterest: token forgotten" op=refresh key=account`,
		}, log.since())
	})
}

func TestALogoutElsewhereThatIsFoundAtARenewalIsToldAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		l, s := newLogin(t, new(pinteresttest.Handler)), pinterest.NewMemoryStore()
		l.conf.Logger = log.logger()
		src := l.kept(t, s).Source("account")
		_, err := src.Token()
		require.NoError(t, err)
		time.Sleep(31 * day)
		require.NoError(t, s.Delete(t.Context(), "account"))
		log.since()
		_, err = src.Token()
		require.ErrorIs(t, err, fs.ErrNotExist)
		assert.Equal(t, []string{`level=INFO msg="pinterest: token forgotten" op=refresh key=account`}, log.since())
		assert.Zero(t, l.fake.Counts().Token)
	})
}

func TestWhatTheLogTellsOfATokenThatIsNotSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		conf := log.config()
		s, down := newMoodyStore(), errors.New("the database is down")
		require.NoError(t, save(t, s, "account", expiredToken()))
		accounts := &pinterest.Accounts{Config: conf, Store: s, HTTPClient: &http.Client{Transport: answers(goodAnswer)}}
		s.failSave.Store(&down)
		_, err := accounts.Source("account").Token()
		require.NoError(t, err)
		for range 10 {
			_, err = accounts.Source("account").Refresh(t.Context())
			require.ErrorIs(t, err, down)
		}
		time.Sleep(100 * time.Second)
		lines := log.since()
		const unsaved = `level=ERROR msg="pinterest: token not saved" op=refresh key=account error="the database is down" mend=time took=`
		require.GreaterOrEqual(t, len(lines), 2)
		assert.Equal(t, []string{
			`level=INFO msg="pinterest: token renewed" op=refresh key=account expiry=2000-01-31T00:00:00.000Z refresh_expiry=2000-03-01T00:00:00.000Z took=1s`,
			unsaved + `1s retry_in=soon`,
		}, lines[:2])
		for _, line := range lines[2:] {
			assert.Equal(t, unsaved+`0s retry_in=soon`, line)
		}
		assert.InDelta(t, 6, len(lines)-2, 1, "the 2nd, 4th, 8th and so on of some hundred")
		s.failSave.Store(nil)
		require.NoError(t, accounts.Wait(t.Context()))
		synctest.Wait()
		assert.Equal(t, []string{
			`level=INFO msg="pinterest: token saved" op=refresh key=account expiry=2000-01-31T00:00:00.000Z refresh_expiry=2000-03-01T00:00:00.000Z`,
		}, log.since())
	})
}

func TestALoginOrALogoutHereIsToldIfItEndsATrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		conf := log.config()
		s, down := newMoodyStore(), errors.New("the database is down")
		accounts := &pinterest.Accounts{Config: conf, Store: s, HTTPClient: &http.Client{Transport: answers(goodAnswer)}}
		token := &oauth2.Token{AccessToken: "pina_1", RefreshToken: "pinr.1", Expiry: time.Now().Add(day)}
		require.NoError(t, accounts.Save(t.Context(), "account", token))
		require.NoError(t, accounts.Forget(t.Context(), "account"))
		_, err := accounts.Source("account").Token()
		require.ErrorIs(t, err, fs.ErrNotExist)
		log.since()

		require.NoError(t, accounts.Save(t.Context(), "account", token))
		assert.Equal(t, []string{`level=INFO msg="pinterest: token adopted" op=refresh key=account expiry=2000-01-02T00:00:00.000Z`}, log.since())
		require.NoError(t, accounts.Save(t.Context(), "account", token))
		assert.Empty(t, log.since(), "nothing was wrong")

		s.failSave.Store(&down)
		_, err = accounts.Source("account").Refresh(t.Context())
		require.NoError(t, err)
		assert.Contains(t, strings.Join(log.since(), "\n"), `msg="pinterest: token not saved"`)
		require.NoError(t, accounts.Forget(t.Context(), "account"))
		assert.Equal(t, []string{`level=INFO msg="pinterest: token forgotten" op=refresh key=account`}, log.since())
		require.NoError(t, accounts.Forget(t.Context(), "account"))
		assert.Empty(t, log.since())
	})
}

func TestWhatTheLogTellsOfAStoreThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		conf := log.config()
		s, down := newMoodyStore(), errors.New("the database is down")
		s.failLoad.Store(&down)
		accounts := &pinterest.Accounts{Config: conf, Store: s}
		for range 5 {
			_, err := accounts.Source("account").Token()
			require.ErrorIs(t, err, down)
		}
		assert.Equal(t, []string{
			`level=WARN msg="pinterest: token not renewed" op=refresh key=account error="pinterest: refresh: the store failed at key \"account\": the database is down" mend=time took=0s retry_in=soon`,
		}, log.since())
	})
}

func TestWhatTheLogTellsOfARecordThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		conf := log.config()
		s := pinterest.NewMemoryStore()
		put(t, s, "account", []byte("{"))
		_, err := (&pinterest.Accounts{Config: conf, Store: s}).Source("account").Token()
		require.Error(t, err)
		assert.Equal(t, []string{
			`level=ERROR msg="pinterest: token not renewed" op=refresh key=account error="pinterest: refresh: the record under key \"account\": it is damaged: these 1 bytes are not a token's JSON" mend=operator took=0s retry_in=1m0s`,
		}, log.since())
	})
}

func TestWhatTheLogTellsOfAnOnRefreshThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		conf := log.config()
		conf.OnRefresh = func(context.Context, *oauth2.Token) error { return errors.New("disk full") }
		s := pinterest.NewMemoryStore()
		require.NoError(t, save(t, s, "account", expiredToken()))
		accounts := &pinterest.Accounts{Config: conf, Store: s, HTTPClient: &http.Client{Transport: answers(goodAnswer)}}
		_, err := accounts.Source("account").Token()
		require.NoError(t, err)
		require.NoError(t, accounts.Wait(t.Context()))
		time.Sleep(time.Hour)
		assert.ElementsMatch(t, []string{
			`level=WARN msg="pinterest: OnRefresh failed" op=refresh key=account error="disk full"`,
			`level=INFO msg="pinterest: token renewed" op=refresh key=account expiry=2000-01-31T00:00:00.000Z refresh_expiry=2000-03-01T00:00:00.000Z took=1s`,
		}, log.since())
	})
}

func TestTheLogHoldsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		conf := log.config()
		w := answers(goodAnswer, `401 {"code":283,"message":"pinr.new is not pina_new, says s3cret-of-the-app"}`)
		src := conf.TokenSource(w.context(t.Context()), expiredToken())
		_, err := src.Refresh(t.Context())
		require.NoError(t, err)
		_, err = src.Refresh(t.Context())
		require.ErrorIs(t, err, pinterest.ErrReauthorize)
		said := strings.Join(log.since(), "\n")
		assert.Contains(t, said, "is not")
		for _, secret := range []string{conf.ClientSecret, "pina_old", "pinr.old", "pina_new", "pinr.new"} {
			assert.NotContains(t, said, secret)
		}
	})
}

func TestWhatTheLogTellsOfATokenThatOnRefreshDoesNotSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		conf := log.config()
		var room atomic.Bool
		conf.OnRefresh = func(context.Context, *oauth2.Token) error {
			if !room.Load() {
				return errors.New("disk full")
			}
			return nil
		}
		src := conf.TokenSource(answers(goodAnswer).context(t.Context()), expiredToken())
		_, err := src.Token()
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond) // it is tried again in about 60
		room.Store(true)
		require.NoError(t, src.Wait(t.Context()))
		const expiries = " expiry=2000-01-31T00:00:00.000Z refresh_expiry=2000-03-01T00:00:00.000Z"
		assert.Equal(t, []string{
			`level=INFO msg="pinterest: token renewed" op=refresh` + expiries + ` took=1s`,
			`level=ERROR msg="pinterest: token not saved" op=refresh error="disk full" mend=time took=1s retry_in=soon`,
			`level=ERROR msg="pinterest: token not saved" op=refresh error="disk full" mend=time took=0s retry_in=soon`,
			`level=INFO msg="pinterest: token saved" op=refresh` + expiries,
		}, log.since())
	})
}

func TestWhatOnRefreshSaysIsNoAnswerOfPinterests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		conf := log.config()
		conf.OnRefresh = func(context.Context, *oauth2.Token) error {
			return &pinterest.Error{Op: "refresh", StatusCode: 401, Code: 283, Message: "of another account"}
		}
		_, err := conf.TokenSource(answers(goodAnswer).context(t.Context()), expiredToken()).Token()
		require.NoError(t, err)
		said := strings.Join(log.since(), "\n")
		assert.Contains(t, said, "token not saved")
		assert.Contains(t, said, " mend=time took=")
		assert.NotContains(t, said, "status=")
	})
}
