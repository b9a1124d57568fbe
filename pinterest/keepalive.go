package main

import (
	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/keepalive"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// newKeepalive returns the command that keeps idle accounts connected.
func newKeepalive() *cobra.Command {
	var store string
	k := keepalive.Run{Within: say.Days(14 * say.Day), Parallel: 8}
	c := &cobra.Command{
		Use:   "keepalive",
		Short: "Renew the tokens of accounts that are hardly used",
		Long: `Renew the tokens of accounts that are hardly used.

A refresh token dies after sixty days if nobody renews it, and then the account
has to log in again. This command renews every token that is about to lapse:
once, for a daily cron job or timer, or again and again with --every.

The accounts may belong to several apps. Set PINTEREST_APP_ID then, so that
PINTEREST_APP_SECRET is used for that app alone; the others need secrets that are
kept. An account without a secret counts as failed at once, and not only when its
token is about to lapse. An app's own account needs nothing: it has no refresh
token.

Lines on standard output name the accounts whose tokens were renewed; failures
go to standard error. With --json all of them go to standard output, one object
a line, whose "status" is "renewed", "failed" or "reauthorize".

The exit status is 0 if nothing failed, 3 if accounts have to log in again and
nothing else failed, and otherwise 1, as it is if the store holds no account at
all. With --every it is 0 when it is stopped.`,
		Example: `  pinterest keepalive
  pinterest keepalive --within 30d --every 24h
  pinterest keepalive --json | jq -r 'select(.status == "reauthorize").account'`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := k.Check(c.Flags().Changed("every")); err != nil {
				return err
			}
			v, err := accounts.Open(c.Context(), c.ErrOrStderr(), store, false)
			if err != nil {
				return err
			}
			defer v.Close()
			k.Out, k.Told = c.OutOrStdout(), c.ErrOrStderr()
			return k.Over(c.Context(), v)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.Var(&k.Within, "within", "renew what has less than this to live, in days (14d) or hours")
	f.Var(&k.Every, "every", "do not end, but begin anew after this time, such as 24h or 1d")
	f.IntVar(&k.Parallel, "parallel", k.Parallel, "renew as many at a time")
	f.BoolVar(&k.JSON, "json", false, "print one JSON object a line")
	storeFlag(c, &store)
	return c
}
