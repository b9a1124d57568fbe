package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

func newToken() *cobra.Command {
	var name, store string
	var asJSON bool
	c := &cobra.Command{
		Use:   "token",
		Short: "Print an access token that is good now",
		Long: `Print an access token that is good now, and nothing else. If the one that is kept
has expired, or is about to, it is renewed first. Several at the same time renew
it once. What counts is its expiry: that Pinterest has ended a token sooner shows
at a call, such as "pinterest api user_account", which then renews it.`,
		Example: `  curl -H "Authorization: Bearer $(pinterest token)" https://api.pinterest.com/v5/user_account`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return useAccount(c, store, name, func(a *accounts.Account) error {
				src, err := a.Source(c.Context(), false)
				if err != nil {
					return err
				}
				t, err := src.TokenContext(c.Context())
				if err != nil {
					return accounts.Advise(err, a.Login())
				}
				if !asJSON {
					_, err = fmt.Fprintln(c.OutOrStdout(), t.AccessToken)
					return err
				}
				v := struct {
					AccessToken string     `json:"access_token"`
					TokenType   string     `json:"token_type"`
					Expiry      *time.Time `json:"access_token_expires_at"` // null: not known
				}{t.AccessToken, t.Type(), nil}
				if !t.Expiry.IsZero() {
					at := t.Expiry.UTC().Truncate(time.Second)
					v.Expiry = &at
				}
				return say.JSON(c.OutOrStdout(), v)
			})
		},
	}
	accountFlag(c, &name)
	storeFlag(c, &store)
	c.Flags().BoolVar(&asJSON, "json", false, "print the token with its type and expiry as JSON")
	return c
}
