package pinterest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/internal/renew"
)

// A TokenSource hands out access tokens and renews them. It implements
// [oauth2.TokenSource]; [oauth2.NewClient] over it is a first-class way to use
// it, [NewClient] adds what x/oauth2's transport cannot do.
//
// While its token is good a source answers without a lock and without waiting.
// When the token comes near its expiry, one renewal runs in the background and
// the token is handed out meanwhile; but if nobody would hear of the new token,
// as it is neither kept by Accounts nor told to OnRefresh, it is renewed only once
// it has expired. Callers who have to wait share one renewal, and its success or
// failure. A renewal is not cancelled with the caller that started it, and has
// time limits of its own. After a failure the next try is held back. The package's
// documentation says how long each of these is.
//
// A TokenSource is made by the methods of [Config] and [Accounts]. It may be
// used by several goroutines at once, and costs no goroutine and no timer while
// nothing is being renewed or saved.
type TokenSource struct {
	source renew.Source
	origin origin
}

// newSource returns a source of o's tokens, which begins with t, if there is one.
func newSource(o origin, t *oauth2.Token) *TokenSource {
	s := &TokenSource{origin: o}
	s.init()
	if t != nil {
		s.source.Set(s.origin.tokenOf(t))
	}
	return s
}

func (s *TokenSource) init() {
	s.source.Origin, s.source.Shared = &s.origin, s.origin.kept != nil
}

// Token returns a token that is good now: the current one, or if that has
// expired, the next. It waits no longer than the context given to the method
// that made the source.
//
// The token is the caller's own. Its Expiry is never later than the true one. It
// is earlier where a token is renewed ahead of its expiry or others can replace
// it: the caches of x/oauth2 ask for the next token ten seconds before Expiry,
// and must ask in time. TokenContext, OnRefresh and [MarshalToken] know the true
// one.
//
// The error is an [*Error]. While renewals are held back after a failure, it is
// that failure, at once.
func (s *TokenSource) Token() (*oauth2.Token, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	now, before := time.Now(), s.source.Token()
	t, err := s.get(s.origin.ctx, now)
	if err == nil && t != before { // it was waited for, and a cache would find it over too soon
		now = time.Now()
		t, err = s.get(s.origin.ctx, now)
	}
	if err != nil {
		return nil, err
	}
	c := t.ForCache(now, s.source.Shared)
	if c.Expiry.Location() == renew.EarlyExpiry && c.Extra(extraExpiry) == nil {
		c = c.WithExtra(map[string]any{extraExpiry: t.OAuth2().Expiry})
	}
	return c, nil
}

// TokenContext is Token for a caller with a context of its own, which bounds
// how long it waits, and with the token's true expiry. The renewal goes on though
// ctx ends.
func (s *TokenSource) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	t, err := s.get(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	return t.OAuth2(), nil
}

// Refresh renews the token now, however good it is, and returns the new one
// with its true expiry. If a renewal is under way, it waits for that one, and
// if another process renewed the stored token meanwhile, it returns that. It is
// held back after failures like any other renewal. Ctx bounds how long it waits;
// the renewal goes on. The error is an [*Error]: the former token, if it is good, is
// still handed out by Token.
//
// Few programs need it: Token renews in time, and a [Transport] when Pinterest
// answers 401.
func (s *TokenSource) Refresh(ctx context.Context) (*oauth2.Token, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	t, _, err := s.source.Replace(ctx, s.source.Token(), renew.Asked)
	if err != nil {
		return nil, err
	}
	return t.OAuth2(), nil
}

// Wait waits until nothing is being renewed or saved, and then returns nil: a
// program that ends sooner can lose a refresh token. Its error is that ctx was
// over before, and if a token is not saved yet, why. [Accounts.Wait] does it for
// all accounts.
func (s *TokenSource) Wait(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return err
	}
	return s.source.Wait(ctx)
}

func (s *TokenSource) get(ctx context.Context, now time.Time) (*renew.Token, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	return s.source.Get(ctx, now)
}

func (s *TokenSource) usable() error {
	if s == nil || s.origin.conf == nil {
		return errors.New("pinterest: a TokenSource must be made by a method of Config or Accounts")
	}
	return nil
}

// Format implements [fmt.Formatter]: it shows no secret, whatever the verb.
func (s *TokenSource) Format(f fmt.State, _ rune) {
	if s.usable() != nil {
		fmt.Fprint(f, "pinterest.TokenSource{}")
		return
	}
	key := ""
	if s.origin.kept != nil {
		key = s.origin.kept.key
	}
	fmt.Fprintf(f, "pinterest.TokenSource{%s, Host: %q, Key: %q}", s.origin.op, s.origin.conf.host(), key)
}
