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
	token          *oauth2.Token // as it is handed out while it is fresh
	end            time.Time     // its true expiry
	header         []string      // the Authorization header
	stale, expired int64
}

// newLease takes t over.
func (c *Config) newLease(t *oauth2.Token) *lease {
	l := &lease{token: t, end: t.Expiry, stale: never, expired: never}
	if t.AccessToken == "" || !c.issued(t) {
		l.stale, l.expired = 0, 0
		return l
	}
	l.header = []string{t.Type() + " " + t.AccessToken}
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
	t.Expiry = l.askAgain(time.Unix(0, l.stale))
	return l
}

// askAgain returns the Expiry to hand a token out with, so that a cache of
// x/oauth2 asks for the next one at the given time. It is never later than the
// true expiry.
func (l *lease) askAgain(at time.Time) time.Time {
	if ask := at.Round(0).Add(reuseDelta); ask.Before(l.end) {
		return ask
	}
	return l.end
}

// exact returns a copy of the token with its true expiry.
func (l *lease) exact() *oauth2.Token {
	t := *l.token
	t.Expiry = l.end
	return &t
}

// secrets are what an error of a function that was handed the token may quote.
func (l *lease) secrets() *redactor {
	return newRedactor(l.token.AccessToken, l.token.RefreshToken)
}
