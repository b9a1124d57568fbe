package main

import (
	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
)

// accountFlag lets a command be told which account it is about.
func accountFlag(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "account", "", "the account to use; several can be logged in side by side\n(if not the one that "+accounts.EnvAccount+" names, or else \""+accounts.DefaultName+"\")")
	_ = c.RegisterFlagCompletionFunc("account", completeAccounts) // fails if there is no such flag
}

// accountName is the account that is meant: given by the flag or not.
func accountName(c *cobra.Command, name string) string {
	if !c.Flags().Changed("account") {
		return accounts.NameOfEnv()
	}
	return name
}

// storeFlag lets a command be told where accounts are kept.
func storeFlag(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "store", "", "where accounts are kept, as in file:DIR\n(if not where "+accounts.EnvStore+" says or in the user's settings;\nsee \"pinterest help login\")")
}

// useAccount calls f with the account of that name, and returns when all that
// f renewed is saved.
func useAccount(c *cobra.Command, store, name string, f func(a *accounts.Account) error) error {
	v, err := accounts.Open(c.Context(), c.ErrOrStderr(), store, false)
	if err != nil {
		return err
	}
	defer v.Close()
	a, err := v.Account(c.Context(), accountName(c, name))
	if err != nil {
		return err
	}
	return v.Settled(c.Context(), f(a))
}
