package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/signin"
)

func newLogin() *cobra.Command {
	var l signin.Login
	c := &cobra.Command{
		Use:   "login",
		Short: "Log in to Pinterest, and keep the token",
		Long: `Log in to Pinterest: open its page in the browser, wait for the user to approve,
and keep the token under the account's name.

The app id and secret are taken from ` + accounts.EnvAppID + ` and ` + accounts.EnvAppSecret + `. If they
are not set they are asked for, the secret without showing it. A secret that was
typed in is kept beside the token, as each renewal needs it; one from the
environment is not, and has to be there for each renewal.

The redirect URL must be registered for the app, letter for letter, on
https://developers.pinterest.com/apps/. Its host must be this machine, unless
--no-browser is given: then the page can be opened on any machine, and the
address that it ends on is pasted here.

Accounts are kept in files that only you can read, in a directory of your
settings. --store or ` + accounts.EnvStore + ` names another place:

    file:DIR                       files in a directory
    keyring:                       the key ring of the operating system
    sqlite:FILE                    an SQLite database
    postgres://USER@HOST/DATABASE  a PostgreSQL database; also mysql://
    redis://HOST/NUMBER            a Redis, if it is run as a database

Put one with a password in the variable: arguments are no secret. All commands
that share a place renew a token once, on however many machines.

` + accounts.EnvAPI + ` and ` + accounts.EnvOAuth + ` point this at another server, such as
"pinterest emulator". "pinterest help environment" lists all variables.`,
		Example: `  pinterest login
  pinterest login --scopes boards:read,pins:read,pins:write --account shop
  pinterest login --no-browser      # over SSH`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			l.Account = accountName(c, l.Account)
			if l.Sandbox && !c.Flags().Changed("account") && l.Account == accounts.DefaultName {
				l.Account = accounts.SandboxName
			}
			l.In, l.Out, l.Told = c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()
			return l.Run(c.Context())
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringSliceVar(&l.Scopes, "scopes", accounts.DefaultScopes, "the permissions to ask for, separated by commas")
	_ = c.RegisterFlagCompletionFunc("scopes", completeScopes) // fails if there is no such flag
	f.StringVar(&l.Account, "account", "", "keep the token under this name; several can be logged in side by side\n(if not the one that "+accounts.EnvAccount+" names, or else \""+accounts.DefaultName+"\",\nwith --sandbox \""+accounts.SandboxName+"\")")
	f.BoolVar(&l.Sandbox, "sandbox", false, "log in to Pinterest's sandbox")
	f.BoolVar(&l.App, "client-credentials", false, "log in to the account that owns the app; nobody is asked")
	f.StringVar(&l.RedirectURL, "redirect-url", signin.DefaultRedirectURL, "the redirect URL that is registered for the app")
	f.BoolVar(&l.NoBrowser, "no-browser", false, "print the page's address instead of opening it\n(the address that it ends on is read from standard input)")
	f.DurationVar(&l.Timeout, "timeout", 5*time.Minute, "how long to wait for the user")
	storeFlag(c, &l.Store)
	f.BoolVar(&l.JSON, "json", false, "print what \"pinterest status --json\" prints of the account")
	return c
}
