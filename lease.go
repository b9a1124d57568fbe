package pinterest

import (
	"math"
	"time"

	"golang.org/x/oauth2"
)

const (
	never   = math.MaxInt64
	century = 100 * 365 * 24 * time.Hour // keeps Unix nanoseconds in range
)

// reuseDelta is how long before a token's Expiry the caches of x/oauth2 ask
// their source for another.
const reuseDelta = 10 * time.Second

// A lease is a token and what a source has to know of it at every request. It
// is fresh, then stale (still good, but due for renewal), then expired. A
// lease is immutable. The times are of the wall clock, in Unix nanoseconds: a
// laptop that slept must not send an expired token.
type lease struct {
	token          *oauth2.Token
	header         string // the Authorization header's value
	stale, expired int64
	ask            time.Time // the Expiry to hand it out with while it is fresh
}

// newLease takes t over.
func (c *Config) newLease(t *oauth2.Token) *lease {
	l := &lease{token: t, stale: never, expired: never, ask: t.Expiry}
	if t.AccessToken == "" {
		l.stale, l.expired = 0, 0
		return l
	}
	l.header = t.Type() + " " + t.AccessToken
	if t.Expiry.IsZero() {
		return l
	}
	now := time.Now().Round(0)
	left := min(max(t.Expiry.Sub(now), -century), century)
	life := max(left, secondsToDuration(float64(t.ExpiresIn)), 0)

	// The margins shrink with the token's life, so that tokens of a few
	// seconds behave as those of thirty days.
	margin := min(10*time.Second, life/50) // for the request's way to Pinterest
	ahead := life / 10
	if c.RefreshAhead > 0 {
		ahead = min(c.RefreshAhead, life/2)
	} else if c.RefreshAhead < 0 {
		ahead = 0
	}
	end := now.Add(left)
	l.expired = end.Add(-margin).UnixNano()
	l.stale = min(end.Add(-ahead).UnixNano(), l.expired)
	if e, ok := t.Extra(extraExpiry).(*trueExpiry); ok {
		e.stale, e.end = time.Unix(0, l.stale), t.Expiry
	}
	if ask := time.Unix(0, l.stale).Add(reuseDelta); ask.Before(t.Expiry) {
		l.ask = ask
	}
	return l
}

// askAgain returns the Expiry to hand a token out with, so that a cache of
// x/oauth2 asks again in time: when the token becomes stale, and while it is,
// every second, as the next one can be there any moment. It is never later
// than the true expiry.
func (l *lease) askAgain(now time.Time) time.Time {
	if now.UnixNano() < l.stale {
		return l.ask
	}
	ask := now.Round(0).Add(reuseDelta + time.Second)
	if l.token.Expiry.Before(ask) {
		return l.token.Expiry
	}
	return ask
}
