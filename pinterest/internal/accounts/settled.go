package accounts

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// savingLimit is how long a command waits for a token to be saved.
const savingLimit = 2 * time.Minute

// Accounts returns the accounts of conf's app in s, which is v's store of tokens
// or shows a part of it. Those that it returned before must not be used any more:
// it keeps them only until their tokens are saved.
func (v *Store) Accounts(conf *pinterest.Config, s pinterest.Store) *pinterest.Accounts {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	v.settle(over)
	a := &pinterest.Accounts{Config: conf, Store: s}
	v.used = append(v.used, a)
	return a
}

// settle waits for what was used, and keeps what is not settled when ctx ends.
func (v *Store) settle(ctx context.Context) {
	v.used = slices.DeleteFunc(v.used, func(a *pinterest.Accounts) bool { return a.Wait(ctx) == nil })
}

// Settled returns err when all that was renewed is saved, or else what is wrong
// with that. Being stopped before is no reason not to wait.
func (v *Store) Settled(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), savingLimit)
	defer cancel()
	v.settle(ctx)
	if len(v.used) > 0 && err == nil {
		err = say.WithHint(errors.New("the renewed token could not be saved, and the one before may be dead"),
			"mend the store; if the next command says so, log in again")
	}
	return err
}

// An unsavedHandler is a [slog.Handler] that says to the user, once, that a
// renewed token could not be saved.
type unsavedHandler struct {
	slog.Handler
	told io.Writer
	once sync.Once
}

func newUnsavedHandler(told io.Writer) *unsavedHandler {
	return &unsavedHandler{Handler: slog.DiscardHandler, told: told}
}

// Enabled implements [slog.Handler].
func (h *unsavedHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelError
}

// Handle implements [slog.Handler].
func (h *unsavedHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "pinterest: token not saved" {
		return nil
	}
	r.Attrs(func(why slog.Attr) bool {
		if why.Key != "error" {
			return true
		}
		h.once.Do(func() {
			say.Line(h.told, "the renewed token could not be saved: %v", why.Value)
			say.Line(h.told, "it is tried again for two minutes; do not stop this program, or the token is lost")
		})
		return false
	})
	return nil
}
