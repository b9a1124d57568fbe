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
	renewalTime = time.Minute      // after which a renewal sends no further request
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
// person can mend is remembered until the store, if there is one, holds another
// token.
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
	nextTry atomic.Pointer[time.Time] // no renewal is sent sooner, by the clock that nobody sets; nil: at once. Set under mu

	mu           sync.Mutex  // guards what follows, and is never held while anything is waited for
	flight       *flight     // the renewal under way
	err          error       // why the last one failed
	failures     int         // how many failed in a row
	tried        *lease      // the store's token that it began with
	unsaved      *unsaved    // what is still to be done to save the current token
	again        *time.Timer // when that is tried again
	patientUntil time.Time   // no 401 causes a renewal sooner
	futile       int         // renewals in a row that a 401 caused and after which the request got another
}

// A flight is one renewal and all who wait for it.
type flight struct {
	old  *lease
	why  reason
	held error // if set, nothing may be sent now, for this reason: only look into the store

	done    chan struct{} // closed when what follows is settled
	lease   *lease        // what is current from now on
	err     error         // why nothing came of it
	renewed bool          // lease is new from Pinterest
	tried   *lease        // the store's token that was to be renewed
	unsaved *unsaved      // what is still to be done to save lease
}

// An unsaved is a renewed token's way to where it is kept, as far as it has come.
type unsaved struct {
	from *lease // the store's token that it is to replace
	kept bool   // it is in the store; OnRefresh alone is still to be told
	err  error  // why it got no further
}

// A reason is what a flight starts for.
type reason uint8

const (
	due      reason = iota // the token is stale, expired, or there is none
	asked                  // by Refresh
	rejected               // an API answered 401
	unseen                 // so it did, and the request cannot be repeated to see whether renewing helped
	saving                 // the token is new and still has to be saved
)

// is401 reports whether an API's 401 is the reason.
func (r reason) is401() bool { return r == rejected || r == unseen }

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// errAbandoned is what waiters get when OnRefresh, or the HTTP client, ended
// the renewal's goroutine.
var errAbandoned = &passingError{errors.New("the renewal was abandoned: its goroutine exited")}

// Token returns a token that is good now: the current one, or if that has
// expired, the next. It waits no longer than the context given to the method
// that made the source.
//
// The token is the caller's own. Its Expiry is not later than the true one and
// may be earlier: the caches of x/oauth2 ask for the next token ten seconds
// before Expiry, and must ask in time for it to be renewed while it is good.
// TokenContext, OnRefresh and [MarshalToken] know the true one; a token that is
// kept by json.Marshal loses a tenth of its life each time.
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
// with its true expiry. If a renewal is under way, it waits for that one, and
// if another process renewed the stored token meanwhile, it returns that. It is
// held back after failures like any other renewal.
//
// Few programs need it: Token renews in time, and a [Transport] when Pinterest
// answers 401.
func (s *TokenSource) Refresh(ctx context.Context) (*oauth2.Token, error) {
	l, err := s.renewed(ctx, s.current.Load(), asked)
	if err != nil {
		return nil, err
	}
	return l.exact(), nil
}

// get returns a lease that is good at the given time, which is now.
func (s *TokenSource) get(ctx context.Context, now time.Time) (*lease, error) {
	l, at := s.current.Load(), now.UnixNano()
	if l == nil || at >= l.expired {
		var err error
		if l, err = s.renewed(ctx, l, due); err != nil {
			return nil, err
		}
	}
	if at >= l.stale && !s.holdsBack(now) {
		s.join(l, due)
	}
	return l, nil
}

func (s *TokenSource) holdsBack(now time.Time) bool {
	next := s.nextTry.Load()
	return next != nil && now.Before(*next)
}

func (s *TokenSource) holdBack(d time.Duration) {
	next := time.Now().Add(min(d, century))
	s.nextTry.Store(&next)
}

// renewed waits for the lease that comes after old.
func (s *TokenSource) renewed(ctx context.Context, old *lease, why reason) (*lease, error) {
	if s.conf == nil {
		return nil, errors.New("pinterest: a TokenSource must be made by a method of Config")
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, s.left(err)
		}
		f := s.join(old, why)
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, s.left(ctx.Err())
		}
		switch {
		case f.held == errPatient && !why.is401(): // a reason for others not to renew
		case f.err != nil:
			return nil, f.err
		case f.renewed || f.lease != old && f.lease.good():
			return f.lease, nil
		default: // the flight had only to save it
			old = f.lease
		}
	}
}

// left is the error of a caller whose context ended.
func (s *TokenSource) left(err error) error {
	return &Error{Op: s.op, Err: &passingError{fmt.Errorf("stopped waiting for the token's renewal: %w", err)}}
}

// join returns the flight that renews old: the one under way, a new one, or
// one that has landed because old is renewed already or must not be now.
func (s *TokenSource) join(old *lease, why reason) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	cur, now := s.current.Load(), time.Now()
	if cur != old || why == saving && s.unsaved == nil {
		return &flight{done: closed, lease: cur}
	}
	if s.flight != nil {
		return s.flight
	}
	var held error
	switch {
	case why == saving:
	case s.holdsBack(now) || final(s.err):
		held = s.err
	case why.is401() && now.Before(s.patientUntil):
		held = errPatient
	}
	if held != nil && !s.canLook(held) {
		return &flight{done: closed, lease: old, err: held}
	}
	s.flight = &flight{old: old, why: why, held: held, done: make(chan struct{}), lease: old, tried: s.tried,
		err: &Error{Op: s.op, Err: errAbandoned}}
	if s.unsaved != nil {
		u := *s.unsaved
		s.flight.unsaved = &u
	}
	if held != nil && final(held) {
		s.holdBack(time.Minute)
	}
	if held == nil {
		s.holdBack(never) // until it lands; get then need not look
	}
	go s.fly(s.flight)
	return s.flight
}

// canLook reports whether the store may hold a better token than the one whose
// renewal is held back.
func (s *TokenSource) canLook(held error) bool {
	var down *storeError
	return s.store != nil && (s.unsaved == nil || s.unsaved.kept) && !errors.As(held, &down)
}

// fly renews and saves the token. A flight that finds the last token unsaved
// saves it first, and renews nothing if it cannot.
func (s *TokenSource) fly(f *flight) {
	defer s.land(f) // also if OnRefresh panics, or calls runtime.Goexit, as a failing test does
	if f.unsaved != nil && f.held == nil {
		if s.save(f); f.unsaved != nil {
			f.err = s.withheld(f.unsaved.err)
			return
		}
		if f.lease != f.old || f.why == saving || f.why == due && time.Now().UnixNano() < f.lease.stale {
			f.err = nil
			return
		}
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
			if newer.good() {
				f.lease = newer
			}
			f.unsaved = nil
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
	return &Error{Op: s.op, Err: &passingError{fmt.Errorf("no renewal is sent before the last one's token is saved: %w", cause)}}
}

// land makes a flight's outcome everybody's.
func (s *TokenSource) land(f *flight) {
	if p := recover(); p != nil {
		// As net/http does, a panic is kept from ending the program: what ends
		// with it may be a refresh token that is nowhere else.
		secrets := newRedactor()
		if f.lease != nil {
			secrets = f.lease.secrets()
		}
		err := &passingError{fmt.Errorf("the renewal was abandoned: panic: %s", secrets.text(fmt.Sprint(p)))}
		if f.unsaved != nil {
			f.unsaved.err = err
		} else {
			f.err = &Error{Op: s.op, Err: err}
		}
	}
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
	s.err, s.tried, s.unsaved = f.err, f.tried, f.unsaved
	if f.unsaved != nil {
		s.err = s.withheld(f.unsaved.err)
	}
	if f.why.is401() && f.renewed {
		f.lease.unproven.Store(f.why == unseen)
		s.futile++
		s.patientUntil = time.Now().Add(backoff(s.futile, time.Minute, 5*time.Minute))
	}
	if s.again != nil {
		s.again.Stop()
		s.again = nil
	}
	if s.err == nil {
		s.failures, s.tried = 0, nil
		s.nextTry.Store(nil)
		return 0
	}
	s.failures++
	hold = never
	if !final(s.err) {
		hold = backoff(s.failures, time.Second, time.Minute)
		var e *Error
		if errors.As(s.err, &e) {
			hold = max(hold, e.RetryAfter)
		}
	}
	if hold == never && s.store != nil {
		s.holdBack(time.Minute) // then get looks into the store; join sends nothing
	} else {
		s.holdBack(hold)
	}
	if s.unsaved != nil {
		s.again = time.AfterFunc(hold, func() { s.join(s.current.Load(), saving) })
	}
	return hold
}

// final reports whether only a person can mend err.
func final(err error) bool {
	return errors.Is(err, ErrReauthorize) || errors.Is(err, ErrClientRejected)
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
	s.current.CompareAndSwap(l, &lease{token: l.token, end: l.end, header: l.header})
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
