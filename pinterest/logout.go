package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

func newLogout() *cobra.Command {
	var name, store string
	c := &cobra.Command{
		Use:   "logout",
		Short: "Forget an account's token, and revoke it where Pinterest allows that",
		Long: `Revoke an account's token at Pinterest, and forget it and its app secret here.

Pinterest revokes only the tokens of system users. An ordinary user ends an app's
access in Pinterest's own settings. The token is forgotten here in any case.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			v, err := accounts.Open(c.Context(), c.ErrOrStderr(), store, false)
			if err != nil {
				return err
			}
			defer v.Close()
			return logout(c, v, accountName(c, name))
		},
	}
	accountFlag(c, &name)
	storeFlag(c, &store)
	return c
}

// elsewhere is where a user ends an app's access.
const elsewhere = "to end its access, disconnect the app in your settings at https://www.pinterest.com/settings/security"

func logout(c *cobra.Command, v *accounts.Store, name string) error {
	ctx, w := c.Context(), c.ErrOrStderr()
	if err := accounts.CheckName(name); err != nil {
		return err
	}
	a, err := v.Load(ctx, name)
	var f *say.Failure
	if errors.As(err, &f) && f.Status == say.StatusReauthorize {
		return say.WithHint(f.Err, `"pinterest status`+v.Args()+`" lists the accounts`)
	}
	alive, hint := err, elsewhere // why the token may still be good at Pinterest, and what to do about it
	if err == nil {
		alive = a.Revoke(ctx)
		if a.OwnedByApp() {
			hint = "its access token is good at Pinterest until it expires"
		}
	}
	// It is forgotten whatever became of that.
	ctx = context.WithoutCancel(ctx)
	if err := v.Forget(ctx, name); err != nil {
		return say.WithHint(err, "the account is not forgotten")
	}
	var e *pinterest.Error
	switch {
	case alive == nil:
		say.Line(w, "account %q is forgotten here and revoked at Pinterest", name)
		return nil
	case errors.As(alive, &e) && e.StatusCode == http.StatusForbidden && e.Code == 29:
		say.Line(w, "account %q is forgotten here; Pinterest revokes the tokens of system users only", name)
		say.Hint(w, "%s", hint)
		return nil
	}
	say.Line(w, "account %q is forgotten here", name)
	return say.WithHint(fmt.Errorf("its token could not be revoked: %w", alive), hint)
}
