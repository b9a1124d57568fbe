package main

import (
	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

func newRefresh() *cobra.Command {
	var name, store string
	var asJSON bool
	c := &cobra.Command{
		Use:   "refresh",
		Short: "Renew an account's token now",
		Long: `Renew an account's token now, however long it is still good. There is seldom a
need to: "pinterest token" renews in time.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return useAccount(c, store, name, func(a *accounts.Account) error {
				src, err := a.Source(c.Context(), true)
				if err != nil {
					return err
				}
				if a.Token, err = src.TokenContext(c.Context()); err != nil {
					return accounts.Advise(err, a.Login())
				}
				r := a.Report()
				say.Line(c.ErrOrStderr(), "renewed: the access token of account %q %s", a.Name, say.Expires(r.AccessExpiry))
				if asJSON {
					return say.JSON(c.OutOrStdout(), r)
				}
				return nil
			})
		},
	}
	accountFlag(c, &name)
	storeFlag(c, &store)
	c.Flags().BoolVar(&asJSON, "json", false, "print what \"pinterest status --json\" prints of the account")
	return c
}
