package keepalive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// idle is a store of accounts that nobody uses.
type idle struct {
	pinterest.Store
	fake *pinteresttest.Handler
	conf pinterest.Config
	down atomic.Bool // the store cannot list them
}

func newIdle(t *testing.T, accounts ...string) *idle {
	i := &idle{
		Store: pinterest.NewMemoryStore(),
		fake:  new(pinteresttest.Handler),
		conf:  pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret},
	}
	for _, account := range accounts {
		data, err := pinterest.MarshalToken(i.fake.Login())
		require.NoError(t, err)
		require.NoError(t, i.Update(t.Context(), account, func(context.Context, []byte) ([]byte, time.Time, error) {
			return data, time.Now(), nil
		}))
	}
	return i
}

func (i *idle) Each(ctx context.Context, before time.Time, f func(string, []byte) error) error {
	if i.down.Load() {
		return errors.New("the database is being restarted")
	}
	return i.Store.Each(ctx, before, f)
}

// A session is a keepalive that runs.
type session struct {
	out, told bytes.Buffer
	stop      context.CancelFunc
	ended     chan error
}

// start starts k. It must be called in a bubble, where the command itself
// cannot run, as signals reach into none.
func (i *idle) start(t *testing.T, k Run) *session {
	s := &session{ended: make(chan error, 1)}
	accounts := &pinterest.Accounts{Config: &i.conf, Store: i, HTTPClient: i.fake.Client()}
	k.pass, k.Out, k.Told = accounts.KeepAlive, &s.out, &s.told
	var ctx context.Context
	ctx, s.stop = context.WithCancel(t.Context())
	t.Cleanup(s.stop)
	go func() { s.ended <- k.run(ctx) }()
	return s
}

const (
	daily = say.Days(say.Day)
	all   = say.Days(90 * say.Day) // within which every refresh token dies
)

func (s *session) lines() []string {
	return strings.Split(strings.TrimSuffix(s.out.String(), "\n"), "\n")
}

func TestIdleAccountsStayConnectedWhileKeepaliveRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIdle(t, "alice")
		begin := time.Now()
		s := i.start(t, Run{Within: 14 * daily, Every: daily})
		time.Sleep(100*say.Day + time.Hour)
		synctest.Wait()
		s.stop()
		require.NoError(t, <-s.ended, "being stopped is no failure")

		var want []string
		for d := range 101 {
			next := "; next at " + begin.AddDate(0, 0, d+1).Format(time.DateTime)
			if d == 47 || d == 94 { // when less than two weeks of sixty days are left
				want = append(want, "renewed alice", "1 renewed"+next)
			} else {
				want = append(want, "nothing had to be renewed"+next)
			}
		}
		assert.Equal(t, want, s.lines())
		assert.Empty(t, s.told.String())
	})
}

func TestASweepThatTakesLongerThanADayIsFollowedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIdle(t, "alice", "bob")
		i.fake.Fail("/v5/oauth/token", pinteresttest.Fault{Status: 429, RetryAfter: "90000"})
		begin := time.Now()
		s := i.start(t, Run{Within: all, Every: daily, Parallel: 1})
		time.Sleep(26 * time.Hour)
		synctest.Wait()
		s.stop()
		require.NoError(t, <-s.ended)
		assert.Len(t, s.lines(), 6, "two sweeps of two accounts")
		assert.Equal(t, "2 renewed; next at "+begin.Add(24*time.Hour).Format(time.DateTime), s.lines()[2])
		assert.Equal(t, 5, i.fake.Counts().Refresh)
	})
}

func TestAStoreThatIsDownForAWhileEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIdle(t, "alice")
		i.down.Store(true)
		s := i.start(t, Run{Within: all, Every: daily})
		synctest.Wait()
		assert.Equal(t, "pinterest: the database is being restarted\n", s.told.String())
		i.down.Store(false)
		time.Sleep(say.Day + time.Second)
		synctest.Wait()
		s.stop()
		require.NoError(t, <-s.ended)
		assert.Contains(t, s.lines(), "renewed alice")

		i.down.Store(true)
		s = i.start(t, Run{Within: all})
		assert.EqualError(t, <-s.ended, "the database is being restarted", "run once, it is a failure")
	})
}

func TestWhatOnlyTheOperatorCanMendEndsKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIdle(t, "alice")
		i.conf.ClientID = ""
		err := <-i.start(t, Run{Within: 14 * daily, Every: daily}).ended
		assert.ErrorIs(t, err, pinterest.ErrClientRejected)
		assert.Equal(t, say.StatusFailed, say.ExitStatus(err))
	})
}

func TestTheWorstOfASweepIsItsExitStatus(t *testing.T) {
	dead := fmt.Errorf("x: %w", pinterest.ErrReauthorize)
	for _, test := range []struct {
		errs  []error
		ended error
		want  int
	}{
		{nil, nil, say.StatusDone},
		{[]error{nil, nil}, nil, say.StatusDone},
		{[]error{nil, dead}, nil, say.StatusReauthorize},
		{[]error{dead, errors.New("x"), nil}, nil, say.StatusFailed},
		{[]error{dead}, errors.New("x"), say.StatusFailed},
	} {
		var s tally
		for _, err := range test.errs {
			s.add(err)
		}
		assert.Equal(t, test.want, say.ExitStatus(s.verdict(test.ended)), "%v", test)
	}
}

func TestAnAccountsNameIsPrintedInOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIdle(t, "a\x1b[2J\nb")
		s := i.start(t, Run{Within: all})
		require.Equal(t, say.StatusFailed, say.ExitStatus(<-s.ended))
		assert.Regexp(t, `^pinterest: a \[2J b: the key holds the character U\+001B: .*\n`, s.told.String())
		assert.NotContains(t, s.told.String(), "\x1b")
	})
}
