package pinterest

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest/internal/renew"
)

// KeepAliveOptions are the options of [Accounts.KeepAlive].
type KeepAliveOptions struct {
	// Within is what a refresh token must have left to live, or it is renewed.
	// Zero means two weeks. It has to be less than the sixty days of a new one: else
	// that is due again at once, and each of several sweeps renews every account.
	Within time.Duration

	// Parallel is how many are renewed at a time. Zero or less means 8.
	Parallel int
}

// KeepAlive renews every kept token whose refresh token has less than Within
// to live, Parallel at a time, and yields each key it renewed or failed to, as
// it happens. A refresh token dies after sixty idle days: run it daily. Opts may
// be nil.
//
// A token whose refresh expiry is not known is renewed, too. One bad account
// stops no other. A rate limit slows the sweep down. Sweeps that run at the same
// time, in this process or another, share the work. The memory it takes does not
// depend on the number of accounts.
//
// An error with an empty key says that the sweep ends early: the store could not
// list its keys, Config cannot send anything, or ctx is over. What had begun is
// still yielded. A sweep that is left, by its
// context or by its loop, starts nothing more and returns when what had begun is
// done. A renewed token that cannot be saved is yielded with the error; the sweep
// waits until it is saved or ctx is over, and this process goes on trying after
// that: see [Accounts.Wait].
//
// There is no time limit but ctx's: a sweep takes as long as the accounts that are
// due, and one that Pinterest answers with rate limits is asked about for half an
// hour, or as long as Pinterest says. The error of a key is an [*Error] or that of
// [Accounts.Load]: what is [ErrReauthorize] is for that user to mend. The sequence
// may be used again, and is a new sweep then.
func (a *Accounts) KeepAlive(ctx context.Context, opts *KeepAliveOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		w := &sweep{accounts: a, within: 14 * 24 * time.Hour, parallel: 8}
		if opts != nil && opts.Within != 0 {
			w.within = opts.Within
		}
		if opts != nil && opts.Parallel > 0 {
			w.parallel = opts.Parallel
		}
		if _, err := a.place("any"); err != nil {
			yield("", err)
			return
		}
		if _, err := a.config().check(); err != nil {
			yield("", &Error{Op: opRefresh, Err: err})
			return
		}
		w.run(ctx, yield)
	}
}

// A sweep is one run over the keys of a store.
type sweep struct {
	accounts *Accounts
	within   time.Duration
	parallel int

	results chan result
	working sync.WaitGroup
	waiting chan struct{} // a place for each token that waits to be saved; when there is none, so do the workers
	gate    chan struct{} // had by the one that a rate limit met, who sends alone until it is let through

	mu    sync.Mutex // guards until
	until time.Time  // Pinterest asked to wait so long
}

type result struct {
	key string
	err error
}

func (w *sweep) run(parent context.Context, yield func(string, error) bool) {
	ctx, cancel := context.WithCancel(parent)
	keys := make(chan string)
	w.results, w.waiting, w.gate = make(chan result), make(chan struct{}, w.parallel), make(chan struct{}, 1)
	w.working.Go(func() {
		defer close(keys)
		if err := w.list(ctx, keys); err != nil && ctx.Err() == nil {
			w.results <- result{"", err}
		}
	})
	for range w.parallel {
		w.working.Go(func() {
			for key := range keys {
				if renewed, err := w.renew(ctx, key); renewed || err != nil {
					w.results <- result{key, err}
				}
			}
		})
	}
	go func() {
		w.working.Wait()
		close(w.results)
	}()
	defer func() { // also if the loop is left, or panics
		cancel()
		for range w.results {
		}
	}()
	for r := range w.results {
		if !yield(r.key, r.err) {
			return
		}
	}
	if err := parent.Err(); err != nil {
		yield("", err)
	}
}

// list sends every key that is due, not in the store's order but each taken at
// random from a window of them: sweeps that run at the same time would meet at
// every lock.
func (w *sweep) list(ctx context.Context, keys chan<- string) error {
	window := make([]string, 0, 64*w.parallel)
	send := func(i int) error {
		select {
		case keys <- window[i]:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	failed := w.accounts.Store.Each(ctx, time.Now().Add(w.within), func(key string, value []byte) error {
		if t, err := readRecord(key, value); err == nil && !w.due(t) {
			return nil
		}
		if len(window) < cap(window) {
			window = append(window, key)
			return nil
		}
		i := rand.N(len(window))
		if err := send(i); err != nil {
			return err
		}
		window[i] = key
		return nil
	})
	rand.Shuffle(len(window), func(i, j int) { window[i], window[j] = window[j], window[i] })
	for i := range window {
		if err := send(i); err != nil {
			return err
		}
	}
	return failed
}

// due reports whether t is about to lapse.
func (w *sweep) due(t *oauth2.Token) bool {
	until, known := RefreshExpiry(t)
	return t.RefreshToken != "" && (!known || time.Until(until) < w.within)
}

// renew renews key's token if it is about to lapse, and reports whether it did.
func (w *sweep) renew(ctx context.Context, key string) (renewed bool, err error) {
	if w.pass(ctx) != nil {
		return false, nil
	}
	changes := w.accounts.changed()
	t, err := w.accounts.Load(ctx, key)
	switch {
	case isNothing(err) || ctx.Err() != nil:
		return false, nil // forgotten meanwhile, or the sweep is over
	case err != nil:
		return false, err
	case !w.due(t):
		return false, nil // by another sweep
	}
	acc, giveBack := w.accounts.borrow(key, t, changes)
	defer giveBack()
	source := &acc.source
	renewed, err = w.ask(ctx, key, source)
	if rateLimit(err) != nil {
		renewed, err = w.askAlone(ctx, key, source, err)
	}
	switch {
	case isNothing(err):
		return false, nil
	case err == nil && source.Busy():
		err = w.save(ctx, source)
	}
	return renewed, err
}

// ask has source renew key's token. What has begun is waited for, though the
// sweep be left.
func (w *sweep) ask(ctx context.Context, key string, source *renew.Source) (renewed bool, err error) {
	ctx = context.WithoutCancel(ctx)
	t := source.Token()
	if t != nil && !w.due(t.OAuth2()) { // renewed since it was loaded, unless what was loaded is news to the source
		if kept, err := w.accounts.Load(ctx, key); err != nil || !w.due(kept) {
			return false, err
		}
	}
	t, renewed, err = source.Replace(ctx, t, renew.Due)
	if err == nil && !renewed && w.due(t.OAuth2()) { // the source had not noticed what the sweep has loaded
		_, renewed, err = source.Replace(ctx, t, renew.Due)
	}
	return renewed, err
}

// askAlone asks again, while all others wait, after a rate limit has met source.
func (w *sweep) askAlone(ctx context.Context, key string, source *renew.Source, err error) (renewed bool, _ error) {
	const patience = 30 * time.Minute // or for as long as Pinterest asks, once
	w.holdBack(rateLimit(err).RetryAfter)
	select {
	case w.gate <- struct{}{}:
		defer func() { <-w.gate }()
	case <-ctx.Done():
		return false, err
	}
	for began := time.Now(); rateLimit(err) != nil && time.Since(began) < patience; {
		left, _ := source.Trouble()
		w.holdBack(left)
		if w.wait(ctx) != nil {
			break
		}
		renewed, err = w.ask(ctx, key, source)
	}
	return renewed, err
}

// rateLimit returns err if it is a rate limit's.
func rateLimit(err error) *Error {
	var e *Error
	if errors.As(err, &e) && e.StatusCode == http.StatusTooManyRequests {
		return e
	}
	return nil
}

// save waits for a token to be saved. If that takes long, it leaves the waiting
// to another goroutine and returns the error.
func (w *sweep) save(ctx context.Context, source *renew.Source) error {
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if source.Wait(short) == nil {
		return nil
	}
	_, err := source.Trouble()
	select {
	case w.waiting <- struct{}{}:
		w.working.Go(func() {
			_ = source.Wait(ctx)
			<-w.waiting
		})
	case <-ctx.Done():
	}
	return err
}

// pass waits while one sends alone.
func (w *sweep) pass(ctx context.Context) error {
	select {
	case w.gate <- struct{}{}:
		<-w.gate
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait waits as long as Pinterest asked to.
func (w *sweep) wait(ctx context.Context) error {
	for {
		w.mu.Lock()
		left := time.Until(w.until)
		w.mu.Unlock()
		if err := pause(ctx, left); err != nil || left <= 0 {
			return err
		}
	}
}

// holdBack has the one that sends alone wait.
func (w *sweep) holdBack(d time.Duration) {
	until := time.Now().Add(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	if until.After(w.until) {
		w.until = until
	}
}
