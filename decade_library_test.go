package pinterest_test

import (
	"context"
	"iter"
	"net/http"
	"time"
	"weak"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// An app is what one process has of the library: nothing else of the simulation calls it.
type app struct {
	p        *process
	accounts *pinterest.Accounts
	ctx      context.Context
	sources  map[*simAccount]*pinterest.TokenSource // of what is not stored
}

func newApp(p *process) *app {
	a := &app{p: p, ctx: context.WithValue(p.ctx, oauth2.HTTPClient, p.http), sources: make(map[*simAccount]*pinterest.TokenSource)}
	a.accounts = &pinterest.Accounts{Config: a.newConfig(p.w.callback), Store: p.store, HTTPClient: p.http}
	return a
}

func (a *app) newConfig(callback bool) *pinterest.Config {
	c := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Scopes: []string{pinterest.ScopeUserAccountsRead}}
	if callback {
		c.OnRefresh = a.p.onRefresh
	}
	return c
}

// open makes the source of an account that is not stored, beginning with t.
func (a *app) open(acc *simAccount, t *oauth2.Token) {
	switch c := a.newConfig(acc.kind == told); acc.kind {
	case told, plain:
		a.sources[acc] = c.TokenSource(a.ctx, t)
	case own:
		a.sources[acc] = c.ClientCredentials(a.ctx)
	}
}

// source returns acc's source. The world's lock is held.
func (a *app) source(acc *simAccount) *pinterest.TokenSource {
	if acc.kind != stored {
		return a.sources[acc]
	}
	source := a.accounts.Source(acc.key)
	held := weak.Make(source)
	a.p.seen(acc).known = func() bool { return held.Value() != nil }
	return source
}

// ours is a client of ours, and x one of x/oauth2's, which has a cache of its own.
func (a *app) ours(acc *simAccount) *http.Client {
	if acc.kind == stored {
		return a.accounts.Client(acc.key)
	}
	return pinterest.NewClient(a.ctx, a.source(acc))
}

func (a *app) x(acc *simAccount) *http.Client { return oauth2.NewClient(a.ctx, a.source(acc)) }

func (a *app) login(ctx context.Context, acc *simAccount, t *oauth2.Token) error {
	return a.accounts.Save(ctx, acc.key, t)
}

func (a *app) logout(ctx context.Context, acc *simAccount) error {
	return a.accounts.Forget(ctx, acc.key)
}

func (a *app) sweep(ctx context.Context) iter.Seq2[string, error] {
	return a.accounts.KeepAlive(ctx, nil)
}

const sweepWithin = 14 * 24 * time.Hour

// useAnother has the library see that time has passed for all accounts but one that nobody uses.
func (a *app) useAnother() { a.accounts.Source("nobody's") }
