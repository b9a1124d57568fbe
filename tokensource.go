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
	saveTime    = 30 * time.Second // for one call of OnRefresh
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
	conf *Config
	ctx  context.Context // its values reach every renewal; its end only stops Token from waiting
	op   string          // how a new token is had: opRefresh or opClientCredentials
	host string          // of the token endpoint, with its port if it names one

	current atomic.Pointer[lease]
	nextTry atomic.Int64 // in Unix nanoseconds: no flight starts sooner; set under mu

	mu           sync.Mutex  // guards what follows, and is never held while anything is waited for
	flight       *flight     // the renewal under way
	err          error       // why the last flight failed
	failures     int         // flights that failed in a row
	unsaved      bool        // OnRefresh has not taken the current token yet
	again        *time.Timer // has it asked again
	patientUntil time.Time   // no 401 causes a renewal sooner
	futile       int         // renewals in a row that a 401 caused and no accepted request justified
}

// A flight is one renewal and all who wait for it.
type flight struct {
	old *lease
	why reason

	done    chan struct{} // closed when what follows is settled
	lease   *lease        // what is handed out from now on, if err is nil
	err     error         // why there is nothing new
	unsaved error         // why lease is not saved
}

// A reason is what a flight starts for.
type reason uint8

const (
	due      reason = iota // the token is stale, expired, or there is none
	asked                  // by Refresh
	rejected               // an API answered 401
	unsaved                // the token is new and still has to be saved
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
		if f.lease != old { // or else the flight had only to save it
			return f.lease, nil
		}
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
	now := time.Now()
	switch cur := s.current.Load(); {
	case cur != old:
		return &flight{done: closed, lease: cur}
	case s.flight != nil:
		return s.flight
	case why != unsaved && now.UnixNano() < s.nextTry.Load():
		return &flight{done: closed, err: s.err}
	case why == rejected && now.Before(s.patientUntil):
		return &flight{done: closed, err: errPatient}
	}
	s.flight = &flight{old: old, why: why, done: make(chan struct{}), lease: old,
		err: &Error{Op: s.op, Err: errAbandoned}}
	s.nextTry.Store(never) // until it lands; get then need not look
	go s.fly(s.flight)
	return s.flight
}

// fly renews and saves the token, in that order and each once: a flight that
// finds the last token unsaved saves it first, and renews nothing if it cannot.
func (s *TokenSource) fly(f *flight) {
	defer s.land(f) // also if OnRefresh calls runtime.Goexit, as a failing test does
	if s.isUnsaved() {
		f.unsaved = errAbandoned
		if f.unsaved = s.save(f.old); f.unsaved != nil {
			f.err = s.withheld(f.unsaved)
			return
		}
		if f.why == unsaved || f.why == due && time.Now().UnixNano() < f.old.stale {
			f.err = nil
			return
		}
	}
	t, err := s.grant(f.old)
	if err != nil {
		f.err = err
		return
	}
	f.lease, f.err = s.conf.newLease(t), nil
	f.unsaved = errAbandoned
	f.unsaved = s.save(f.lease)
}

// grant gets the token that comes after old from Pinterest.
func (s *TokenSource) grant(old *lease) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), renewalTime)
	defer cancel()
	if s.op == opClientCredentials {
		return s.conf.clientCredentials(ctx)
	}
	if old == nil {
		return s.conf.refresh(ctx, nil)
	}
	return s.conf.refresh(ctx, old.exact())
}

// save hands a new token to OnRefresh.
func (s *TokenSource) save(l *lease) error {
	if s.conf.OnRefresh == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), saveTime)
	defer cancel()
	return s.conf.OnRefresh(ctx, l.exact())
}

// withheld is the error of a renewal that waits for a save.
func (s *TokenSource) withheld(cause error) error {
	return &Error{Op: s.op, Err: fmt.Errorf("no renewal is sent before the last one's token is saved: %w", cause)}
}

func (s *TokenSource) isUnsaved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unsaved
}

// land makes a flight's outcome everybody's.
func (s *TokenSource) land(f *flight) {
	defer close(f.done)
	var hold time.Duration
	s.mu.Lock()
	s.flight = nil
	s.err, s.unsaved = f.err, f.unsaved != nil
	if f.err == nil {
		s.current.Store(f.lease)
		if s.unsaved {
			s.err = s.withheld(f.unsaved)
		}
		if f.why == rejected && f.lease != f.old {
			s.futile++
			s.patientUntil = time.Now().Add(backoff(s.futile, time.Minute, time.Hour))
		}
	}
	s.failures++
	switch {
	case s.err == nil:
		s.failures = 0
		s.nextTry.Store(0)
	case s.unsaved:
		hold = holdBack(nil, s.failures)
		s.nextTry.Store(time.Now().Add(hold).UnixNano())
		if s.again != nil {
			s.again.Stop()
		}
		s.again = time.AfterFunc(hold, func() { s.join(s.current.Load(), unsaved) })
	default:
		hold = holdBack(s.err, s.failures)
		s.nextTry.Store(time.Now().Add(min(hold, century)).UnixNano())
	}
	s.mu.Unlock()
	s.log(f, hold)
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

func (s *TokenSource) log(f *flight, hold time.Duration) {
	logger := s.conf.Logger
	if logger == nil {
		return
	}
	retry := slog.Duration("next_try_in", hold)
	if hold == never {
		retry = slog.String("next_try_in", "never")
	}
	op := slog.String("op", s.op)
	switch {
	case f.unsaved != nil:
		logger.LogAttrs(s.ctx, slog.LevelError, "pinterest: token renewed but not saved", op, slog.Any("error", f.unsaved), retry)
	case f.err != nil:
		logger.LogAttrs(s.ctx, slog.LevelWarn, "pinterest: token not renewed", op, slog.Any("error", f.err), retry)
	case f.lease != f.old:
		logger.LogAttrs(s.ctx, slog.LevelInfo, "pinterest: token renewed", op, slog.Time("expiry", f.lease.end))
	default:
		logger.LogAttrs(s.ctx, slog.LevelInfo, "pinterest: token saved", op)
	}
}
