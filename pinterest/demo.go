package main

import (
	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest/pinterest/internal/demo"
)

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show the whole life of a token, against a built-in fake Pinterest",
		Long: `Show the whole life of a token, against a built-in fake Pinterest: a user logs
in, tokens expire and are renewed, one is rejected, the server has an outage,
and at last the user disconnects the app. Takes about fifteen seconds.

Everything that the demo claims is checked against what the fake Pinterest
counted. The exit status is 0 only if all of it happened.`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE:                  func(c *cobra.Command, _ []string) error { return demo.Run(c.Context(), c.OutOrStdout()) },
	}
}
