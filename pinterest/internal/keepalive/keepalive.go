package keepalive

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

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// A Run is a run of "pinterest keepalive". Its fields are what the user asked for.
type Run struct {
	Within, Every say.Days // Every is zero: once
	Parallel      int
	JSON          bool
	Out, Told     io.Writer // Told is for all that is not data

	pass func(ctx context.Context, opts *pinterest.KeepAliveOptions) iter.Seq2[string, error] // as Accounts.KeepAlive has it
	idle func() string                                                                        // says more of a pass that had nothing to do; it may be nil
}

// Check finds fault with what the user asked for. Repeat: it is to begin anew.
func (k *Run) Check(repeat bool) error {
	switch {
	case k.Within <= 0:
		return say.WrongUsage("--within 0 would renew nothing", "write it like 14d; refresh tokens live sixty days")
	case repeat && time.Duration(k.Every) < time.Minute:
		return say.WrongUsage("--every has to be a minute at least", "once a day is enough: 24h")
	case k.Parallel < 1:
		return say.WrongUsage("--parallel has to be 1 at least", "without it, 8 tokens are renewed at a time")
	}
	_, _, err := accounts.ServerOfEnv()
	return err
}

// Over runs k over all the accounts of v. The store is to be settled then.
func (k *Run) Over(ctx context.Context, v *accounts.Store) error {
	// Whoever reads the output may leave. Without this the process would
	// die of it, and with it tokens that were renewed and not saved yet.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	all := &everyApp{store: v}
	k.pass, k.idle = all.pass, func() string { return all.idle(k.Within) }
	return v.Settled(ctx, k.run(ctx))
}

func (k *Run) run(ctx context.Context) error {
	for {
		next := time.Now().Add(time.Duration(k.Every))
		t, err := k.sweep(ctx, next)
		switch {
		case k.Every == 0:
			return t.verdict(err)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, pinterest.ErrClientRejected):
			return err // as it would be next time
		case err != nil:
			say.Error(k.Told, err)
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
func (k *Run) sweep(ctx context.Context, next time.Time) (t tally, ended error) {
	p := say.NewProgress(k.Told, "accounts", "0 renewed", k.JSON && say.IsTerminal(k.Out))
	opts := &pinterest.KeepAliveOptions{Within: time.Duration(k.Within), Parallel: k.Parallel}
	for account, err := range k.pass(ctx, opts) {
		if account == "" {
			ended = err
			continue
		}
		t.add(err)
		p.Show(t)
		switch {
		case k.JSON:
			k.printJSON(account, err)
		case err != nil:
			say.Error(p, accountFailed(account, err))
		case p.Visible() && say.IsTerminal(k.Out):
			fmt.Fprintln(p, "renewed "+say.OneLine(account)) // above the bar
		default:
			fmt.Fprintln(k.Out, "renewed "+say.OneLine(account))
		}
	}
	p.End()
	if ctx.Err() != nil {
		ended = say.WithHint(errors.New("stopped before all accounts were looked at"), "what was renewed is saved")
	}
	if !k.JSON && (ended == nil || t != tally{}) {
		line := t.String()
		if t == (tally{}) && k.idle != nil {
			line += ": " + k.idle()
		}
		if k.Every != 0 && ctx.Err() == nil {
			line += "; next at " + next.Format(time.DateTime)
		}
		fmt.Fprintln(k.Out, line)
	}
	return t, ended
}

func (k *Run) printJSON(account string, err error) {
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
	_ = json.NewEncoder(k.Out).Encode(line) // the sweep goes on if nobody reads it
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
