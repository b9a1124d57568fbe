package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/login"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

const (
	sandboxAccount     = "sandbox"
	defaultRedirectURL = "http://localhost:8085/"
)

// defaultScopes let one look, and change nothing.
var defaultScopes = []string{pinterest.ScopeUserAccountsRead, pinterest.ScopeBoardsRead, pinterest.ScopePinsRead}

// loginFlags are those of one run of the login command.
type loginFlags struct {
	account     string
	scopes      []string
	sandbox     bool
	app         bool // the app's own account: no user is asked
	redirectURL string
	noBrowser   bool
	timeout     time.Duration
	store       string
	json        bool
}

func newLogin() *cobra.Command {
	var l loginFlags
	c := &cobra.Command{
		Use:   "login",
		Short: "Log in to Pinterest, and keep the token",
		Long: `Log in to Pinterest: open its page in the browser, wait for the user to approve,
and keep the token under the account's name.

The app id and secret are taken from ` + envAppID + ` and ` + envAppSecret + `. If they
are not set they are asked for, the secret without showing it. A secret that was
typed in is kept beside the token, as each renewal needs it; one from the
environment is not, and has to be there for each renewal.

The redirect URL must be registered for the app, letter for letter, on
https://developers.pinterest.com/apps/. Its host must be this machine, unless
--no-browser is given: then the page can be opened on any machine, and the
address that it ends on is pasted here.

Accounts are kept in files that only you can read, in a directory of your
settings. --store or ` + envStore + ` names another place:

    file:DIR                       files in a directory
    keyring:                       the key ring of the operating system
    sqlite:FILE                    an SQLite database
    postgres://USER@HOST/DATABASE  a PostgreSQL database; also mysql://
    redis://HOST/NUMBER            a Redis, if it is run as a database

Put one with a password in the variable: arguments are no secret. All commands
that share a place renew a token once, on however many machines.

` + envAPI + ` and ` + envOAuth + ` point this at another server, such as
"pinterest emulator".`,
		Example: `  pinterest login
  pinterest login --scopes boards:read,pins:read,pins:write --account shop
  pinterest login --no-browser      # over SSH`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return l.run(c) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringSliceVar(&l.scopes, "scopes", defaultScopes, "the permissions to ask for, separated by commas")
	_ = c.RegisterFlagCompletionFunc("scopes", completeScopes) // fails if there is no such flag
	f.StringVar(&l.account, "account", defaultAccount, "keep the token under this name\n(several accounts can be logged in side by side; with --sandbox it is\n\""+sandboxAccount+"\" if not given)")
	f.BoolVar(&l.sandbox, "sandbox", false, "log in to Pinterest's sandbox")
	f.BoolVar(&l.app, "client-credentials", false, "log in to the account that owns the app; nobody is asked")
	f.StringVar(&l.redirectURL, "redirect-url", defaultRedirectURL, "the redirect URL that is registered for the app")
	f.BoolVar(&l.noBrowser, "no-browser", false, "print the page's address instead of opening it\n(the address that it ends on is read from standard input)")
	f.DurationVar(&l.timeout, "timeout", 5*time.Minute, "how long to wait for the user")
	storeFlag(c, &l.store)
	f.BoolVar(&l.json, "json", false, "print what \"pinterest status --json\" prints of the account")
	return c
}

func (l *loginFlags) run(c *cobra.Command) error {
	if l.sandbox && !c.Flags().Changed("account") {
		l.account = sandboxAccount
	}
	at, err := l.check(c.ErrOrStderr())
	if err != nil {
		return err
	}
	v, err := openAccountStore(c, l.store, true)
	if err != nil {
		return err
	}
	defer v.close()
	if err := l.mayReplace(c, v, at); err != nil {
		return err
	}
	id, secret, typed, err := credentials(c)
	if err != nil {
		return err
	}
	conf := &pinterest.Config{
		ClientID:     id,
		ClientSecret: secret,
		Endpoint:     oauth2.Endpoint(at),
		RedirectURL:  l.redirectURL,
		Scopes:       l.scopes,
	}
	kept := &app{ID: id, API: at.TokenURL, OAuth: at.AuthURL}
	if typed {
		kept.Secret = secret
	}
	save := func(ctx context.Context, t *oauth2.Token) error { return v.save(ctx, l.account, kept, t) }

	again := (&account{name: l.account, store: v}).login()
	if l.app {
		var t *oauth2.Token
		if t, err = conf.ClientCredentials(c.Context()).TokenContext(c.Context()); err == nil {
			err = save(c.Context(), t)
		}
	} else {
		err = l.authorize(c, conf, save)
	}
	if err != nil {
		return advise(err, again)
	}
	a, err := v.account(c.Context(), l.account)
	if err != nil {
		return err
	}
	w := c.ErrOrStderr()
	say.Line(w, "logged in: account %q in %s", a.name, v.name)
	if granted := pinterest.GrantedScopes(a.token); granted != nil {
		if missing := slices.DeleteFunc(slices.Clone(l.scopes), func(s string) bool { return slices.Contains(granted, s) }); len(missing) > 0 {
			say.Line(w, "Pinterest did not grant %s", strings.Join(missing, ", "))
		}
	}
	if !typed {
		say.Line(w, "the app secret is not kept: have %s set whenever the token is to be renewed", envAppSecret)
	}
	if l.json {
		return say.JSON(c.OutOrStdout(), a.report())
	}
	return nil
}

// check returns the server to log in to, after a look at all the flags.
func (l *loginFlags) check(w io.Writer) (server, error) {
	if err := checkAccount(l.account); err != nil {
		return server{}, err
	}
	if l.timeout <= 0 {
		return server{}, say.WrongUsage("--timeout must be positive", "write it like 5m")
	}
	if l.app && l.noBrowser {
		return server{}, say.WrongUsage("--client-credentials needs no browser anyway", "leave out --no-browser")
	}
	if err := checkScopes(w, l.scopes); err != nil {
		return server{}, err
	}
	at, named, err := serverOfEnv()
	switch {
	case err != nil:
		return server{}, err
	case named && l.sandbox && at.TokenURL != sandbox.TokenURL:
		return server{}, say.WrongUsage(fmt.Sprintf("--sandbox is one server, and %s names another", envAPI), "leave out --sandbox, or unset "+envAPI+" and "+envOAuth)
	case !named && l.sandbox:
		at = sandbox
	case !named:
		at = production
	}
	return at, nil
}

// mayReplace refuses to replace the token of another server, and finds out
// whether a new one could be kept before the user is bothered.
func (l *loginFlags) mayReplace(c *cobra.Command, v *accountStore, at server) error {
	ctx := c.Context()
	a, err := v.account(ctx, l.account)
	if err == nil && a.server().TokenURL != at.TokenURL && (a.app != nil || a.issuer() != "") {
		return say.WithHint(fmt.Errorf("account %q belongs to %s, and this login is at %s", l.account, a.server().name(), at.name()),
			"give this one another name by --account, or run pinterest logout --account "+say.ShellWord(l.account)+v.storeArgs()+" first")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && say.ExitStatus(err) != say.StatusReauthorize {
		say.Line(c.ErrOrStderr(), "what is kept of account %q will be replaced: %v", l.account, err)
	}
	for _, s := range []pinterest.Store{v.tokens, v.apps} {
		err := s.Update(ctx, l.account, func(context.Context, []byte) ([]byte, time.Time, error) { return nil, time.Time{}, errAsIs })
		if err != errAsIs {
			err = fmt.Errorf("the token could not be kept: %w", err)
			if f := new(say.Failure); errors.As(err, &f) {
				return err // it has a hint
			}
			return say.WithHint(err, "name another place by --store")
		}
	}
	return nil
}

// authorize has the user approve in the browser, and saves the token.
func (l *loginFlags) authorize(c *cobra.Command, conf *pinterest.Config, save func(context.Context, *oauth2.Token) error) error {
	ctx, cancel := context.WithTimeoutCause(c.Context(), l.timeout, errNobodyCame)
	defer cancel()
	w := c.ErrOrStderr()
	var t *oauth2.Token
	var err error
	if l.noBrowser {
		t, err = l.paste(ctx, c, conf)
	} else if err = l.checkRedirectURL(); err == nil {
		t, err = login.Loopback(ctx, conf, func(page string) error { return l.open(w, page) })
	}
	if err != nil {
		return l.explained(ctx, err)
	}
	return save(c.Context(), t)
}

// open shows the page, or says how the user can.
func (l *loginFlags) open(w io.Writer, page string) error {
	if overSSH() {
		say.Line(w, "this is an SSH session; open this page in a browser on this machine: %s", page)
		say.Hint(w, "a browser on another machine cannot come back here; for that, stop this and run: pinterest login --no-browser")
		return nil
	}
	say.Line(w, "opening this page in your browser: %s", page)
	if err := openBrowser(page); err != nil {
		say.Line(w, "no browser could be opened: %v", err)
		say.Hint(w, "open the page above yourself, or stop this and run: pinterest login --no-browser")
	}
	return nil
}

// paste has the user open the page anywhere, and paste the address that it ends on.
func (l *loginFlags) paste(ctx context.Context, c *cobra.Command, conf *pinterest.Config) (*oauth2.Token, error) {
	state := rand.Text()
	w := c.ErrOrStderr()
	say.Line(w, "open this page in any browser: %s", conf.AuthCodeURL(state))
	say.Line(w, "paste the address that it ends on, which begins with %s, and press Enter:", l.redirectURL)
	pasted, err := readLine(ctx, c.InOrStdin(), "paste the address, or pipe it in")
	if err != nil {
		return nil, err
	}
	code, err := codeOf(pasted, state)
	if err != nil {
		return nil, err
	}
	return conf.Exchange(c.Context(), code) // not given up when the time is over: a code works once
}

// codeOf returns the code in the address that a user pasted.
func codeOf(pasted, state string) (string, error) {
	_, query, _ := strings.Cut(pasted, "?")
	query, _, _ = strings.Cut(query, "#")
	q, err := url.ParseQuery(query)
	switch {
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) == 1:
	case err != nil || !q.Has("state"):
		return "", say.WithHint(errors.New("what was pasted is not the address that Pinterest's page ended on"),
			"run pinterest login --no-browser again, and paste all of the address, with code= and state= in it")
	default:
		return "", say.WithHint(errors.New("what was pasted has the state of another login"),
			"run pinterest login --no-browser again, and use the page that it prints")
	}
	switch {
	case q.Get("error") == "access_denied":
		return "", login.ErrDenied
	case q.Get("code") == "":
		return "", say.WithHint(errors.New("the login ended at Pinterest without a code"), "run pinterest login again to try once more")
	}
	return q.Get("code"), nil
}

func (l *loginFlags) checkRedirectURL() error {
	u, err := url.Parse(l.redirectURL)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "" || u.Fragment != "":
		return say.WrongUsage("--redirect-url is not a URL", "write it like "+defaultRedirectURL)
	case u.Scheme != "http" || !isLoopback(u.Hostname()):
		return say.WrongUsage(fmt.Sprintf("--redirect-url %s does not lead to this program, which can only wait on http://localhost", l.redirectURL),
			"add --no-browser and paste the address yourself, or register "+defaultRedirectURL+" for the app, too")
	}
	return nil
}

var errNobodyCame = errors.New("nobody came back from Pinterest's page")

// explained says why a login ended without a token, and what to do.
func (l *loginFlags) explained(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, login.ErrDenied):
		return say.WithHint(errors.New("access was denied on Pinterest's page"), "nothing has changed; run pinterest login again to try once more")
	case errors.Is(err, syscall.EADDRINUSE):
		return say.WithHint(fmt.Errorf("the port of %s is taken by another program", l.redirectURL),
			"stop that program (is it another pinterest login?), name another registered URL by --redirect-url, or add --no-browser")
	case errors.Is(err, login.ErrForeign):
		return say.WithHint(fmt.Errorf("%w within %v, except with the state of another login", errNobodyCame, l.timeout),
			"run pinterest login again, and approve on the page that it opens, not on an older one")
	case context.Cause(ctx) == errNobodyCame && (errors.Is(err, errNobodyCame) || errors.Is(err, ctx.Err())):
		return say.WithHint(fmt.Errorf("%w within %v", errNobodyCame, l.timeout),
			"if that page showed an error, see to it that "+l.redirectURL+" is registered for the app, letter for letter; --timeout gives more time")
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return errors.New("the login was stopped; nothing has changed")
	}
	return err
}

// overSSH reports whether a browser that is opened here would be on another
// machine than the user.
func overSSH() bool { return os.Getenv("SSH_CONNECTION") != "" || os.Getenv("SSH_TTY") != "" }
