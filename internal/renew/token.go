package renew

import (
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

const (
	never   = math.MaxInt64
	century = 100 * 365 * 24 * time.Hour // keeps Unix nanoseconds in range

	// reuse is how long before a token's Expiry the caches of x/oauth2 ask their
	// source for another.
	reuse = 10 * time.Second

	// CacheTime is for how long a cache of x/oauth2 may keep a token that can be
	// replaced at any moment.
	CacheTime = 250 * time.Millisecond
)

// EarlyExpiry is the location of an Expiry that ForCache made early, and of no other.
var EarlyExpiry = time.FixedZone("UTC", 0)

// A Token is an oauth2.Token and what has to be known of it at every request.
// It does not change. Its times are of the wall clock: a laptop that slept must
// not send an expired token.
type Token struct {
	token          oauth2.Token
	stale, expired int64                     // Unix nanoseconds
	header         atomic.Pointer[[1]string] // made when it is first asked for
}

// NewToken returns the Token of t. It is stale so long before its expiry; zero
// is a tenth of its life, and negative never.
func NewToken(t *oauth2.Token, ahead time.Duration) *Token {
	n := &Token{token: *t, stale: never, expired: never}
	if t.AccessToken == "" {
		return Dead(t)
	}
	if t.Expiry.IsZero() {
		return n
	}
	now := time.Now().Round(0)
	left := min(max(t.Expiry.Sub(now), -century), century)
	life := max(left, time.Duration(min(t.ExpiresIn, math.MaxInt32))*time.Second, 0)
	switch {
	case ahead == 0:
		ahead = life / 10
	case ahead > 0 && t.ExpiresIn > 0: // else what is left says nothing of the token's life
		ahead = min(ahead, life/2)
	}
	// A request takes time to arrive. The margin shrinks with the token's life, so
	// that tokens of a few seconds behave as those of thirty days.
	margin := min(reuse, life/50)
	if ahead > 0 {
		margin = min(margin, ahead/2)
	}
	end := now.Add(left)
	n.expired = end.Add(-margin).UnixNano()
	n.stale = min(end.Add(-ahead).UnixNano(), n.expired)
	return n
}

// Dead returns the Token of a t that is not to be handed out, whatever its
// expiry says.
func Dead(t *oauth2.Token) *Token { return &Token{token: *t} }

// Good reports whether a request can be sent with t now.
func (t *Token) Good() bool { return t != nil && time.Now().UnixNano() < t.expired }

// Same reports whether t and u are the same token. Nil is the same as nothing.
func (t *Token) Same(u *Token) bool {
	return t != nil && u != nil && t.token.AccessToken == u.token.AccessToken &&
		t.token.RefreshToken == u.token.RefreshToken && t.token.Expiry.Equal(u.token.Expiry)
}

// OAuth2 returns a copy of the oauth2.Token.
func (t *Token) OAuth2() *oauth2.Token {
	c := t.token
	return &c
}

// ForCache returns a copy for a cache of x/oauth2, with an Expiry so early that
// the cache asks for the next token in time: when this one is stale, or, if it
// can be replaced at any moment, soon.
func (t *Token) ForCache(now time.Time, anyMoment bool) *oauth2.Token {
	c := t.token
	if !anyMoment && t.stale == t.expired {
		return &c // which caches ask for in time by themselves
	}
	ask := t.stale
	if soon := now.UnixNano() + int64(CacheTime); anyMoment || soon > ask {
		ask = soon
	}
	if early := time.Unix(0, ask).Add(reuse); c.Expiry.IsZero() || early.Before(c.Expiry) {
		c.Expiry = early.In(EarlyExpiry)
	}
	return &c
}

// Header returns the values of the Authorization header. They are shared by all
// requests and must not be written to.
func (t *Token) Header() []string {
	h := t.header.Load()
	if h == nil {
		h = &[1]string{t.token.Type() + " " + t.token.AccessToken}
		t.header.Store(h)
	}
	return h[:]
}
