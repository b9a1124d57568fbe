package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest"
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
			v, err := openAccountStore(c, store, false)
			if err != nil {
				return err
			}
			defer v.close()
			return v.logout(c, name)
		},
	}
	accountFlag(c, &name)
	storeFlag(c, &store)
	return c
}

// elsewhere is where a user ends an app's access.
const elsewhere = "to end its access, disconnect the app in your settings at https://www.pinterest.com/settings/security"

func (v *accountStore) logout(c *cobra.Command, name string) error {
	ctx, w := c.Context(), c.ErrOrStderr()
	a, err := v.account(ctx, name)
	var f *say.Failure
	if errors.As(err, &f) && f.Status == say.StatusReauthorize {
		return say.WithHint(f.Err, `"pinterest status`+v.storeArgs()+`" lists the accounts`)
	}
	alive := err // why the token may still be good at Pinterest
	if err == nil {
		alive = a.revoke(ctx)
	}
	// It is forgotten whatever became of that.
	ctx = context.WithoutCancel(ctx)
	accounts := pinterest.Accounts{Store: v.tokens}
	if err := errors.Join(accounts.Forget(ctx, name), v.apps.Delete(ctx, name)); err != nil {
		return say.WithHint(err, "the account is not forgotten")
	}
	var e *pinterest.Error
	switch {
	case alive == nil:
		say.Line(w, "account %q is forgotten here and revoked at Pinterest", name)
		return nil
	case errors.As(alive, &e) && e.StatusCode == http.StatusForbidden && e.Code == 29:
		say.Line(w, "account %q is forgotten here; Pinterest revokes the tokens of system users only", name)
		say.Hint(w, "%s", elsewhere)
		return nil
	}
	say.Line(w, "account %q is forgotten here", name)
	return say.WithHint(fmt.Errorf("its token could not be revoked: %w", alive), elsewhere)
}

// revoke revokes a's token while nobody can renew it.
func (a *account) revoke(ctx context.Context) error {
	conf, problem, err := a.config()
	if err = errors.Join(err, problem); err != nil {
		return err
	}
	var outcome error
	err = a.store.tokens.Update(ctx, a.name, func(ctx context.Context, data []byte) ([]byte, time.Time, error) {
		t, err := pinterest.UnmarshalToken(data)
		if err == nil {
			err = conf.Revoke(ctx, t)
		}
		if errors.Is(err, pinterest.ErrReauthorize) || errors.Is(err, fs.ErrNotExist) {
			err = nil // it is dead
		}
		outcome = err
		return nil, time.Time{}, errAsIs
	})
	if err == errAsIs {
		return outcome
	}
	return err
}
