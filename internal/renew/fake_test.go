package renew

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

var (
	errTime     = errors.New("passing")
	errStore    = errors.New("the store is out of reach")
	errOperator = errors.New("the operator can mend it")
	errUser     = errors.New("the user can mend it")
	errSave     = errors.New("not saved")
	errGone     = errors.New("nothing is kept")
)

// A callerError is what the fake makes of a Source's own errors.
type callerError struct{ error }

func (e callerError) Unwrap() error { return e.error }

type valueKey struct{}

// A fake is an Origin each of whose calls waits for an answer, if it has no script.
type fake struct {
	script func(c *call) Outcome

	mu     sync.Mutex
	calls  []*call
	events []Event
	inside int
	wrong  string // what no Source may do
	over   bool   // nobody answers any more
}

// A call is one of Find, Next or Save.
type call struct {
	step  string
	known Known
	reply chan Outcome // closed: the goroutine exits
}

func (f *fake) Context() context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), valueKey{}, "value"))
	cancel() // its end is not heeded
	return ctx
}

func (f *fake) Find(ctx context.Context, k Known) Outcome { return f.enter(ctx, "Find", k) }
func (f *fake) Next(ctx context.Context, k Known) Outcome { return f.enter(ctx, "Next", k) }
func (f *fake) Save(ctx context.Context, k Known) Outcome { return f.enter(ctx, "Save", k) }

func (f *fake) Fail(err error) error { return callerError{err} }

func (f *fake) Log(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

func (f *fake) enter(ctx context.Context, step string, k Known) Outcome {
	f.mu.Lock()
	if f.over {
		f.mu.Unlock()
		runtime.Goexit()
	}
	c := &call{step, k, make(chan Outcome, 1)}
	f.calls = append(f.calls, c)
	if f.inside++; f.inside > 1 {
		f.wrong = "two calls at a time"
	}
	if ctx.Err() != nil || ctx.Done() != nil || ctx.Value(valueKey{}) != "value" {
		f.wrong = "a context that ends, or without the values of Context"
	}
	f.mu.Unlock()
	var o Outcome
	ok := true
	if f.script != nil {
		o = f.script(c)
	} else {
		o, ok = <-c.reply
	}
	f.mu.Lock()
	f.inside--
	f.mu.Unlock()
	if !ok {
		runtime.Goexit()
	}
	return o
}

// close has whoever is in a call go, and all who come.
func (f *fake) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	if f.inside > 0 {
		close(f.calls[len(f.calls)-1].reply)
	}
}

// count is how many calls of a step there were.
func (f *fake) count(step string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c.step == step {
			n++
		}
	}
	return n
}

// seen is what there was so far.
func (f *fake) seen() (calls []*call, events []Event, wrong string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls, f.events, f.wrong
}

// last is the latest call.
func (f *fake) last() *call {
	calls, _, _ := f.seen()
	return calls[len(calls)-1]
}

// newest is the latest event.
func (f *fake) newest() Event {
	_, events, _ := f.seen()
	return events[len(events)-1]
}

// tokenOf returns a token that is stale and expired so long from now.
func tokenOf(name string, stale, expired time.Duration) *Token {
	now := time.Now()
	t := Dead(&oauth2.Token{AccessToken: name, RefreshToken: "refresh " + name, Expiry: now.Add(expired)})
	t.stale, t.expired = now.Add(stale).UnixNano(), now.Add(expired).UnixNano()
	return t
}

func nameOf(t *Token) string {
	if t == nil {
		return "none"
	}
	return t.token.AccessToken
}
