package renew

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"golang.org/x/oauth2"
)

func TestATokenIsStaleAndExpiresSoLongBeforeItsExpiry(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name           string
		life           int64         // expires_in; zero: not known
		left           time.Duration // until Expiry
		ahead          time.Duration
		stale, expired time.Duration // before Expiry
	}{
		{"thirty days", 2592000, 30 * day, 0, 3 * day, 10 * time.Second},
		{"an hour", 3600, time.Hour, 0, 6 * time.Minute, 10 * time.Second},
		{"ten seconds", 10, 10 * time.Second, 0, time.Second, 200 * time.Millisecond},
		{"a second", 1, time.Second, 0, 100 * time.Millisecond, 20 * time.Millisecond},
		{"an hour of which half is left", 3600, 30 * time.Minute, 0, 6 * time.Minute, 10 * time.Second},
		{"an hour of which a second is left", 3600, time.Second, 0, 6 * time.Minute, 10 * time.Second},
		{"an hour, which is over", 3600, -time.Minute, 0, 6 * time.Minute, 10 * time.Second},
		{"nobody knows for how long", 0, time.Hour, 0, 6 * time.Minute, 10 * time.Second},
		{"nobody knows for how long, and it is over", 0, -time.Minute, 0, 0, 0},
		{"expires_in is nonsense", -3600, time.Hour, 0, 6 * time.Minute, 10 * time.Second},
		{"a minute ahead", 3600, time.Hour, time.Minute, time.Minute, 10 * time.Second},
		{"little ahead", 3600, time.Hour, 5 * time.Second, 5 * time.Second, 2500 * time.Millisecond},
		{"more than half ahead", 3600, time.Hour, 45 * time.Minute, 30 * time.Minute, 10 * time.Second},
		{"a second, more than half ahead", 1, time.Second, 900 * time.Millisecond, 500 * time.Millisecond, 20 * time.Millisecond},
		{"more than half of what is left ahead", 0, time.Hour, 45 * time.Minute, 45 * time.Minute, 10 * time.Second},
		{"more ahead than is left", 0, time.Hour, 2 * time.Hour, 2 * time.Hour, 10 * time.Second},
		{"not ahead", 3600, time.Hour, -1, 10 * time.Second, 10 * time.Second},
		{"not ahead, ten seconds", 10, 10 * time.Second, -1, 200 * time.Millisecond, 200 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := time.Now().Add(c.left)
				got := NewToken(&oauth2.Token{AccessToken: "a", Expiry: end, ExpiresIn: c.life}, c.ahead)
				assert.Equal(t, c.stale, end.Sub(time.Unix(0, got.stale)), "stale")
				assert.Equal(t, c.expired, end.Sub(time.Unix(0, got.expired)), "expired")
			})
		})
	}
}

func TestATokenWithoutAnExpiryIsUsedAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := NewToken(&oauth2.Token{AccessToken: "a"}, 0)
		time.Sleep(century)
		assert.True(t, got.Good())
		assert.Less(t, time.Now().UnixNano(), got.stale)
	})
}

// Unix nanoseconds end in the year 2262, and begin in 1677.
func TestATokenMayExpireInAnyYear(t *testing.T) {
	assert.True(t, NewToken(&oauth2.Token{AccessToken: "a", Expiry: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, 0).Good())
	assert.False(t, NewToken(&oauth2.Token{AccessToken: "a", Expiry: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)}, 0).Good())
	forever := NewToken(&oauth2.Token{AccessToken: "a", Expiry: time.Now().Add(time.Hour), ExpiresIn: 1 << 62}, time.Minute)
	assert.True(t, forever.Good())
	assert.Less(t, time.Now().UnixNano(), forever.stale)
	longest := NewToken(&oauth2.Token{AccessToken: "a", Expiry: time.Now().Add(time.Hour), ExpiresIn: 1 << 62}, 0)
	assert.Less(t, longest.stale, time.Now().Add(-6*365*24*time.Hour).UnixNano(), "a tenth of 68 years")
}

func TestNoRequestIsSentWithADeadToken(t *testing.T) {
	in := &oauth2.Token{AccessToken: "a", RefreshToken: "r", Expiry: time.Now().Add(time.Hour)}
	assert.False(t, Dead(in).Good())
	assert.Equal(t, in, Dead(in).OAuth2())
	assert.False(t, NewToken(&oauth2.Token{RefreshToken: "r"}, 0).Good(), "nothing but a refresh token")
	assert.Equal(t, "r", NewToken(&oauth2.Token{RefreshToken: "r"}, 0).OAuth2().RefreshToken)
	assert.False(t, (*Token)(nil).Good())
}

func TestATokenIsGoodUntilItExpiresByTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := NewToken(&oauth2.Token{AccessToken: "a", Expiry: time.Now().Add(time.Hour)}, 0)
		time.Sleep(time.Hour - 10*time.Second - 1)
		assert.True(t, got.Good())
		time.Sleep(time.Nanosecond)
		assert.False(t, got.Good())
	})
}

func TestTokensAreTheSameByAllThatIsSentOrKept(t *testing.T) {
	end := time.Now().Add(time.Hour)
	is := oauth2.Token{AccessToken: "a", RefreshToken: "r", Expiry: end}
	one := NewToken(&is, 0)
	assert.True(t, one.Same(NewToken(&oauth2.Token{AccessToken: "a", RefreshToken: "r", Expiry: end.UTC().Round(0)}, -1)))
	assert.True(t, one.Same(Dead(&is)))
	assert.False(t, one.Same(NewToken(&oauth2.Token{AccessToken: "b", RefreshToken: "r", Expiry: end}, 0)))
	assert.False(t, one.Same(NewToken(&oauth2.Token{AccessToken: "a", RefreshToken: "s", Expiry: end}, 0)))
	assert.False(t, one.Same(NewToken(&oauth2.Token{AccessToken: "a", RefreshToken: "r", Expiry: end.Add(1)}, 0)))
	assert.False(t, one.Same(nil))
	assert.False(t, (*Token)(nil).Same(one))
	assert.False(t, (*Token)(nil).Same(nil))
}

func TestAnOAuth2TokenIsTheCallersOwn(t *testing.T) {
	in := &oauth2.Token{AccessToken: "a", Expiry: time.Now().Add(time.Hour)}
	got := NewToken(in, 0)
	in.AccessToken = "changed"
	got.OAuth2().AccessToken = "changed"
	got.ForCache(time.Now(), false).AccessToken = "changed"
	assert.Equal(t, "a", got.OAuth2().AccessToken)
}

func TestACacheAsksForTheNextTokenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(time.Hour)
		got := NewToken(&oauth2.Token{AccessToken: "a", Expiry: end}, 0)
		asks := func(anyMoment bool) time.Duration { // x/oauth2's caches do ten seconds before Expiry
			c := got.ForCache(time.Now(), anyMoment)
			assert.Equal(t, EarlyExpiry, c.Expiry.Location())
			assert.Equal(t, c.Expiry.UTC().Format(time.RFC1123), c.Expiry.Format(time.RFC1123), "it reads as UTC")
			assert.False(t, c.Expiry.After(end))
			return time.Until(c.Expiry) - 10*time.Second
		}
		assert.Equal(t, 54*time.Minute, asks(false), "when it is stale")
		assert.Equal(t, 250*time.Millisecond, asks(true), "soon, if others can replace it")
		time.Sleep(54*time.Minute - time.Second)
		assert.Equal(t, time.Second, asks(false))
		time.Sleep(time.Second - 1)
		assert.Equal(t, 250*time.Millisecond, asks(false), "soon, about when it is stale")
		time.Sleep(time.Minute)
		assert.Equal(t, 250*time.Millisecond, asks(false), "and from then on")
	})
}

func TestTheExpiryForACacheIsNeverLaterThanTheTrueOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(time.Hour)
		got := NewToken(&oauth2.Token{AccessToken: "a", Expiry: end}, -1)
		assert.Equal(t, end, got.ForCache(time.Now(), false).Expiry, "its margin is what caches have, too")
		time.Sleep(time.Hour - 5*time.Second)
		for _, anyMoment := range []bool{true, false} {
			c := got.ForCache(time.Now(), anyMoment)
			assert.Equal(t, end, c.Expiry)
			assert.NotSame(t, EarlyExpiry, c.Expiry.Location(), "it is the true one")
		}
	})
}

func TestACacheIsToldWhereNoExpiryIsOnlyOfWhatCanBeReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := NewToken(&oauth2.Token{AccessToken: "a"}, 0)
		assert.Zero(t, got.ForCache(time.Now(), false).Expiry)
		c := got.ForCache(time.Now(), true)
		assert.Equal(t, CacheTime+10*time.Second, time.Until(c.Expiry))
		assert.Equal(t, EarlyExpiry, c.Expiry.Location())
	})
}

func TestACacheAsksSoonForWhatExpiresInAnyYear(t *testing.T) {
	got := NewToken(&oauth2.Token{AccessToken: "a", Expiry: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, 0)
	assert.Less(t, time.Until(got.ForCache(time.Now(), true).Expiry), time.Minute)
	assert.Less(t, time.Until(got.ForCache(time.Now(), false).Expiry), century)
}

func TestTheHeaderIsMadeOnce(t *testing.T) {
	got := NewToken(&oauth2.Token{AccessToken: "a"}, 0)
	assert.Equal(t, []string{"Bearer a"}, got.Header())
	assert.Equal(t, []string{"Bearer a"}, got.Header())
	assert.Zero(t, testing.AllocsPerRun(100, func() { got.Header() }))
	assert.Equal(t, []string{"MAC a"}, NewToken(&oauth2.Token{AccessToken: "a", TokenType: "mac"}, 0).Header())
}
