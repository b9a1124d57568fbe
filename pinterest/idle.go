package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
)

// keepAlive is [pinterest.Config.KeepAlive] for all accounts of v, whichever
// apps and servers they belong to. Its errors have hints.
func (v *vault) keepAlive(ctx context.Context, opts *pinterest.KeepAliveOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		names, err := v.names(ctx)
		if err != nil {
			yield("", err)
			return
		}
		if len(names) == 0 { // a timer of a store that is mistyped would be silent until it is too late
			yield("", withHint(fmt.Errorf("there is no account in %s: nothing to renew", v.name),
				`is that the store that "pinterest login" used? see --store and `+envStore))
			return
		}
		v.renewables = 0
		var groups []*group
		for _, name := range names {
			a, conf, err := v.renewable(ctx, name)
			switch {
			case ctx.Err() != nil:
				yield("", ctx.Err())
				return
			case err != nil:
				if !yield(name, err) {
					return
				}
			case a != nil:
				groups = join(groups, a, conf)
				v.renewables++
			}
		}
		for _, g := range groups {
			if !g.keepAlive(ctx, v.tokens, opts, yield) {
				return
			}
		}
	}
}

// idle says of the accounts that keepAlive met why it renewed none of them.
func (v *vault) idle(within days) string {
	long := within.String()
	if d := time.Duration(within); d%oneDay == 0 && d > oneDay {
		long = fmt.Sprintf("%d days", d/oneDay)
	}
	switch v.renewables {
	case 0:
		return "no account in " + v.name + " has a refresh token"
	case 1:
		return fmt.Sprintf("1 account in %s is good for more than %s", v.name, long)
	}
	return fmt.Sprintf("%d accounts in %s are good for more than %s", v.renewables, v.name, long)
}

// renewable returns the account of that name and what renews its token. Both are
// nil if there is no refresh token.
func (v *vault) renewable(ctx context.Context, name string) (*account, *pinterest.Config, error) {
	a, err := v.load(ctx, name)
	var f *failure
	switch {
	case errors.As(err, &f) && f.status == statusReauthorize:
		return nil, nil, nil // it was logged out meanwhile
	case err != nil:
		return nil, nil, err
	case a.token.RefreshToken == "":
		return nil, nil, nil
	}
	conf, problem, err := a.config()
	if err = errors.Join(err, problem); err != nil {
		return nil, nil, err
	}
	return a, conf, nil
}

// A group is the accounts that the same app renews at the same server.
type group struct {
	conf   *pinterest.Config
	names  []string
	logins map[string]string // by name, the command line that logs in again
}

// join adds a to the group of its app and server.
func join(groups []*group, a *account, conf *pinterest.Config) []*group {
	type app struct {
		id, secret string
		at         oauth2.Endpoint
	}
	of := func(c *pinterest.Config) app { return app{c.ClientID, c.ClientSecret, c.Endpoint} }
	var g *group
	for _, other := range groups {
		if of(other.conf) == of(conf) {
			g = other
		}
	}
	if g == nil {
		g = &group{conf: conf, logins: make(map[string]string)}
		groups = append(groups, g)
	}
	g.names = append(g.names, a.name)
	g.logins[a.name] = a.login()
	return groups
}

// keepAlive reports whether it is to go on with the next group.
func (g *group) keepAlive(ctx context.Context, s pinterest.Store, opts *pinterest.KeepAliveOptions, yield func(string, error) bool) bool {
	for name, err := range g.conf.KeepAlive(ctx, only{s, g.names}, opts) {
		switch {
		case name != "":
			if !yield(name, advise(err, g.logins[name])) {
				return false
			}
		case ctx.Err() != nil:
			yield("", ctx.Err())
			return false
		default: // nothing can be sent, which concerns none but these
			for _, name := range g.names {
				if !yield(name, advise(err, g.logins[name])) {
					return false
				}
			}
		}
	}
	return true
}

// only is a Store in which those keys alone can be seen.
type only struct {
	pinterest.Store
	keys []string
}

// Keys implements [pinterest.Store].
func (o only) Keys(context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, key := range o.keys {
			if !yield(key, nil) {
				return
			}
		}
	}
}
