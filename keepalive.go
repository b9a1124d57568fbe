package pinterest

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// KeepAliveOptions are the options of [Config.KeepAlive].
type KeepAliveOptions struct {
	Within   time.Duration // renew what has less than this to live; zero: two weeks
	Parallel int           // how many at a time; zero: 8
}

// KeepAlive renews every stored token whose refresh token has less than Within
// to live, Parallel at a time, and yields each key it renewed or failed to, as
// it happens. A refresh token dies after sixty idle days: run it daily. Opts may
// be nil.
//
// A token whose refresh expiry is not known is renewed, too. One bad account
// stops no other. A rate limit slows the sweep down. Sweeps that run at the same
// time, in this process or another, share the work. The memory it takes does not
// depend on the number of accounts.
//
// An error with an empty key ends the sweep: the store could not list its keys,
// c cannot send anything, or ctx is over. A sweep that is left, by its context
// or by its loop, starts nothing more and returns when what had begun is done. A
// renewed token that cannot be saved is yielded with the error; the sweep goes
// on trying to save it until ctx is over, and this process after that.
func (c *Config) KeepAlive(ctx context.Context, s Store, opts *KeepAliveOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		w := &sweep{conf: c, store: s, within: 14 * 24 * time.Hour, parallel: 8}
		if opts != nil && opts.Within != 0 {
			w.within = opts.Within
		}
		if opts != nil && opts.Parallel > 0 {
			w.parallel = opts.Parallel
		}
		if err := checkPlace(s, "any"); err != nil {
			yield("", err)
			return
		}
		if _, err := c.check(); err != nil {
			yield("", &Error{Op: opRefresh, Err: err})
			return
		}
		w.run(ctx, yield)
	}
}

// unlimited is the context key of a renewal that returns a rate limit at once,
// so that the sweep waits and not a key's lock.
type unlimited struct{}

// A sweep is one run over the keys of a store.
type sweep struct {
	conf     *Config
	store    Store
	within   time.Duration
	parallel int

	results chan swept
	working sync.WaitGroup
	waiting chan struct{} // a place for each token that waits to be saved; when there is none, so do the workers

	mu    sync.Mutex // guards until
	until time.Time  // Pinterest asked to wait so long
}

type swept struct {
	key string
	err error
}

func (w *sweep) run(parent context.Context, yield func(string, error) bool) {
	ctx, cancel := context.WithCancel(parent)
	keys := make(chan string)
	w.results, w.waiting = make(chan swept), make(chan struct{}, w.parallel)
	w.working.Go(func() {
		defer close(keys)
		w.list(ctx, keys)
	})
	for range w.parallel {
		w.working.Go(func() {
			for key := range keys {
				if renewed, err := w.renew(ctx, key); renewed || err != nil {
					w.results <- swept{key, err}
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

// list sends every key, not in the store's order but each taken at random from a
// window of them: sweeps that run at the same time would meet at every lock.
func (w *sweep) list(ctx context.Context, keys chan<- string) {
	window := make([]string, 0, 64*w.parallel)
	send := func(i int) bool {
		select {
		case keys <- window[i]:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var failed error
	for key, err := range w.store.Keys(ctx) {
		if err != nil {
			failed = err
			break
		}
		switch {
		case len(window) < cap(window):
			window = append(window, key)
			continue
		}
		i := rand.N(len(window))
		if !send(i) {
			return
		}
		window[i] = key
	}
	rand.Shuffle(len(window), func(i, j int) { window[i], window[j] = window[j], window[i] })
	for i := range window {
		if !send(i) {
			return
		}
	}
	if failed != nil && ctx.Err() == nil {
		w.results <- swept{"", failed}
	}
}

// renew renews key's token if it is about to lapse, and reports whether it did.
func (w *sweep) renew(ctx context.Context, key string) (renewed bool, err error) {
	const tries = 10 // of an account that a rate limit meets
	for try := 1; ; try++ {
		if w.wait(ctx) != nil {
			return false, nil
		}
		t, err := LoadToken(ctx, w.store, key)
		if errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
			return false, nil // forgotten meanwhile, or the sweep is over
		}
		if err != nil {
			return false, err
		}
		if until, ok := RefreshExpiry(t); t.RefreshToken == "" || ok && time.Until(until) >= w.within {
			return false, nil
		}

		src := w.conf.StoredTokenSource(context.WithValue(ctx, unlimited{}, true), w.store, key)
		src.current.Store(w.conf.newLease(known(t)))
		f := src.join(src.current.Load(), asked)
		<-f.done
		renewed = f.renewed // or else a sibling did it
		if f.unsaved != nil {
			return renewed, w.save(ctx, src, f)
		}
		var e *Error
		if !errors.As(f.err, &e) || e.StatusCode != http.StatusTooManyRequests || try == tries {
			return renewed, f.err
		}
		w.hold(max(e.RetryAfter, backoff(try, time.Second, time.Minute)))
	}
}

// save waits for a token to be saved. If that takes long, it leaves the waiting
// to another goroutine and returns the error.
func (w *sweep) save(ctx context.Context, src *TokenSource, f *flight) error {
	const tries = 4
	n := 0
	again := func() error {
		n++
		err := pause(ctx, backoff(n, time.Second, time.Minute))
		if err == nil {
			f = src.join(src.current.Load(), saving)
			<-f.done
		}
		return err
	}
	for f.unsaved != nil && n < tries && again() == nil {
	}
	if f.unsaved == nil {
		return nil
	}
	err := src.withheld(f.unsaved.err)
	select {
	case w.waiting <- struct{}{}:
		w.working.Go(func() {
			for f.unsaved != nil && again() == nil {
			}
			<-w.waiting
		})
	case <-ctx.Done():
	}
	return err
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

// hold has all workers wait.
func (w *sweep) hold(d time.Duration) {
	until := time.Now().Add(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	if until.After(w.until) {
		w.until = until
	}
}

// pause waits for d or for ctx.
func pause(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
