package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// A report is what status tells of an account: no secrets.
type report struct {
	Account       string     `json:"account"`
	Environment   string     `json:"environment"` // "production", "sandbox", or the URL of another server
	AppID         string     `json:"app_id"`      // empty: not known
	AppSecretKept bool       `json:"app_secret_kept"`
	OwnAccount    bool       `json:"client_credentials"`
	Scopes        []string   `json:"scopes"`                   // null: not known
	AccessExpiry  *time.Time `json:"access_token_expires_at"`  // null: not known
	RefreshExpiry *time.Time `json:"refresh_token_expires_at"` // null: not known, or there is none
	Refreshable   bool       `json:"has_refresh_token"`
}

func (a *account) report() report {
	r := report{
		Account:     a.name,
		Environment: a.server().name(),
		Scopes:      pinterest.GrantedScopes(a.token),
		Refreshable: a.token.RefreshToken != "",
		OwnAccount:  a.ownedByApp(),
	}
	if a.app != nil {
		r.AppID, r.AppSecretKept = a.app.ID, a.app.Secret != ""
	}
	second := func(t time.Time) *time.Time { t = t.UTC().Truncate(time.Second); return &t }
	if !a.token.Expiry.IsZero() {
		r.AccessExpiry = second(a.token.Expiry)
	}
	if at, ok := pinterest.RefreshExpiry(a.token); ok {
		r.RefreshExpiry = second(at)
	}
	return r
}

// print writes r for people.
func (r report) print(w io.Writer) {
	line := func(name, text string) { fmt.Fprintf(w, "  %-14s %s\n", name, text) }
	fmt.Fprintln(w, r.Account)
	line("environment", r.Environment)
	switch {
	case r.AppID == "":
		line("app", "that of the environment")
	case r.AppSecretKept:
		line("app", r.AppID)
	case secretOfEnv(r.AppID) != "":
		line("app", r.AppID+", its secret is not kept: "+envAppSecret+" has it")
	case os.Getenv(envAppSecret) != "": // which is another app's
		line("app", r.AppID+", its secret is not kept: "+envAppID+" names another app")
	default:
		line("app", r.AppID+", its secret is not kept: "+envAppSecret+" is not set")
	}
	scopes := "not known"
	if r.Scopes != nil {
		scopes = strings.Join(r.Scopes, " ")
	}
	line("scopes", scopes)
	line("access token", say.Expires(r.AccessExpiry))
	switch {
	case r.OwnAccount:
		line("refresh token", "none; the app asks for another access token")
	case !r.Refreshable:
		line("refresh token", "none")
	default:
		line("refresh token", say.Expires(r.RefreshExpiry))
	}
}

func newStatus() *cobra.Command {
	var name, store string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show who is logged in, with which scopes, and for how long",
		Long: `Show the accounts that are logged in: the environment and the scopes of their
tokens, and when these expire. Nothing is sent, and no secret is shown.

An access token is renewed when it is needed, by the refresh token. When that has
expired, the user has to log in again.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			v, err := openAccountStore(c, store, false)
			if err != nil {
				return err
			}
			defer v.close()
			names := []string{name}
			if !c.Flags().Changed("account") {
				if names, err = v.names(c.Context()); err != nil {
					return err
				}
			}
			reports := []report{}
			var failed error
			for _, name := range names {
				a, err := v.account(c.Context(), name)
				switch {
				case err != nil && len(names) == 1:
					return err
				case err != nil:
					say.Error(c.ErrOrStderr(), err)
					failed = errors.New("not all accounts could be read")
				default:
					reports = append(reports, a.report())
				}
			}
			if asJSON {
				if err := say.JSON(c.OutOrStdout(), reports); err != nil {
					return err
				}
			} else {
				for _, r := range reports {
					r.print(c.OutOrStdout())
				}
			}
			if len(names) == 0 {
				nobody := &account{name: defaultAccount, store: v}
				return &say.Failure{Err: fmt.Errorf("nobody is logged in: there is no token in %s", v.name), Hint: "run: " + nobody.login(), Status: say.StatusReauthorize}
			}
			return failed
		},
	}
	accountFlag(c, &name)
	f := c.Flag("account")
	f.Usage, f.DefValue = "show this account alone", ""
	storeFlag(c, &store)
	c.Flags().BoolVar(&asJSON, "json", false, "print a list of accounts as JSON")
	return c
}
