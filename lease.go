package pinterest

import (
	"math"
	"sync/atomic"
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
// is fresh, then stale (still good, but due for renewal), then expired. The
// times are of the wall clock, in Unix nanoseconds: a laptop that slept must not
// send an expired token.
type lease struct {
	token          *oauth2.Token // as it is handed out while it is fresh
	end            time.Time     // its true expiry
	header         []string      // the Authorization header
	stale, expired int64
	unproven       atomic.Bool // it was renewed because of a 401, and no request shows yet that this helped
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
	switch {
	case c.RefreshAhead > 0 && t.ExpiresIn > 0:
		ahead = min(c.RefreshAhead, life/2)
	case c.RefreshAhead > 0: // what is left says nothing of the token's life
		ahead = c.RefreshAhead
	case c.RefreshAhead < 0:
		ahead = 0
	}
	if ahead > 0 {
		margin = min(margin, ahead/2)
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

// good reports whether a request can be sent with l now.
func (l *lease) good() bool { return time.Now().UnixNano() < l.expired }

// before reports whether l's token is known to have been replaced on the way to
// m's: a store that has it again has lost what was saved since.
func (l *lease) before(m *lease) bool {
	if m == nil {
		return false
	}
	a, b := lineageOf(l.token), lineageOf(m.token)
	return a.login != "" && a.login == b.login && a.renewed < b.renewed
}

// same reports whether l and m hold the same token.
func (l *lease) same(m *lease) bool {
	return m != nil && l.token.AccessToken == m.token.AccessToken && l.token.RefreshToken == m.token.RefreshToken && l.end.Equal(m.end)
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
