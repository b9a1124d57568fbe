package renew

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// An Origin is where a Source gets its tokens. A Source calls one of Find, Next
// and Save at a time, with a context that has no end: each has time limits of
// its own.
type Origin interface {
	// Context carries the values for every renewal. Its end is not heeded.
	Context() context.Context

	// Find looks at what is kept where others can replace it, and may answer
	// Adopted, Unchanged, Gone, Failed, or Unsaved if the current token was lost
	// there. Only a Shared source looks.
	Find(ctx context.Context, k Known) Outcome

	// Next has the token that k knows renewed, or finds that others have: Renewed,
	// Adopted, Gone or Failed.
	Next(ctx context.Context, k Known) Outcome

	// Save keeps k's token, which Next could not: Saved, Adopted, Gone or Unsaved.
	Save(ctx context.Context, k Known) Outcome

	// Fail makes the caller's error of one that the Source has met.
	Fail(err error) error

	// Log is told what came of each renewal.
	Log(e Event)
}

// Known is what a source knows of its tokens.
type Known struct {
	Token  *Token // the current one; nil: none
	Former *Token // the one that was kept before it: whoever finds it again has lost the current one
}

// An Outcome is what came of a renewal, or of one of its steps.
type Outcome struct {
	Result Result
	Token  *Token // Renewed, Adopted; Failed: the one that could not be renewed, if one was found
	Former *Token // Renewed: the one that was kept before

	Err         error         // Unsaved, Failed, Gone: why
	Mend        Mend          // Failed: who can mend it
	After       time.Duration // Failed: nothing may be sent sooner
	Unreachable bool          // Failed: what is kept could not be read or written
}

// A Result says which Outcome it is.
type Result uint8

const (
	Unchanged Result = iota // what is kept is what the source has
	Adopted                 // others have kept Token
	Renewed                 // Token is new, and kept; if Err is set, it is not kept yet
	Saved                   // the current token is kept, which it was not before
	Unsaved                 // it is still not kept
	Gone                    // nothing is kept any more
	Failed                  // there is no new token
)

// Mend says who can mend a failure.
type Mend uint8

const (
	ByTime Mend = iota
	ByOperator
	ByUser
)

// String returns "time", "operator" or "user".
func (m Mend) String() string {
	switch m {
	case ByOperator:
		return "operator"
	case ByUser:
		return "user"
	}
	return "time"
}

// A Reason is what a renewal is for.
type Reason uint8

const (
	Due      Reason = iota // the token is stale or expired, or there is none
	Asked                  // somebody wants a new one, however good the old one is
	Rejected               // it was answered 401
	Look                   // somebody may have replaced it
	Save                   // it is not saved yet
)

// An Event is a renewal that has ended.
type Event struct {
	Reason Reason
	Outcome
	Old  *Token        // what was current before; nil: nothing
	Took time.Duration // from beginning to end
	Hold time.Duration // until the next try; zero: there is no trouble
	Nth  int           // how many in a row met this trouble
}

const (
	lookEvery = 59 * time.Second // with CacheTime, a change is noticed within a minute

	// saveMost is less than othersFirst: whoever has a token to save tries sooner
	// than others, who could not read what is kept, send a renewal.
	saveMost    = time.Second
	othersFirst = 2 * time.Second
)

// A Source is a token that is kept good. It has none until one is asked for, or
// Set. Origin and Shared must be set before it is used.
type Source struct {
	Origin Origin
	Shared bool // others can replace the token

	token   atomic.Pointer[Token]
	looked  atomic.Int64            // Unix nanoseconds of the wall clock
	renewal atomic.Pointer[renewal] // the one under way
	trouble atomic.Pointer[trouble] // nil: the source is well

	mu     sync.Mutex // guards the writes of the above and what follows; never held while anything is waited for
	former *Token
	rest   *rest // nil: a 401 causes a renewal
}

// A renewal is one attempt to do something about the token, and all who wait
// for it.
type renewal struct {
	known Known
	why   Reason
	began time.Time
	done  chan struct{} // closed when out is settled
	out   Outcome
	stale bool // the token was Set meanwhile; guarded by the source's mu
}

// A trouble is why nothing is sent now. It does not change.
type trouble struct {
	state       state
	err         error     // what callers get
	mend        Mend      // of refused
	unreachable bool      // what is kept could not be read or written
	tried       *Token    // what could not be renewed
	until       time.Time // of the monotonic clock
	n           int       // how many renewals in a row met it
	timer       *time.Timer
}

// A state is the name of a trouble.
type state uint8

const (
	failing state = iota // time can mend it
	refused              // only a person can
	unsaved              // the current token is not saved yet
)

// A rest follows a renewal that a 401 asked for.
type rest struct {
	until time.Time
	n     int // renewals in a row that a 401 caused and that did not help
}

var (
	errRest      = errors.New("the API answers 401 to new tokens, too")
	errAbandoned = errors.New("the renewal was abandoned: its goroutine exited")
	closed       = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
)

// Token returns the current token, or nil.
func (s *Source) Token() *Token { return s.token.Load() }

// Set has the source go on with t, or with what is kept if t is nil, and reports
// whether that ends a trouble. What a renewal under way brings is dropped, unless it
// renews t; and so is t, if that is renewed already: it was kept a moment ago.
func (s *Source) Set(t *Token) (mended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Same(s.former) {
		return false
	}
	if r := s.renewal.Load(); r != nil {
		r.stale = true
	}
	s.token.Store(t)
	s.looked.Store(time.Now().UnixNano())
	s.former, s.rest = nil, nil
	mended = s.trouble.Load() != nil
	s.setTrouble(nil)
	return mended
}

// Get returns a token that is good at the given time, which is now.
func (s *Source) Get(ctx context.Context, now time.Time) (*Token, error) {
	t, at := s.token.Load(), now.UnixNano()
	if t == nil || at >= t.expired {
		var err error
		if t, _, err = s.Replace(ctx, t, Due); err != nil {
			return nil, err
		}
		now = time.Now()
		at = now.UnixNano()
	}
	if at >= t.stale || s.mayLook(at) {
		s.attend(t, now)
	}
	return t, nil
}

// mayLook reports whether it is time to look for a change. It may be so at once
// if the wall clock was set back.
func (s *Source) mayLook(at int64) bool {
	every := lookEvery
	if tr := s.trouble.Load(); tr != nil && !tr.unreachable && !s.token.Load().Good() {
		every = time.Second // others may have what this source cannot have
	}
	return s.Shared && uint64(at-s.looked.Load()) >= uint64(every)
}

// attend begins in the background what there is to do about a good token.
func (s *Source) attend(t *Token, now time.Time) {
	at := now.UnixNano()
	switch tr := s.trouble.Load(); {
	case s.renewal.Load() != nil:
	case at >= t.stale && !tr.holds(now):
		s.begin(t, Due, true)
	case s.mayLook(at) && !tr.is(unsaved):
		s.begin(t, Look, true)
	}
}

// Replace waits for the token that comes after old, and reports whether it was
// renewed for those who waited, or else by somebody else.
func (s *Source) Replace(ctx context.Context, old *Token, why Reason) (t *Token, renewed bool, err error) {
	for looked := false; ; {
		if ctx.Err() != nil {
			return nil, false, s.left(ctx)
		}
		r := s.begin(old, why, looked)
		select {
		case <-r.done:
		case <-ctx.Done():
			return nil, false, s.left(ctx)
		}
		switch o := r.out; o.Result {
		case Renewed:
			return o.Token, true, nil
		case Failed:
			return nil, false, o.Err
		}
		t = s.token.Load()
		if t != old && t.Good() && (why != Asked || r.why == Asked || r.out.Result == Unchanged) {
			return t, false, nil
		}
		old = t // somebody only looked, or saved
		looked = looked || r.why == Look
	}
}

// left is the error of a caller whose context ended.
func (s *Source) left(ctx context.Context) error {
	return s.Origin.Fail(fmt.Errorf("stopped waiting for the token's renewal: %w", ctx.Err()))
}

// begin returns the renewal of old: the one under way, a new one, or one that has
// ended because old is replaced already or nothing may be sent now. Others may
// have a better token, or have renewed it: whoever has not looked yet looks first.
func (s *Source) begin(old *Token, why Reason, looked bool) *renewal {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, tr := time.Now(), s.trouble.Load()
	if why == Save { // whatever is current
		old = s.token.Load()
	}
	if s.token.Load() != old || why == Save && (!tr.is(unsaved) || tr.holds(now)) {
		return ended(Outcome{})
	}
	if r := s.renewal.Load(); r != nil {
		return r
	}
	resting := why == Rejected && s.rest != nil && now.Before(s.rest.until)
	switch {
	case why == Look && (tr.is(unsaved) || !s.mayLook(now.UnixNano())): // as it was when it was decided
		return ended(Outcome{})
	case why == Save || why == Look:
	case tr.is(unsaved) && !tr.holds(now):
		why = Save
	case s.Shared && !looked && !tr.is(unsaved) && (why == Asked || resting || tr.holds(now) && s.mayLook(now.UnixNano())):
		why = Look
	case tr.holds(now):
		return ended(Outcome{Result: Failed, Err: tr.err})
	case resting:
		return ended(Outcome{Result: Failed, Err: errRest})
	}
	r := &renewal{known: Known{old, s.former}, why: why, began: now, done: make(chan struct{})}
	s.renewal.Store(r)
	go func() {
		// What stands if the Origin calls runtime.Goexit, as a failing test does.
		r.out = Outcome{Result: Failed, Err: s.Origin.Fail(errAbandoned)}
		if why == Save {
			r.out.Result = Unsaved
		}
		defer s.settle(r)
		r.out = s.renew(context.WithoutCancel(s.Origin.Context()), r)
	}()
	return r
}

func ended(o Outcome) *renewal { return &renewal{done: closed, out: o} }

// renew takes the steps of a renewal.
func (s *Source) renew(ctx context.Context, r *renewal) Outcome {
	k, tr := r.known, s.trouble.Load()
	switch {
	case r.why == Save:
		return s.Origin.Save(ctx, k)
	case r.why == Look:
		found := s.Origin.Find(ctx, k)
		if found.Result != Adopted || found.Token.Good() {
			return found
		}
		if tr.holds(time.Now()) && (tr.state == failing || tr.tried.Same(found.Token)) {
			return Outcome{} // nothing may be sent yet, or not for this one
		}
		r.why = Due // what others have kept is to be renewed first
	case s.Shared && (k.Token == nil || tr.isUnreachable()):
		found := s.Origin.Find(ctx, k)
		switch {
		case found.Result == Adopted && !found.Token.Good():
			k = Known{Token: found.Token}
		case found.Result != Unchanged:
			return found
		}
		if tr.isUnreachable() {
			time.Sleep(othersFirst)
		}
	}
	o := s.next(ctx, k)
	if o.Result != Failed || o.Mend != ByUser || !s.Shared {
		return o
	}
	// A login, or a process that had lost its lock, may have been first.
	if o.Token != k.Token {
		k = Known{Token: o.Token}
	}
	switch found := s.Origin.Find(ctx, k); {
	case found.Result == Failed, found.Result == Unchanged, found.Result == Unsaved:
		return o
	case found.Result != Adopted || found.Token.Good():
		return found
	default:
		return s.next(ctx, Known{Token: found.Token})
	}
}

func (s *Source) next(ctx context.Context, k Known) Outcome {
	o := s.Origin.Next(ctx, k)
	if o.Result == Failed && o.Token == nil {
		o.Token = k.Token // others have kept it, and it may be good
	}
	return o
}

// settle makes the outcome of a renewal everybody's.
func (s *Source) settle(r *renewal) {
	defer close(r.done)
	s.mu.Lock()
	s.renewal.Store(nil)
	if r.stale && !(r.out.Result == Renewed && r.out.Former.Same(s.token.Load())) {
		r.out = Outcome{}
		s.mu.Unlock()
		return
	}
	looked := time.Now()
	if r.why == Look {
		looked = r.began // what came later may not have been seen
	}
	s.looked.Store(looked.UnixNano())
	switch o := &r.out; o.Result {
	case Renewed:
		s.token.Store(o.Token)
		s.former = o.Former
	case Adopted, Failed:
		// A good token is used until there is another.
		if o.Token != nil && !o.Token.Same(r.known.Token) && (o.Token.Good() || !r.known.Token.Good()) {
			s.token.Store(o.Token)
			s.former = r.known.Token
		}
	case Gone:
		s.token.Store(nil)
		s.former = nil
	}
	if r.why == Rejected && r.out.Result == Renewed {
		n := 1
		if s.rest != nil {
			n = s.rest.n + 1
		}
		s.rest = &rest{time.Now().Add(Backoff(n, time.Minute, 5*time.Minute)), n}
	}
	e := Event{Reason: r.why, Outcome: r.out, Old: r.known.Token, Took: time.Since(r.began)}
	if r.why == Look && (r.out.Result == Failed || r.out.Result == Unchanged) {
		r.out = Outcome{} // nobody asked for more
	} else if tr := s.troubleOf(r.out); tr != nil {
		s.setTrouble(tr)
		e.Hold, e.Nth = time.Until(tr.until), tr.n
		if tr.state != unsaved {
			r.out.Err = tr.err
			r.out.Result = Failed
		}
	} else {
		s.setTrouble(nil)
	}
	s.mu.Unlock()
	s.Origin.Log(e)
}

// troubleOf returns the trouble that o puts the source into, nil for none.
func (s *Source) troubleOf(o Outcome) *trouble {
	was, t := s.trouble.Load(), &trouble{n: 1, err: o.Err, mend: o.Mend, unreachable: o.Unreachable}
	if o.Result == Failed {
		t.tried = o.Token
	}
	switch {
	case o.Result == Gone:
		t.state, t.mend = refused, ByUser
	case o.Result == Unsaved || o.Result == Renewed && o.Err != nil:
		t.state = unsaved
		t.err = s.Origin.Fail(fmt.Errorf("no renewal is sent before the last one's token is saved: %w", o.Err))
	case o.Result != Failed:
		return nil
	case o.Mend != ByTime:
		t.state = refused
	}
	if was != nil && was.state == t.state && was.mend == t.mend {
		t.n = was.n + 1
	}
	var hold time.Duration
	switch {
	case t.state == unsaved:
		hold = Backoff(t.n, saveMost/16, saveMost)
	case t.mend == ByUser:
		hold = doubled(t.n, time.Hour, 24*time.Hour)
	case t.mend == ByOperator:
		hold = doubled(t.n, time.Minute, time.Hour)
	default:
		hold = Backoff(t.n, time.Second, time.Minute)
	}
	t.until = time.Now().Add(max(hold, o.After))
	return t
}

// setTrouble replaces the trouble, and sees to it that what is unsaved is saved.
func (s *Source) setTrouble(t *trouble) {
	if was := s.trouble.Load(); was != nil && was.timer != nil {
		was.timer.Stop()
	}
	if t.is(unsaved) {
		t.timer = time.AfterFunc(time.Until(t.until), func() { s.begin(nil, Save, true) })
	}
	s.trouble.Store(t)
}

func (t *trouble) is(st state) bool         { return t != nil && t.state == st }
func (t *trouble) isUnreachable() bool      { return t != nil && t.unreachable }
func (t *trouble) holds(now time.Time) bool { return t != nil && now.Before(t.until) }

// Trouble returns for how long nothing is sent, and why; nil if the source is
// well.
func (s *Source) Trouble() (hold time.Duration, err error) {
	if t := s.trouble.Load(); t != nil {
		return max(0, time.Until(t.until)), t.err
	}
	return 0, nil
}

// Accepted is told that the request for which a 401 had the token renewed was
// then accepted: renewing helps.
func (s *Source) Accepted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest = nil
}

// Expire is told that t is dead, whatever its expiry says.
func (s *Source) Expire(t *Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token.CompareAndSwap(t, Dead(&t.token))
}

// Busy reports whether something is under way or unsaved.
func (s *Source) Busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewal.Load() != nil || s.trouble.Load().is(unsaved)
}

// Wait waits until nothing is under way and nothing is unsaved.
func (s *Source) Wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		r, tr := s.renewal.Load(), s.trouble.Load()
		s.mu.Unlock()
		var ended <-chan struct{}
		var again <-chan time.Time
		switch {
		case r != nil:
			ended = r.done
		case tr.is(unsaved):
			again = time.After(time.Until(tr.until))
		default:
			return nil
		}
		select {
		case <-ended:
		case <-again:
			s.begin(nil, Save, true)
		case <-ctx.Done():
			if tr.is(unsaved) {
				return fmt.Errorf("%w: %w", ctx.Err(), tr.err)
			}
			return s.left(ctx)
		}
	}
}

// Backoff returns how long to wait after the nth failure: about first, doubled
// each time up to about most, with a jitter of a quarter either way.
func Backoff(n int, first, most time.Duration) time.Duration {
	d := doubled(n, first, most)
	// The clock is chance enough, and a simulated one makes a run repeatable.
	chance := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(n)))
	return d*3/4 + time.Duration(chance.Int64N(int64(d/2+1)))
}

func doubled(n int, first, most time.Duration) time.Duration {
	return min(first<<min(n-1, 20), most)
}
