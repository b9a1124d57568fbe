package keepalive

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// An everyApp is the accounts of a store, whichever apps and servers they belong to.
type everyApp struct {
	store      *accounts.Store
	renewables int // the accounts with a refresh token that the last pass met
}

// pass is [pinterest.Accounts.KeepAlive] for all the accounts. Its errors have hints.
func (e *everyApp) pass(ctx context.Context, opts *pinterest.KeepAliveOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		names, err := e.store.Names(ctx)
		if err != nil {
			yield("", err)
			return
		}
		if len(names) == 0 { // a timer of a store that is mistyped would be silent until it is too late
			yield("", say.WithHint(fmt.Errorf("there is no account in %s: nothing to renew", e.store.Name),
				`is that the store that "pinterest login" used? see --store and `+accounts.EnvStore))
			return
		}
		e.renewables = 0
		var groups []*group
		for _, name := range names {
			a, conf, err := e.renewable(ctx, name)
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
				e.renewables++
			}
		}
		for _, g := range groups {
			if !g.keepAlive(ctx, e.store, opts, yield) {
				return
			}
		}
	}
}

// idle says of the accounts that pass met why it renewed none of them.
func (e *everyApp) idle(within say.Days) string {
	long := within.String()
	if d := time.Duration(within); d%say.Day == 0 && d > say.Day {
		long = fmt.Sprintf("%d days", d/say.Day)
	}
	switch e.renewables {
	case 0:
		return "no account in " + e.store.Name + " has a refresh token"
	case 1:
		return fmt.Sprintf("1 account in %s is good for more than %s", e.store.Name, long)
	}
	return fmt.Sprintf("%d accounts in %s are good for more than %s", e.renewables, e.store.Name, long)
}

// renewable returns the account of that name and what renews its token. Both are
// nil if there is no refresh token.
func (e *everyApp) renewable(ctx context.Context, name string) (*accounts.Account, *pinterest.Config, error) {
	a, err := e.store.Load(ctx, name)
	var f *say.Failure
	switch {
	case errors.As(err, &f) && f.Status == say.StatusReauthorize:
		return nil, nil, nil // it was logged out meanwhile
	case err != nil:
		return nil, nil, err
	case a.Token.RefreshToken == "":
		return nil, nil, nil
	}
	conf, problem, err := a.Config()
	if err = errors.Join(err, problem); err != nil {
		return nil, nil, err
	}
	return a, conf, nil
}

// A group is the accounts that the same app renews at the same server, each with
// the command line that logs in again.
type group struct {
	conf   *pinterest.Config
	logins map[string]string
}

// join adds a to the group of its app and server.
func join(groups []*group, a *accounts.Account, conf *pinterest.Config) []*group {
	i := slices.IndexFunc(groups, func(g *group) bool {
		return g.conf.ClientID == conf.ClientID && g.conf.ClientSecret == conf.ClientSecret && g.conf.Endpoint == conf.Endpoint
	})
	if i < 0 {
		i = len(groups)
		groups = append(groups, &group{conf, make(map[string]string)})
	}
	groups[i].logins[a.Name] = a.Login()
	return groups
}

// keepAlive reports whether it is to go on with the next group.
func (g *group) keepAlive(ctx context.Context, v *accounts.Store, opts *pinterest.KeepAliveOptions, yield func(string, error) bool) bool {
	for name, err := range v.Accounts(g.conf, only{v.Tokens, g.logins}).KeepAlive(ctx, opts) {
		switch {
		case name != "":
			if !yield(name, accounts.Advise(err, g.logins[name])) {
				return false
			}
		case ctx.Err() != nil:
			yield("", ctx.Err())
			return false
		default: // nothing can be sent, which concerns none but these
			for _, name := range slices.Sorted(maps.Keys(g.logins)) {
				if !yield(name, accounts.Advise(err, g.logins[name])) {
					return false
				}
			}
		}
	}
	return true
}

// only is a Store in which those accounts alone can be seen.
type only struct {
	pinterest.Store
	logins map[string]string
}

// Each implements [pinterest.Store].
func (o only) Each(ctx context.Context, before time.Time, f func(key string, value []byte) error) error {
	return o.Store.Each(ctx, before, func(key string, value []byte) error {
		if _, ok := o.logins[key]; !ok {
			return nil
		}
		return f(key, value)
	})
}
