package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

const defaultAccount = "default"

// An app is what is kept of an account beside its token: what it takes to renew
// the token later.
type app struct {
	ID     string `json:"app_id"`
	Secret string `json:"app_secret,omitempty"` // kept if it was typed in
	API    string `json:"token_url"`
	OAuth  string `json:"auth_url"`
}

// An account is a login that is kept under a name.
type account struct {
	name  string
	store *accountStore
	token *oauth2.Token
	app   *app // nil: the token was put there by another program
}

func accountFlag(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "account", defaultAccount, "the account to use; several can be logged in side by side")
	_ = c.RegisterFlagCompletionFunc("account", completeAccounts) // fails if there is no such flag
}

func checkAccount(name string) error {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return say.WrongUsage("--account is empty, or holds white space or a control character", "give it a name like "+defaultAccount)
	}
	return nil
}

// account returns the account of that name.
func (v *accountStore) account(ctx context.Context, name string) (*account, error) {
	if err := checkAccount(name); err != nil {
		return nil, err
	}
	return v.load(ctx, name)
}

// load is account for any name that a store may have.
func (v *accountStore) load(ctx context.Context, name string) (*account, error) {
	a := &account{name: name, store: v}
	var err error
	saved := pinterest.Accounts{Store: v.tokens}
	a.token, err = saved.Load(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &say.Failure{
			Err:    fmt.Errorf("nobody is logged in as %q: there is no token in %s", name, v.name),
			Hint:   "run: " + a.login(),
			Status: say.StatusReauthorize,
		}
	}
	if err != nil {
		return nil, err
	}
	a.app, err = v.app(ctx, name)
	return a, err
}

// app returns what is kept of the account beside its token, nil if nothing is.
func (v *accountStore) app(ctx context.Context, name string) (*app, error) {
	data, err := v.apps.Load(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := new(app)
	if json.Unmarshal(data, a) != nil || a.ID == "" { // its error could quote the secret
		return nil, say.WithHint(fmt.Errorf("what is kept of the app of account %q in %s is damaged", name, v.name), "log in again")
	}
	return a, nil
}

// login is the command line that logs in as a again.
func (a *account) login() string {
	line := "pinterest login"
	if a.token != nil && a.server() == sandbox || a.token == nil && a.name == sandboxAccount {
		line += " --sandbox"
	}
	if a.name != defaultAccount && line+a.name != "pinterest login --sandbox"+sandboxAccount {
		name := say.ShellWord(a.name)
		if say.OneLine(name) != name {
			name = strconv.Quote(a.name) // not for a shell, but harmless to a terminal
		}
		line += " --account " + name
	}
	return line + a.store.storeArgs()
}

// server returns the server that issued a's token, as far as that is known.
func (a *account) server() server {
	if a.app != nil {
		return server{AuthURL: a.app.OAuth, TokenURL: a.app.API, AuthStyle: oauth2.AuthStyleInHeader}
	}
	if host := a.issuer(); host != "" {
		return serverAt(host)
	}
	return production
}

// issuer returns the host that issued a's token, empty if that is not known.
func (a *account) issuer() string {
	host, _ := a.token.Extra("issuer").(string)
	return host
}

// ownedByApp reports whether a is the app's own account: nobody logged in.
func (a *account) ownedByApp() bool { return a.token.Extra("grant") == "client_credentials" }

// config returns the Config that renews a's token. It has no secret if none is
// to be had, which problem explains; a token that is good needs none.
func (a *account) config() (conf *pinterest.Config, problem error, err error) {
	at := a.server()
	wanted, named, err := serverOfEnv()
	if err != nil {
		return nil, nil, err
	}
	if host := a.issuer(); named && a.app == nil && (host == "" || host == hostOf(wanted.TokenURL)) {
		at = wanted
	}
	if named && wanted.TokenURL != at.TokenURL {
		return nil, nil, say.WithHint(fmt.Errorf("account %q belongs to %s, and %s names %s", a.name, at.name(), envAPI, wanted.name()),
			"unset "+envAPI+" and "+envOAuth+", or use an account of that server")
	}
	conf = &pinterest.Config{
		Endpoint:     oauth2.Endpoint(at),
		RefreshAhead: -1, // a token that was printed is not to be replaced behind its user's back
		Logger:       a.store.logger,
	}
	if a.app == nil {
		id, secret := os.Getenv(envAppID), os.Getenv(envAppSecret)
		conf.ClientID, conf.ClientSecret = id, secret
		if id == "" || secret == "" {
			problem = say.WithHint(fmt.Errorf("account %q was not logged in by this program, so its app is not known", a.name),
				"set "+envAppID+" and "+envAppSecret)
		}
		return conf, problem, nil
	}
	conf.ClientID = a.app.ID
	id, secret := os.Getenv(envAppID), secretOfEnv(a.app.ID)
	switch {
	case secret != "":
		conf.ClientSecret = secret
	case a.app.Secret != "":
		conf.ClientSecret = a.app.Secret
	case id != "" && id != a.app.ID:
		problem = say.WithHint(fmt.Errorf("account %q belongs to app %s, and %s is %s", a.name, a.app.ID, envAppID, id),
			"set "+envAppID+" and "+envAppSecret+" to those of its app")
	default:
		problem = say.WithHint(fmt.Errorf("account %q belongs to app %s, whose secret is not kept", a.name, a.app.ID),
			"set "+envAppSecret+", or log in again without it to type it in and have it kept")
	}
	return conf, problem, nil
}

// secretOfEnv returns the secret in the environment if it may be that of the app.
func secretOfEnv(appID string) string {
	if id := os.Getenv(envAppID); id != "" && id != appID {
		return ""
	}
	return os.Getenv(envAppSecret)
}

// source returns a source of tokens that are good now, for a process that uses
// them at once. Renew makes it begin with a new one. The store is to be settled
// before the process ends.
func (a *account) source(ctx context.Context, renew bool) (*pinterest.TokenSource, error) {
	conf, problem, err := a.config()
	if err != nil {
		return nil, err
	}
	due := renew || nearlyExpired(a.token)
	if due && problem != nil {
		return nil, problem
	}
	src := a.store.accounts(conf, a.store.tokens).Source(a.name)
	if !due {
		return src, nil
	}
	if !renew {
		// Now the source knows which token is due, and takes a newer one that
		// another process may have put there meanwhile.
		t, err := src.TokenContext(ctx)
		if err != nil || !nearlyExpired(t) {
			return src, advise(err, a.login())
		}
	}
	_, err = src.Refresh(ctx)
	return src, advise(err, a.login())
}

// nearlyExpired reports whether too little of t's life is left to print it for
// somebody's use: less than a minute, and of a short life a tenth.
func nearlyExpired(t *oauth2.Token) bool {
	if t.AccessToken == "" {
		return true
	}
	if t.Expiry.IsZero() {
		return false
	}
	left := time.Minute
	if life := time.Duration(t.ExpiresIn) * time.Second; life > 0 {
		left = min(left, life/10)
	}
	return time.Until(t.Expiry) < left
}

// save saves a login: the app first, as a token without one cannot be renewed.
func (v *accountStore) save(ctx context.Context, name string, a *app, t *oauth2.Token) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	var before []byte
	err = v.apps.Update(ctx, name, func(_ context.Context, old []byte) ([]byte, time.Time, error) {
		before = slices.Clone(old)
		return data, time.Time{}, nil
	})
	if err != nil {
		return err
	}
	accounts := pinterest.Accounts{Store: v.tokens}
	if err := accounts.Save(ctx, name, t); err != nil {
		ctx := context.WithoutCancel(ctx)
		if before == nil {
			return errors.Join(err, v.apps.Delete(ctx, name))
		}
		return errors.Join(err, v.apps.Update(ctx, name, func(context.Context, []byte) ([]byte, time.Time, error) { return before, time.Time{}, nil }))
	}
	return nil
}

// names returns the names of all accounts, in order.
func (v *accountStore) names(ctx context.Context) ([]string, error) {
	var names []string
	err := v.tokens.Each(ctx, time.Time{}, func(name string, _ []byte) error {
		names = append(names, name)
		return nil
	})
	slices.Sort(names)
	return names, err
}

// errAsIs ends an Update that has nothing to write.
var errAsIs = errors.New("the store is to stay as it is")

// advise adds the hint that an error of the library calls for. Login is the
// command line that logs in again.
func advise(err error, login string) error {
	var f *say.Failure
	var e *pinterest.Error
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case errors.Is(err, pinterest.ErrReauthorize):
		return &say.Failure{Err: err, Hint: "run: " + login, Status: say.StatusReauthorize}
	case errors.Is(err, pinterest.ErrClientRejected):
		return say.WithHint(err, "look at the app on https://developers.pinterest.com/apps/: is it approved, are "+envAppID+" and "+envAppSecret+" its own, and is the environment, production or sandbox, the right one?")
	case errors.As(err, &e) && e.Temporary():
		return say.WithHint(err, "nothing is lost; try again later")
	}
	return err
}
