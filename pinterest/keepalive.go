package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// newKeepalive returns the command that keeps idle accounts connected.
func newKeepalive() *cobra.Command {
	var store string
	k := keepalive{within: say.Days(14 * say.Day), parallel: 8}
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
			if err := k.check(c.Flags().Changed("every")); err != nil {
				return err
			}
			if _, _, err := serverOfEnv(); err != nil {
				return err
			}
			v, err := openAccountStore(c, store, false)
			if err != nil {
				return err
			}
			defer v.close()
			// Whoever reads the output may leave. Without this the process would
			// die of it, and with it tokens that were renewed and not saved yet.
			signal.Ignore(syscall.SIGPIPE)
			defer signal.Reset(syscall.SIGPIPE)
			k.pass, k.out, k.told = v.keepAlive, c.OutOrStdout(), c.ErrOrStderr()
			k.idle = func() string { return v.idle(k.within) }
			return v.settled(c.Context(), k.run(c.Context()))
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.Var(&k.within, "within", "renew what has less than this to live, in days (14d) or hours")
	f.Var(&k.every, "every", "do not end, but begin anew after this time, such as 24h or 1d")
	f.IntVar(&k.parallel, "parallel", k.parallel, "renew as many at a time")
	f.BoolVar(&k.json, "json", false, "print one JSON object a line")
	storeFlag(c, &store)
	return c
}

// A keepalive is a run of "pinterest keepalive".
type keepalive struct {
	within, every say.Days // every is zero: once
	parallel      int
	json          bool

	pass func(ctx context.Context, opts *pinterest.KeepAliveOptions) iter.Seq2[string, error] // as Accounts.KeepAlive has it

	// idle says more of a pass that had nothing to do; it may be nil.
	idle func() string

	out  io.Writer
	told io.Writer // all that is not data
}

func (k *keepalive) check(repeat bool) error {
	switch {
	case k.within <= 0:
		return say.WrongUsage("--within 0 would renew nothing", "write it like 14d; refresh tokens live sixty days")
	case repeat && time.Duration(k.every) < time.Minute:
		return say.WrongUsage("--every has to be a minute at least", "once a day is enough: 24h")
	case k.parallel < 1:
		return say.WrongUsage("--parallel has to be 1 at least", "without it, 8 tokens are renewed at a time")
	}
	return nil
}

func (k *keepalive) run(ctx context.Context) error {
	for {
		next := time.Now().Add(time.Duration(k.every))
		t, err := k.sweep(ctx, next)
		switch {
		case k.every == 0:
			return t.verdict(err)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, pinterest.ErrClientRejected):
			return err // as it would be next time
		case err != nil:
			say.Error(k.told, err)
		}
		select {
		case <-time.After(time.Until(next)):
		case <-ctx.Done():
			return nil
		}
	}
}

// sweep renews once what is about to lapse. Its error is one that concerns no
// single account.
func (k *keepalive) sweep(ctx context.Context, next time.Time) (t tally, ended error) {
	p := say.NewProgress(k.told, "accounts", "0 renewed", k.json && say.IsTerminal(k.out))
	opts := &pinterest.KeepAliveOptions{Within: time.Duration(k.within), Parallel: k.parallel}
	for account, err := range k.pass(ctx, opts) {
		if account == "" {
			ended = err
			continue
		}
		t.add(err)
		p.Show(t)
		switch {
		case k.json:
			k.printJSON(account, err)
		case err != nil:
			say.Error(p, accountFailed(account, err))
		case !p.Visible() || !say.IsTerminal(k.out):
			fmt.Fprintln(k.out, "renewed "+say.OneLine(account))
		}
	}
	p.End()
	if ctx.Err() != nil {
		ended = say.WithHint(errors.New("stopped before all accounts were looked at"), "what was renewed is saved")
	}
	if !k.json && (ended == nil || t != tally{}) {
		line := t.String()
		if t == (tally{}) && k.idle != nil {
			line += ": " + k.idle()
		}
		if k.every != 0 && ctx.Err() == nil {
			line += "; next at " + next.Format(time.DateTime)
		}
		fmt.Fprintln(k.out, line)
	}
	return t, ended
}

func (k *keepalive) printJSON(account string, err error) {
	line := struct {
		Time    time.Time `json:"time"`
		Account string    `json:"account"`
		Status  string    `json:"status"`
		Error   string    `json:"error,omitempty"`
	}{Time: time.Now().UTC().Truncate(time.Second), Account: account, Status: "renewed"}
	if err != nil {
		line.Status, line.Error = "failed", err.Error()
	}
	if errors.Is(err, pinterest.ErrReauthorize) {
		line.Status = "reauthorize"
	}
	_ = json.NewEncoder(k.out).Encode(line) // the sweep goes on if nobody reads it
}

// accountFailed says which account it was that failed, and what to do.
func accountFailed(account string, err error) error {
	message := strings.TrimPrefix(err.Error(), say.Prefix)
	if !strings.Contains(message, strconv.Quote(account)) {
		message = say.OneLine(account) + ": " + message
	}
	f := &say.Failure{Err: errors.New(message)}
	var why *say.Failure
	if errors.As(err, &why) {
		f.Hint = why.Hint
	}
	return f
}

// A tally counts what came of a sweep.
type tally struct{ renewed, failed, reauthorize int }

func (t *tally) add(err error) {
	switch {
	case err == nil:
		t.renewed++
	case errors.Is(err, pinterest.ErrReauthorize):
		t.reauthorize++
	default:
		t.failed++
	}
}

func (t tally) String() string {
	if t == (tally{}) {
		return "nothing had to be renewed"
	}
	s := fmt.Sprintf("%d renewed", t.renewed)
	if t.failed > 0 {
		s += fmt.Sprintf(", %d failed", t.failed)
	}
	if t.reauthorize > 0 {
		s += fmt.Sprintf(", %d to log in again", t.reauthorize)
	}
	return s
}

// verdict is what a single sweep ends with.
func (t tally) verdict(ended error) error {
	switch {
	case ended != nil:
		return ended
	case t.failed > 0:
		return &say.Failure{Status: say.StatusFailed} // all was said
	case t.reauthorize > 0:
		return &say.Failure{Status: say.StatusReauthorize}
	}
	return nil
}
