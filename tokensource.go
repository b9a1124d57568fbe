package pinterest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

const (
	renewalTime = time.Minute      // for one renewal, with all its tries
	saveTime    = 30 * time.Second // for saving its token once
)

// A TokenSource hands out access tokens and renews them. It implements
// [oauth2.TokenSource]; [oauth2.NewClient] over it is a first-class way to use
// it, [NewClient] adds what x/oauth2's transport cannot do.
//
// While its token is good a source answers without a lock and without waiting.
// When the token comes near its expiry, one renewal runs in the background and
// the token is handed out meanwhile. Only when it has expired do callers wait,
// all for one renewal, whose success or failure they share. A renewal is not
// cancelled with the caller that started it. After a failure that can pass, the
// next try is held back, longer each time and never sooner than Pinterest
// asked; until then callers get the failure at once. A failure that only a
// person can mend is remembered for good.
//
// A TokenSource is made by the methods of [Config]. It may be used by several
// goroutines at once, and costs no goroutine and no timer while nothing is
// being renewed or saved.
type TokenSource struct {
	conf  *Config
	ctx   context.Context // its values reach every renewal; its end only stops Token from waiting
	op    string          // how a new token is had: opRefresh or opClientCredentials
	host  string          // of the token endpoint, with its port if it names one
	store Store           // where the token is kept, under key; nil: in current alone
	key   string

	current atomic.Pointer[lease]
	nextTry atomic.Int64 // in Unix nanoseconds: no renewal is sent sooner; set under mu

	mu           sync.Mutex  // guards what follows, and is never held while anything is waited for
	flight       *flight     // the renewal under way
	err          error       // why the last one failed
	failures     int         // how many failed in a row
	lookAgain    bool        // meanwhile a sibling may have put a better token into the store
	unsaved      *unsaved    // what is still to be done to save the current token
	again        *time.Timer // when that is tried again
	patientUntil time.Time   // no 401 causes a renewal sooner
	futile       int         // renewals in a row that a 401 caused and no accepted request justified
}

// A flight is one renewal and all who wait for it.
type flight struct {
	old  *lease
	why  reason
	held error // if set, nothing may be sent now, for this reason: only look into the store

	done      chan struct{} // closed when what follows is settled
	lease     *lease        // what is current from now on
	err       error         // why nothing came of it
	renewed   bool          // lease is new from Pinterest
	unsaved   *unsaved      // what is still to be done to save lease
	storeDown bool          // err is the store's
}

// An unsaved is a renewed token's way to where it is kept, as far as it has come.
type unsaved struct {
	from *oauth2.Token // the token in the store that it is to replace
	kept bool          // it is in the store; OnRefresh alone is still to be told
	err  error         // why it got no further
}

// A reason is what a flight starts for.
type reason uint8

const (
	due      reason = iota // the token is stale, expired, or there is none
	asked                  // by Refresh
	rejected               // an API answered 401
	saving                 // the token is new and still has to be saved
)

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// errAbandoned is what waiters get when OnRefresh, or the HTTP client, ended
// the renewal's goroutine.
var errAbandoned = errors.New("the renewal was abandoned: its goroutine exited")

// Token returns a token that is good now: the current one, or if that has
// expired, the next. It waits no longer than the context given to the method
// that made the source.
//
// The token is the caller's own. Its Expiry is not later than the true one and
// may be earlier: the caches of x/oauth2 ask for the next token ten seconds
// before Expiry, and must ask in time for it to be renewed while it is good.
// TokenContext, OnRefresh and [MarshalToken] know the true one.
//
// The error is an [*Error].
func (s *TokenSource) Token() (*oauth2.Token, error) {
	now := time.Now()
	l, err := s.get(s.ctx, now)
	if err != nil {
		return nil, err
	}
	t := *l.token
	if now.UnixNano() >= l.stale { // the next one can be there any moment
		t.Expiry = l.askAgain(now.Add(time.Second))
	}
	return &t, nil
}

// TokenContext is Token for a caller with a context of its own, which bounds
// how long it waits, and with the token's true expiry.
func (s *TokenSource) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	l, err := s.get(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	return l.exact(), nil
}

// Refresh renews the token now, however good it is, and returns the new one
// with its true expiry. If a renewal is under way, it waits for that one. It
// is held back after failures like any other renewal.
//
// Few programs need it: [Token] renews in time, and a [Transport] when Pinterest
// answers 401.
func (s *TokenSource) Refresh(ctx context.Context) (*oauth2.Token, error) {
	l, err := s.renewed(ctx, s.current.Load(), asked)
	if err != nil {
		return nil, err
	}
	return l.exact(), nil
}

// get returns a lease that is good at the given time, which is now.
func (s *TokenSource) get(ctx context.Context, at time.Time) (*lease, error) {
	l, now := s.current.Load(), at.UnixNano()
	if l == nil || now >= l.expired {
		return s.renewed(ctx, l, due)
	}
	if now >= l.stale && now >= s.nextTry.Load() {
		s.join(l, due)
	}
	return l, nil
}

// good reports whether a request can be sent with l now.
func (l *lease) good() bool { return time.Now().UnixNano() < l.expired }

// renewed waits for the lease that comes after old.
func (s *TokenSource) renewed(ctx context.Context, old *lease, why reason) (*lease, error) {
	if s.conf == nil {
		return nil, errors.New("pinterest: a TokenSource must be made by a method of Config")
	}
	for {
		var f *flight
		if ctx.Err() == nil {
			f = s.join(old, why)
			select {
			case <-f.done:
			case <-ctx.Done():
			}
		}
		if err := ctx.Err(); err != nil && (f == nil || !f.landed()) {
			return nil, &Error{Op: s.op, Err: fmt.Errorf("stopped waiting for the token's renewal: %w", err)}
		}
		if f.err != nil {
			return nil, f.err
		}
		if f.renewed || f.lease != old && f.lease.good() {
			return f.lease, nil
		}
		old = f.lease // the flight had only to save it
	}
}

func (f *flight) landed() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// join returns the flight that renews old: the one under way, a new one, or
// one that has landed because old is renewed already or must not be now.
func (s *TokenSource) join(old *lease, why reason) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	cur, now := s.current.Load(), time.Now()
	if cur != old {
		return &flight{done: closed, lease: cur}
	}
	if s.flight != nil {
		return s.flight
	}
	var held error
	switch {
	case why == saving:
	case now.UnixNano() < s.nextTry.Load():
		held = s.err
	case why == rejected && now.Before(s.patientUntil):
		held = errPatient
	}
	if held != nil && (s.store == nil || held == s.err && !s.lookAgain) {
		return &flight{done: closed, lease: old, err: held}
	}
	s.flight = &flight{old: old, why: why, held: held, done: make(chan struct{}), lease: old,
		err: &Error{Op: s.op, Err: errAbandoned}}
	if s.unsaved != nil {
		u := *s.unsaved
		s.flight.unsaved = &u
	}
	if held == nil {
		s.nextTry.Store(never) // until it lands; get then need not look
	}
	go s.fly(s.flight)
	return s.flight
}

// fly renews and saves the token. A flight that finds the last token unsaved
// saves it first, and renews nothing if it cannot.
func (s *TokenSource) fly(f *flight) {
	defer s.land(f) // also if OnRefresh calls runtime.Goexit, as a failing test does
	if f.unsaved != nil {
		if s.save(f); f.unsaved != nil {
			f.err = s.withheld(f.unsaved.err)
			return
		}
		if now := time.Now().UnixNano(); f.lease != f.old && now < f.lease.expired || f.why == due && now < f.lease.stale {
			f.err = nil
			return
		}
	}
	if f.why == saving {
		f.err = nil
		return
	}
	if s.store != nil {
		f.err = s.renewInStore(f)
	} else {
		f.err = s.renew(f)
	}
	if f.err == nil && f.unsaved != nil && f.unsaved.err == nil {
		s.save(f)
	}
}

// renew has Pinterest replace the token that f began with.
func (s *TokenSource) renew(f *flight) error {
	var old *oauth2.Token
	if f.old != nil {
		old = f.old.exact()
	}
	t, err := s.grant(context.WithoutCancel(s.ctx), old)
	if err != nil {
		return err
	}
	f.lease, f.renewed, f.unsaved = s.conf.newLease(t), true, new(unsaved)
	return nil
}

// grant gets the token that comes after old from Pinterest.
func (s *TokenSource) grant(ctx context.Context, old *oauth2.Token) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, renewalTime)
	defer cancel()
	if s.op == opClientCredentials {
		return s.conf.clientCredentials(ctx)
	}
	return s.conf.refresh(ctx, old)
}

// save takes f's lease to where it is kept, as far as it gets.
func (s *TokenSource) save(f *flight) {
	u := f.unsaved
	u.err = errAbandoned // unless what follows returns
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), saveTime)
	defer cancel()
	if s.store != nil && !u.kept {
		newer, err := s.keep(ctx, f.lease, u.from)
		if err != nil {
			u.err = f.lease.secrets().error(err)
			return
		}
		if newer != nil {
			f.lease, f.unsaved = newer, nil
			return
		}
		u.kept = true
	}
	if s.conf.OnRefresh != nil {
		if err := s.conf.OnRefresh(ctx, f.lease.exact()); err != nil {
			u.err = f.lease.secrets().error(err)
			return
		}
	}
	f.unsaved = nil
}

// withheld is the error of a renewal that waits for a save.
func (s *TokenSource) withheld(cause error) error {
	return &Error{Op: s.op, Err: fmt.Errorf("no renewal is sent before the last one's token is saved: %w", cause)}
}

// land makes a flight's outcome everybody's.
func (s *TokenSource) land(f *flight) {
	defer close(f.done)
	var hold time.Duration
	s.mu.Lock()
	s.flight = nil
	if f.lease != f.old {
		s.current.Store(f.lease)
	}
	if f.held == nil || f.err == nil {
		hold = s.settle(f)
	}
	s.mu.Unlock()
	s.log(f, hold)
}

// settle decides when the next flight may start, and returns how long that is.
func (s *TokenSource) settle(f *flight) (hold time.Duration) {
	s.err, s.unsaved, s.lookAgain = f.err, f.unsaved, !f.storeDown
	if f.why == rejected && f.renewed {
		s.futile++
		s.patientUntil = time.Now().Add(backoff(s.futile, time.Minute, time.Hour))
	}
	if s.again != nil {
		s.again.Stop()
	}
	s.failures++
	switch {
	case s.unsaved != nil:
		s.err, s.lookAgain = s.withheld(s.unsaved.err), false
		hold = holdBack(nil, s.failures)
		s.again = time.AfterFunc(hold, func() { s.join(s.current.Load(), saving) })
	case s.err != nil:
		hold = holdBack(s.err, s.failures)
	default:
		s.failures, s.again = 0, nil
		s.nextTry.Store(0)
		return 0
	}
	s.nextTry.Store(time.Now().Add(min(hold, century)).UnixNano())
	return hold
}

// holdBack returns how long to send nothing after the nth failure in a row,
// never if only a person can mend it.
func holdBack(err error, n int) time.Duration {
	if errors.Is(err, ErrReauthorize) || errors.Is(err, ErrClientRejected) {
		return never
	}
	hold := backoff(n, time.Second, time.Minute)
	var e *Error
	if errors.As(err, &e) {
		hold = max(hold, e.RetryAfter)
	}
	return hold
}

// errPatient is why a 401 did not cause a renewal.
var errPatient = errors.New("pinterest: the API answers 401 to new tokens too")

// accepted is told that the request for which a 401 had the token renewed was
// then accepted: renewing helped.
func (s *TokenSource) accepted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.futile, s.patientUntil = 0, time.Time{}
}

// Format implements [fmt.Formatter]: it shows no secret, whatever the verb.
func (s *TokenSource) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "pinterest.TokenSource{%s, Host: %q, Key: %q}", s.op, s.host, s.key)
}

// bury is told that l's access token is dead, and that nothing can renew it.
func (s *TokenSource) bury(l *lease) {
	dead := *l
	dead.stale, dead.expired = 0, 0
	s.current.CompareAndSwap(l, &dead)
}

func (s *TokenSource) log(f *flight, hold time.Duration) {
	logger := s.conf.Logger
	if logger == nil {
		return
	}
	attrs := make([]slog.Attr, 0, 4)
	attrs = append(attrs, slog.String("op", s.op))
	if s.key != "" {
		attrs = append(attrs, slog.String("key", s.key))
	}
	level, message := slog.LevelInfo, "pinterest: token renewed"
	switch {
	case f.unsaved != nil:
		level, message = slog.LevelError, "pinterest: token renewed but not saved"
		attrs = append(attrs, slog.Any("error", f.unsaved.err))
	case f.err != nil && f.held != nil: // told when it came about
		return
	case f.err != nil:
		level, message = slog.LevelWarn, "pinterest: token not renewed"
		attrs = append(attrs, slog.Any("error", f.err))
	case f.renewed:
		attrs = append(attrs, slog.Time("expiry", f.lease.end))
	case f.lease != f.old:
		level, message = slog.LevelDebug, "pinterest: token taken from the store"
		attrs = append(attrs, slog.Time("expiry", f.lease.end))
	default:
		message = "pinterest: token saved"
	}
	if hold == never {
		attrs = append(attrs, slog.String("next_try_in", "never"))
	} else if hold > 0 {
		attrs = append(attrs, slog.Duration("next_try_in", hold))
	}
	logger.LogAttrs(s.ctx, level, message, attrs...)
}
