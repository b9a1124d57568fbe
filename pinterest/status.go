package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

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
			v, err := accounts.Open(c.Context(), c.ErrOrStderr(), store, false)
			if err != nil {
				return err
			}
			defer v.Close()
			names := []string{name}
			if !c.Flags().Changed("account") {
				if names, err = v.Names(c.Context()); err != nil {
					return err
				}
			}
			reports := []accounts.Report{}
			var failed error
			for _, name := range names {
				a, err := v.Account(c.Context(), name)
				switch {
				case err != nil && len(names) == 1:
					return err
				case err != nil:
					say.Error(c.ErrOrStderr(), err)
					failed = errors.New("not all accounts could be read")
				default:
					reports = append(reports, a.Report())
				}
			}
			if asJSON {
				if err := say.JSON(c.OutOrStdout(), reports); err != nil {
					return err
				}
			} else {
				for _, r := range reports {
					r.Print(c.OutOrStdout())
				}
			}
			if len(names) == 0 {
				return v.Nobody()
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
