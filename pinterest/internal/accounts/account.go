package accounts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/internal/wire"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// The names of accounts that nobody named.
const (
	DefaultName = "default"
	SandboxName = "sandbox"
)

// DefaultScopes are what a login asks for if nobody says: they let one look, and
// change nothing.
var DefaultScopes = []string{pinterest.ScopeUserAccountsRead, pinterest.ScopeBoardsRead, pinterest.ScopePinsRead}

// An App is what is kept of an account beside its token: what it takes to renew
// the token later.
type App struct {
	ID     string `json:"app_id"`
	Secret string `json:"app_secret,omitempty"` // kept if it was typed in
	API    string `json:"token_url"`
	OAuth  string `json:"auth_url"`
	User   string `json:"username,omitempty"` // whose account it is at Pinterest, if that is known
}

// An Account is a login that is kept under a name.
type Account struct {
	Name  string
	Token *oauth2.Token
	App   *App // nil: the token was put there by another program

	store *Store
}

// CheckName refuses what can be no name of an account.
func CheckName(name string) error {
	if name == "" || strings.ContainsFunc(name, wire.Unseen) {
		return say.WrongUsage("--account or "+EnvAccount+" is empty, or holds white space or a character that cannot be seen", "give it a name like "+DefaultName)
	}
	return nil
}

// Login is the command line that logs in as a again, with the same scopes.
func (a *Account) Login() string {
	line := "pinterest login"
	if a.Token == nil && a.Name == SandboxName || a.Token != nil && a.Server() == Sandbox {
		line += " --sandbox"
	}
	if implied := line == "pinterest login --sandbox" && os.Getenv(EnvAccount) == ""; a.Name != NameOfEnv() && !implied || implied && a.Name != SandboxName {
		name := say.ShellWord(a.Name)
		if say.OneLine(name) != name {
			name = strconv.Quote(a.Name) // not for a shell, but harmless to a terminal
		}
		line += " --account " + name
	}
	if a.Token != nil && a.OwnedByApp() {
		line += " --client-credentials"
	}
	if scopes := pinterest.GrantedScopes(a.Token); scopes != nil && !sameScopes(scopes, DefaultScopes) && !slices.ContainsFunc(scopes, isOdd) {
		line += " --scopes " + strings.Join(scopes, ",")
	}
	return line + a.store.Args()
}

func sameScopes(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// isOdd reports whether a scope is one that no shell and no terminal should be given.
func isOdd(scope string) bool { return say.ShellWord(scope) != scope }

// Server returns the one server that a belongs to: that which issued its token. If
// nobody knows which that was, it is the one that the environment names.
func (a *Account) Server() Server {
	issuer, _ := a.Token.Extra("issuer").(string)
	wanted, named, err := ServerOfEnv()
	switch {
	case a.App != nil && (issuer == "" || issuer == hostOf(a.App.API)):
		return Server{AuthURL: a.App.OAuth, TokenURL: a.App.API, AuthStyle: oauth2.AuthStyleInHeader}
	case err == nil && named && (issuer == "" || issuer == hostOf(wanted.TokenURL)):
		return wanted
	case issuer != "":
		return serverAt(issuer)
	}
	return Production
}

// Known reports whether it is known which server a belongs to.
func (a *Account) Known() bool {
	issuer, _ := a.Token.Extra("issuer").(string)
	return a.App != nil || issuer != ""
}

// OwnedByApp reports whether a is the app's own account: nobody logged in.
func (a *Account) OwnedByApp() bool { return a.Token.Extra("grant") == "client_credentials" }

// Config returns the Config that renews a's token. It has no secret if none is
// to be had, which problem explains; a token that is good needs none.
func (a *Account) Config() (conf *pinterest.Config, problem, err error) {
	at := a.Server()
	wanted, named, err := ServerOfEnv()
	if err != nil {
		return nil, nil, err
	}
	if named && wanted.TokenURL != at.TokenURL {
		return nil, nil, say.WithHint(fmt.Errorf("account %q belongs to %s, and %s names %s", a.Name, at.Name(), EnvAPI, wanted.Name()),
			"unset "+EnvAPI+" and "+EnvOAuth+", or use an account of that server")
	}
	conf = &pinterest.Config{
		Endpoint:     oauth2.Endpoint(at),
		RefreshAhead: -1, // a token that was printed is not to be replaced behind its user's back
		Logger:       a.store.logger,
	}
	id, secret, problem := AppOfEnv()
	if a.App == nil {
		conf.ClientID, conf.ClientSecret = id, secret
		if problem == nil && (id == "" || secret == "") {
			problem = say.WithHint(fmt.Errorf("account %q was not logged in by this program, so its app is not known", a.Name),
				"set "+EnvAppID+" and "+EnvAppSecret)
		}
		return conf, problem, nil
	}
	conf.ClientID = a.App.ID
	theirs := id != "" && id != a.App.ID // the environment is about another app
	switch {
	case problem != nil:
	case secret != "" && !theirs:
		conf.ClientSecret = secret
	case a.App.Secret != "":
		conf.ClientSecret = a.App.Secret
	case theirs:
		problem = say.WithHint(fmt.Errorf("account %q belongs to app %s, and %s is %s", a.Name, a.App.ID, EnvAppID, id),
			"set "+EnvAppID+" and "+EnvAppSecret+" to those of its app")
	default:
		problem = say.WithHint(fmt.Errorf("account %q belongs to app %s, whose secret is not kept", a.Name, a.App.ID),
			"set "+EnvAppSecret+", or log in again without it to type it in and have it kept")
	}
	return conf, problem, nil
}

// Source returns a source of tokens that are good now, for a process that uses
// them at once. Renew makes it begin with a new one. The store is to be settled
// before the process ends.
func (a *Account) Source(ctx context.Context, renew bool) (*pinterest.TokenSource, error) {
	conf, problem, err := a.Config()
	if err != nil {
		return nil, err
	}
	due := renew || nearlyExpired(a.Token)
	if due && problem != nil && (renew || !a.Token.Valid()) {
		return nil, problem
	}
	src := a.store.Accounts(conf, a.store.Tokens).Source(a.Name)
	if !due {
		return src, nil
	}
	if !renew {
		// Now the source knows which token is due, and takes a newer one that
		// another process may have put there meanwhile.
		t, err := src.TokenContext(ctx)
		if err != nil || !nearlyExpired(t) {
			return src, Advise(err, a.Login())
		}
	}
	_, err = src.Refresh(ctx)
	if err != nil && !renew {
		if _, good := src.TokenContext(ctx); good == nil {
			return src, nil // for the little that is left of its life
		}
	}
	return src, Advise(err, a.Login())
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

// Revoke revokes a's token while nobody can renew it.
func (a *Account) Revoke(ctx context.Context) error {
	conf, problem, err := a.Config()
	if err = errors.Join(err, problem); err != nil {
		return err
	}
	var outcome error
	err = a.store.Tokens.Update(ctx, a.Name, func(ctx context.Context, data []byte) ([]byte, time.Time, error) {
		if data == nil {
			return nil, time.Time{}, errAsIs // somebody was first
		}
		t, err := pinterest.UnmarshalToken(data)
		if err == nil {
			err = conf.Revoke(ctx, t)
		}
		if errors.Is(err, pinterest.ErrReauthorize) {
			err = nil // it is dead
		}
		outcome = err
		return nil, time.Time{}, errAsIs
	})
	if err == errAsIs {
		return outcome
	}
	return err
}

// Advise adds the hint that an error of the library calls for. Login is the
// command line that logs in again.
func Advise(err error, login string) error {
	var f *say.Failure
	var e *pinterest.Error
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case errors.Is(err, pinterest.ErrReauthorize):
		return &say.Failure{Err: err, Hint: "run: " + login, Status: say.StatusReauthorize}
	case errors.Is(err, pinterest.ErrClientRejected):
		return say.WithHint(err, "look at the app on https://developers.pinterest.com/apps/: is it approved, are "+EnvAppID+" and "+EnvAppSecret+" its own, and is the environment, production or sandbox, the right one?")
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return say.WithHint(err, untrustedHint(runtime.GOOS))
	case errors.As(err, &e) && e.Temporary():
		return say.WithHint(err, "nothing is lost; try again later")
	}
	return err
}

// untrustedHint is for a server whose certificate nobody here trusts, which no
// waiting mends.
func untrustedHint(system string) string {
	add := "name its certificate by SSL_CERT_FILE"
	if system == "darwin" || system == "windows" { // where Go does not heed that
		add = "add its certificate to those that the system trusts"
	}
	return "nothing was sent; see that the clock is right and the address the one you mean; if a proxy of yours stands between, " + add
}
