package pinterest

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"net/http"
	"sync"
	"sync/atomic"
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
// stops no other. A rate limit slows the sweep down and fails nobody. Sweeps
// that run at the same time, in this process or another, share the work. The
// memory it takes does not depend on the number of accounts.
//
// An error with an empty key ends the sweep: the store could not list its keys,
// c cannot send anything, or ctx is over. A sweep that is left, by its context
// or by its loop, starts nothing more and returns when what had begun is saved.
func (c *Config) KeepAlive(ctx context.Context, s Store, opts *KeepAliveOptions) iter.Seq2[string, error] {
	k := &sweep{conf: c, store: s, within: 14 * 24 * time.Hour, parallel: 8}
	if opts != nil && opts.Within != 0 {
		k.within = opts.Within
	}
	if opts != nil && opts.Parallel > 0 {
		k.parallel = opts.Parallel
	}
	return func(yield func(string, error) bool) {
		if err := checkPlace(s, "any"); err != nil {
			yield("", err)
			return
		}
		if err := c.check(); err != nil {
			yield("", &Error{Op: opRefresh, Err: err})
			return
		}
		k.run(ctx, yield)
	}
}

// A sweep is one run over the keys of a store.
type sweep struct {
	conf     *Config
	store    Store
	within   time.Duration
	parallel int

	pausedUntil atomic.Int64 // in Unix nanoseconds: Pinterest asked to wait
}

type swept struct {
	key string
	err error
}

func (k *sweep) run(parent context.Context, yield func(string, error) bool) {
	ctx, cancel := context.WithCancel(parent)
	keys, results := make(chan string), make(chan swept)
	var workers sync.WaitGroup
	workers.Go(func() {
		defer close(keys)
		for key, err := range k.store.Keys(ctx) {
			if err != nil {
				if ctx.Err() == nil {
					results <- swept{"", err}
				}
				return
			}
			select {
			case keys <- key:
			case <-ctx.Done():
				return
			}
		}
	})
	for range k.parallel {
		workers.Go(func() {
			for key := range keys {
				if renewed, err := k.renew(ctx, key); renewed || err != nil {
					results <- swept{key, err}
				}
			}
		})
	}
	go func() {
		workers.Wait()
		close(results)
	}()
	defer func() { // also if the loop is left, or panics
		cancel()
		for range results {
		}
	}()
	for r := range results {
		if !yield(r.key, r.err) {
			return
		}
	}
	if err := parent.Err(); err != nil {
		yield("", err)
	}
}

// renew renews key's token if it is about to lapse, and reports whether it did.
func (k *sweep) renew(ctx context.Context, key string) (renewed bool, err error) {
	for try := 1; ; try++ {
		if pause(ctx, time.Until(time.Unix(0, k.pausedUntil.Load()))) != nil {
			return false, nil
		}
		t, err := LoadToken(ctx, k.store, key)
		if errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
			return false, nil // forgotten meanwhile, or the sweep is over
		}
		if err != nil {
			return false, err
		}
		if until, ok := RefreshExpiry(t); t.RefreshToken == "" || ok && time.Until(until) >= k.within {
			return false, nil
		}

		src := k.conf.StoredTokenSource(ctx, k.store, key)
		src.current.Store(k.conf.newLease(known(t)))
		f := src.join(src.current.Load(), asked)
		<-f.done
		renewed = f.renewed // or else a sibling did it
		for n := 1; f.unsaved != nil; n++ {
			if pause(ctx, backoff(n, time.Second, time.Minute)) != nil {
				return renewed, src.withheld(f.unsaved.err)
			}
			f = src.join(src.current.Load(), saving)
			<-f.done
		}
		var e *Error
		if !errors.As(f.err, &e) || e.StatusCode != http.StatusTooManyRequests {
			return renewed, f.err
		}
		hold := max(e.RetryAfter, backoff(try, time.Second, time.Minute))
		k.pausedUntil.Store(time.Now().Add(min(hold, century)).UnixNano())
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
