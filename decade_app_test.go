//go:build !race

package pinterest_test

import (
	"context"
	"iter"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// This file is all of the decade that touches the library.

// An app is what one process has of the library.
type app struct {
	p        *process
	accounts *pinterest.Accounts
	ctx      context.Context
	sources  map[*user]*pinterest.TokenSource // of what is not kept in the store
}

func newApp(p *process) *app {
	a := &app{p: p, sources: make(map[*user]*pinterest.TokenSource)}
	a.ctx = context.WithValue(p.ctx, oauth2.HTTPClient, p.http)
	a.accounts = &pinterest.Accounts{Config: a.newConfig(p.w.watched), Store: p.door, HTTPClient: p.http}
	return a
}

func (a *app) newConfig(tells bool) *pinterest.Config {
	c := &pinterest.Config{ClientID: pinteresttest.DefaultAppID, ClientSecret: pinteresttest.DefaultAppSecret, Scopes: []string{pinterest.ScopeUserAccountsRead}}
	if tells {
		c.OnRefresh = func(ctx context.Context, t *oauth2.Token) error { return a.p.told(ctx, t) }
	}
	return c
}

// open makes the source of an account that is not kept, beginning with t.
func (a *app) open(acc *user, t *oauth2.Token) {
	switch c := a.newConfig(acc.kind == told); acc.kind {
	case told, plain:
		a.sources[acc] = c.TokenSource(a.ctx, t)
	case own:
		a.sources[acc] = c.ClientCredentials(a.ctx)
	}
}

func (a *app) source(acc *user) *pinterest.TokenSource {
	if acc.kind == stored {
		return a.accounts.Source(acc.key)
	}
	return a.sources[acc]
}

// ours is a client of ours: of what is kept, one made for each request.
func (a *app) ours(acc *user) *http.Client {
	if acc.kind == stored {
		return a.accounts.Client(acc.key)
	}
	return pinterest.NewClient(a.ctx, a.source(acc))
}

// x is a client of x/oauth2's, which has a cache of its own.
func (a *app) x(acc *user) *http.Client {
	return oauth2.NewClient(context.WithValue(a.ctx, oauth2.HTTPClient, a.p.http), a.source(acc))
}

func (a *app) token(acc *user) (*oauth2.Token, error) { return a.source(acc).Token() }

func (a *app) tokenContext(ctx context.Context, acc *user) (*oauth2.Token, error) {
	return a.source(acc).TokenContext(ctx)
}

func (a *app) refresh(ctx context.Context, acc *user) (*oauth2.Token, error) {
	return a.source(acc).Refresh(ctx)
}

func (a *app) login(ctx context.Context, acc *user, t *oauth2.Token) error {
	return a.accounts.Save(ctx, acc.key, t)
}

func (a *app) logout(ctx context.Context, acc *user) error { return a.accounts.Forget(ctx, acc.key) }

func (a *app) sweep(ctx context.Context) iter.Seq2[string, error] {
	return a.accounts.KeepAlive(ctx, nil)
}
