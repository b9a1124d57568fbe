package renew

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The engine alone against a model of itself.
//
// An event is somebody asking, an answer of the Origin, time passing until the
// clock next decides something, and so on: the tables below hold them all. After
// each of them the model says what every caller got, which call the Origin is
// in and what it was told, what the source's token, trouble and log are. What
// has to hold whatever the model says is in world.lasting.
//
// Two sequences of events that the model says end in the same state, with
// the same things left for the clock to decide, in the same order, go on as one.
// So every sequence of so many events is covered, in this sense: each of its
// events has been tried in the state that it meets there, on the shortest way to
// that state. States differ by names (fresh, held back, once or more often) and
// not by seconds, and no more than two callers wait at once.

// A model is what there is to know of a source.
type model struct {
	shared      bool
	life        map[*Token]*life // of every token there is
	cur, former *Token
	looked      time.Time
	trouble     *held    // nil: well
	rest        *pause   // nil: a 401 causes a renewal
	attempt     *attempt // nil: nothing is under way
	callers     []*asker
	calls       map[string]int
	events      int
	event       *Event // the latest, except Took and Hold
}

type life struct {
	stale, expired time.Time
}

func (m *model) good(t *Token) bool  { return t != nil && time.Now().Before(m.life[t].expired) }
func (m *model) stale(t *Token) bool { return !time.Now().Before(m.life[t].stale) }

// A pause ends between from and to, until it is known when it does.
type pause struct {
	n        int
	from, to time.Time
}

func pauseOf(n int, d, jitter time.Duration) pause {
	return pause{n, time.Now().Add(d - jitter), time.Now().Add(d + jitter)}
}

// A held source has a trouble.
type held struct {
	state       string // failing, operator, user, unsaved
	err         error
	unreachable bool
	tried       *Token // what was found and could not be renewed
	pause
}

func (m *model) unsaved() bool { return m.trouble != nil && m.trouble.state == "unsaved" }
func (m *model) holds() bool   { return m.trouble != nil && time.Now().Before(m.trouble.to) }
func (m *model) resting() bool { return m.rest != nil && time.Now().Before(m.rest.to) }

func (m *model) lookDue() bool {
	since, every := time.Since(m.looked), 59*time.Second
	if m.trouble != nil && !m.trouble.unreachable && !m.good(m.cur) {
		every = time.Second
	}
	return m.shared && (since >= every || since < 0)
}

// An attempt is a renewal under way.
type attempt struct {
	why     Reason
	step    string // Find, Next, Save; or sleep, until wake
	nth     int    // of its kind, in this attempt
	wake    time.Time
	began   time.Time
	first   Known   // what was known when it began
	known   Known   // what this step is told
	trouble *held   // when it began
	failed  Outcome // a verdict, before others are asked
	set     bool    // meanwhile
}

// An asker is somebody who asked.
type asker struct {
	why     Reason
	old     *Token
	looked  bool
	waiting bool
	get     bool      // by Get
	wait    bool      // by Wait
	may     bool      // return, as nothing was under way for a moment
	asleep  time.Time // until which Wait does not see that a Set has saved the trouble of saving

	token   *Token
	renewed bool
	err     error
}

func (m *model) clone() *model {
	c := *m
	copied := func(p **attempt) {
		if *p != nil {
			f := **p
			*p = &f
		}
	}
	copied(&c.attempt)
	c.calls = maps.Clone(m.calls)
	c.callers = nil
	for _, a := range m.callers {
		a := *a
		c.callers = append(c.callers, &a)
	}
	if m.trouble != nil {
		t := *m.trouble
		c.trouble = &t
	}
	if m.rest != nil {
		r := *m.rest
		c.rest = &r
	}
	return &c
}

// get: a good token is handed out at once, whatever the trouble.
func (m *model) get() {
	a := &asker{why: Due, get: true, old: m.cur}
	m.callers = append(m.callers, a)
	if !m.good(m.cur) {
		m.meet(a, Due, Unchanged)
		return
	}
	a.token = m.cur
	m.attend()
}

func (m *model) attend() {
	switch {
	case m.attempt != nil:
	case m.stale(m.cur) && !m.holds() && m.unsaved():
		m.begin(Save)
	case m.stale(m.cur) && !m.holds():
		m.begin(Due)
	case m.lookDue() && !m.unsaved():
		m.begin(Look)
	}
}

func (m *model) replace(old *Token, why Reason) {
	a := &asker{why: why, old: old}
	m.callers = append(m.callers, a)
	m.meet(a, Due, Unchanged)
}

// meet is what somebody meets who needs another token than a.old, after a
// renewal for the given reason and what came of it.
func (m *model) meet(a *asker, after Reason, came Result) {
	a.waiting = false
	if m.cur != a.old {
		if m.good(m.cur) && (a.why != Asked || after == Asked || came == Unchanged) {
			a.token = m.cur
			if a.get {
				m.attend()
			}
			return
		}
		a.old = m.cur
	}
	resting := a.why == Rejected && m.resting()
	switch {
	case m.attempt != nil:
	case m.unsaved() && !m.holds():
		m.begin(Save)
	case m.shared && !m.unsaved() && !a.looked && (a.why == Asked || resting || m.holds() && m.lookDue()):
		m.begin(Look)
	case m.holds():
		a.err = m.trouble.err
		return
	case resting:
		a.err = errRest
		return
	default:
		m.begin(a.why)
	}
	a.waiting = true
}

func (m *model) begin(why Reason) {
	k := Known{m.cur, m.former}
	m.attempt = &attempt{why: why, began: time.Now(), first: k, trouble: m.trouble}
	switch unreachable := m.trouble != nil && m.trouble.unreachable; {
	case why == Save:
		m.take("Save", k)
	case why == Look || m.shared && (m.cur == nil || unreachable):
		m.take("Find", k)
	default:
		m.take("Next", k)
	}
}

func (m *model) take(step string, k Known) {
	m.attempt.step, m.attempt.known = step, k
	m.calls[step]++
	m.attempt.nth = m.attempt.nth*2 + 1
}

// answer is the Origin's, or what stands when its goroutine exits.
func (m *model) answer(o Outcome, exits bool) {
	f := m.attempt
	if f.step == "Next" && o.Result == Failed && o.Token == nil && !exits {
		o.Token = f.known.Token
	}
	switch {
	case exits:
		o = Outcome{Result: Failed, Err: errAbandoned}
		if f.why == Save {
			o.Result = Unsaved
		}
	case f.step == "Find" && f.failed.Err != nil: // after a verdict
		if o.Result == Adopted && !m.good(o.Token) {
			m.take("Next", Known{Token: o.Token})
			return
		}
		if o.Result == Failed || o.Result == Unchanged || o.Result == Unsaved {
			o = f.failed
		}
	case f.step == "Find" && f.why == Look:
		if o.Result == Adopted && !m.good(o.Token) {
			if m.holds() && (m.trouble.state == "failing" || same(m.trouble.tried, o.Token)) {
				o = Outcome{} // that was tried, and is held back
				break
			}
			f.why = Due
			m.take("Next", f.first)
			return
		}
	case f.step == "Find":
		if o.Result == Adopted && !m.good(o.Token) {
			f.known = Known{Token: o.Token}
		} else if o.Result != Unchanged {
			break
		}
		if f.trouble != nil && f.trouble.unreachable {
			f.step, f.wake = "sleep", time.Now().Add(2*time.Second)
			return
		}
		m.take("Next", f.known)
		return
	case f.step == "Next" && m.shared && o.Result == Failed && o.Mend == ByUser && f.failed.Err == nil:
		f.failed = o
		k := f.known
		if o.Token != k.Token {
			k = Known{Token: o.Token}
		}
		m.take("Find", k)
		return
	}
	m.end(o)
}

func (m *model) end(o Outcome) {
	f := m.attempt
	m.attempt = nil
	if f.set {
		o = Outcome{}
	} else {
		o = m.learn(f, o)
	}
	for _, a := range m.callers {
		a.may = a.wait && !m.unsaved()
		if !a.waiting || a.wait {
			continue
		}
		switch o.Result {
		case Renewed:
			a.waiting, a.token, a.renewed = false, o.Token, !a.get
			if a.get {
				m.attend()
			}
		case Failed, Gone:
			a.waiting, a.err = false, o.Err
		default:
			a.looked = a.looked || f.why == Look
			m.meet(a, f.why, o.Result)
		}
	}
}

// learn is what the source makes of an outcome, and what callers are told of it.
func (m *model) learn(f *attempt, o Outcome) Outcome {
	m.looked = time.Now()
	if f.why == Look {
		m.looked = f.began
	}
	m.events++
	m.event = &Event{Reason: f.why, Outcome: o, Old: f.first.Token}
	switch {
	case o.Result == Renewed:
		m.cur, m.former = o.Token, o.Former
	case o.Result == Gone:
		m.cur, m.former = nil, nil
	case o.Token != nil && !same(o.Token, f.first.Token) && (m.good(o.Token) || !m.good(f.first.Token)):
		m.cur, m.former = o.Token, f.first.Token
	}
	if f.why == Rejected && o.Result == Renewed {
		n := 1
		if m.rest != nil {
			n = m.rest.n + 1
		}
		d := min(time.Minute<<(n-1), 5*time.Minute)
		p := pauseOf(n, d, d/4)
		m.rest = &p
	}
	t := &held{err: o.Err, unreachable: o.Unreachable}
	var d, jitter time.Duration
	n := func(state string) int {
		t.state = state
		if m.trouble != nil && m.trouble.state == state {
			return m.trouble.n + 1
		}
		return 1
	}
	switch {
	case f.why == Look && (o.Result == Failed || o.Result == Unchanged):
		return Outcome{}
	case o.Result == Unsaved || o.Result == Renewed && o.Err != nil:
		t.n = n("unsaved")
		d = min(time.Second/16<<(t.n-1), time.Second)
		jitter = d / 4
	case o.Result == Gone || o.Result == Failed && o.Mend == ByUser:
		t.n = n("user")
		d = min(time.Hour<<(t.n-1), 24*time.Hour)
	case o.Result == Failed && o.Mend == ByOperator:
		t.n = n("operator")
		d = min(time.Minute<<(t.n-1), time.Hour)
	case o.Result == Failed:
		t.n = n("failing")
		d = min(time.Second<<(t.n-1), time.Minute)
		jitter = d / 4
	default:
		m.trouble = nil
		return o
	}
	if t.tried = o.Token; o.Result != Failed {
		t.tried = nil
	}
	t.pause = pauseOf(t.n, d, jitter)
	if after := time.Now().Add(o.After); after.After(t.to) {
		t.from, t.to = after, after
	}
	m.trouble, m.event.Nth = t, t.n
	return o
}

func (m *model) set(t *Token) {
	if m.attempt != nil {
		m.attempt.set = true
	} else if m.unsaved() {
		for _, a := range m.callers {
			if a.asleep.Before(time.Now()) {
				a.asleep = m.trouble.to
			}
		}
	}
	m.cur, m.former, m.looked, m.trouble, m.rest = t, nil, time.Now(), nil, nil
}

// tick is what happens by itself when time has passed.
func (m *model) tick() {
	switch f := m.attempt; {
	case f != nil && f.step == "sleep" && !time.Now().Before(f.wake):
		m.take("Next", f.known)
	case f == nil && m.unsaved() && !m.holds():
		m.begin(Save)
	}
}

// settled has those who Wait go, once they may.
func (m *model) settled() {
	for _, a := range m.callers {
		if a.wait && m.attempt == nil && !m.unsaved() && !time.Now().Before(a.asleep) {
			a.waiting = false
		}
	}
}

// ahead is what the clock has yet to decide, the next first, and when.
func (m *model) ahead() (names []string, next time.Time) {
	at := map[string]time.Time{}
	if m.cur != nil {
		at["stale"], at["expired"] = m.life[m.cur].stale, m.life[m.cur].expired
	}
	if m.shared {
		at["look"] = m.looked.Add(59 * time.Second)
	}
	if m.trouble != nil {
		at["hold"] = m.trouble.to
	}
	if m.rest != nil {
		at["rest"] = m.rest.to
	}
	if m.attempt != nil {
		at["wake"], at["look after"] = m.attempt.wake, m.attempt.began.Add(59*time.Second)
	}
	for _, a := range m.callers {
		if a.waiting && a.wait {
			at["asleep"] = a.asleep
		}
	}
	for name, t := range at {
		if t.After(time.Now()) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return 2*at[a].Compare(at[b]) + strings.Compare(a, b)
	})
	if len(names) > 0 {
		next = at[names[0]]
	}
	return names, next
}

// state is what the model says that matters to what comes next.
func (m *model) state() string {
	var s strings.Builder
	names, _ := m.ahead()
	fmt.Fprint(&s, m.shared, " ", m.class(m.cur), " former ", m.class(m.former), " ahead ", names, m.lookDue())
	if t := m.trouble; t != nil {
		fmt.Fprint(&s, " ", t.state, min(t.n, 2), t.unreachable, t.tried != nil, m.holds())
	}
	if m.rest != nil {
		fmt.Fprint(&s, " rest ", min(m.rest.n, 2), m.resting())
	}
	if f := m.attempt; f != nil {
		fmt.Fprint(&s, " ", f.why, f.step, f.set, m.class(f.known.Token), m.class(f.first.Token), f.first.Token == m.cur,
			f.failed.Err != nil, m.class(f.failed.Token), f.trouble != nil && f.trouble.unreachable)
	}
	var waiting []string
	for _, a := range m.callers {
		if a.waiting {
			waiting = append(waiting, fmt.Sprint(" waiting ", a.why, a.wait, a.looked, a.old == m.cur, a.old == nil))
		}
	}
	sort.Strings(waiting)
	return s.String() + strings.Join(waiting, "")
}

func (m *model) class(t *Token) string {
	switch {
	case t == nil:
		return "none"
	case !m.good(t):
		return "expired"
	case m.stale(t):
		return "stale"
	}
	return "fresh"
}

func same(t, u *Token) bool { return t != nil && u != nil && nameOf(t) == nameOf(u) }

// A world is a source, what is around it, and the model of it.
type world struct {
	*model
	source  Source
	origin  *fake
	callers []*caller
	seen    int // calls of the Origin that were looked at
	good    *Token
	bad     *Token // expired
	made    int
	dead    *Token
	path    []string
	shifted bool
}

// A caller is a goroutine that asked.
type caller struct {
	cancel  context.CancelFunc
	done    bool
	token   *Token
	renewed bool
	err     error
}

// A root is where sequences of events begin.
type root struct {
	shared bool
	class  string
}

var roots = func() (all []root) {
	for _, shared := range []bool{true, false} {
		for _, class := range []string{"none", "fresh", "stale", "expired"} {
			all = append(all, root{shared, class})
		}
	}
	return all
}()

func newWorld(r root) *world {
	w := &world{origin: &fake{}, model: &model{shared: r.shared, life: map[*Token]*life{}, calls: map[string]int{}}}
	w.source.Origin, w.source.Shared = w.origin, r.shared
	w.path = []string{fmt.Sprintf("shared %t, %s", r.shared, r.class)}
	var t *Token
	switch r.class {
	case "none":
		return w
	case "fresh":
		t = w.token(10*time.Minute, 20*time.Minute)
	case "stale":
		t = w.token(0, 10*time.Minute)
	case "expired":
		t = w.token(-time.Minute, 0)
	}
	w.source.Set(t)
	w.model.set(t)
	return w
}

func (w *world) token(stale, expired time.Duration) *Token {
	w.made++
	t := tokenOf(fmt.Sprint("token ", w.made), stale, expired)
	w.life[t] = &life{time.Now().Add(stale), time.Now().Add(expired)}
	return t
}

func (w *world) ask(f func(ctx context.Context, c *caller)) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &caller{cancel: cancel}
	w.callers = append(w.callers, c)
	go func() {
		f(ctx, c)
		c.done = true
	}()
}

func (w *world) replace(old *Token, why Reason) {
	w.ask(func(ctx context.Context, c *caller) {
		c.token, c.renewed, c.err = w.source.Replace(ctx, old, why)
	})
}

func (w *world) waiting(wait bool) (which []int) {
	for i, a := range w.model.callers {
		if a.waiting && a.wait == wait {
			which = append(which, i)
		}
	}
	return which
}

// An event happens to the world, and means something to the model. The model's
// part may be done twice, to a copy.
type event struct {
	name  string
	can   func(w *world) bool
	do    func(w *world)
	means func(w *world, m *model)
}

const (
	most  = 2  // who wait at once
	tries = 40 // to get to a state again: those who wait go on in any order
)

func fewWait(w *world) bool { return len(w.waiting(false)) < most }

// shift has the wall clock set forward by d, as far as tokens and looks are
// concerned: a bubble's clock cannot be set.
func shift(d time.Duration) (do func(w *world), means func(w *world, m *model)) {
	return func(w *world) {
			w.shifted = true
			w.source.looked.Add(-int64(d))
			if r := w.source.renewal.Load(); r != nil {
				r.began = r.began.Add(-d)
			}
			for t, l := range w.life {
				if l.expired.IsZero() {
					continue // it was dead to begin with
				}
				t.stale, t.expired = t.stale-int64(d), t.expired-int64(d)
				l.stale, l.expired = l.stale.Add(-d), l.expired.Add(-d)
			}
		}, func(_ *world, m *model) {
			m.looked = m.looked.Add(-d)
			if m.attempt != nil {
				m.attempt.began = m.attempt.began.Add(-d)
			}
		}
}

var events = func() []event {
	forward, forwardMeans := shift(11 * time.Minute)
	back, backMeans := shift(-11 * time.Minute)
	return append([]event{{
		"ask", fewWait,
		func(w *world) {
			w.ask(func(ctx context.Context, c *caller) { c.token, c.err = w.source.Get(ctx, time.Now()) })
		},
		func(_ *world, m *model) { m.get() },
	}, {
		"ask for a new one", fewWait,
		func(w *world) { w.replace(w.source.Token(), Asked) },
		func(_ *world, m *model) { m.replace(m.cur, Asked) },
	}, {
		"401", func(w *world) bool { return fewWait(w) && w.cur != nil },
		func(w *world) { w.replace(w.source.Token(), Rejected) },
		func(_ *world, m *model) { m.replace(m.cur, Rejected) },
	}, {
		"401 to the former token", func(w *world) bool { return fewWait(w) && w.former != nil && w.former != w.cur },
		func(w *world) { w.replace(w.former, Rejected) },
		func(_ *world, m *model) { m.replace(m.former, Rejected) },
	}, {
		"wait", func(w *world) bool { return len(w.waiting(true)) == 0 },
		func(w *world) { w.ask(func(ctx context.Context, c *caller) { c.err = w.source.Wait(ctx) }) },
		func(_ *world, m *model) { m.callers = append(m.callers, &asker{wait: true, waiting: true}) },
	}, {
		"a caller leaves", func(w *world) bool { return len(w.waiting(false)) > 0 },
		func(w *world) { w.callers[w.waiting(false)[0]].cancel() },
		func(w *world, m *model) {
			a := m.callers[w.waiting(false)[0]]
			a.waiting, a.err = false, context.Canceled
		},
	}, {
		"set", func(w *world) bool { return true },
		func(w *world) { w.source.Set(w.good) },
		func(w *world, m *model) { m.set(w.good) },
	}, {
		"forget", func(w *world) bool { return w.shared },
		func(w *world) { w.source.Set(nil) },
		func(_ *world, m *model) { m.set(nil) },
	}, {
		"the token dies", func(w *world) bool { return w.model.good(w.cur) },
		func(w *world) {
			w.source.Expire(w.source.Token())
			w.dead = w.source.Token()
			w.life[w.dead] = &life{}
		},
		func(w *world, m *model) { m.cur = w.dead },
	}, {
		"accepted", func(w *world) bool { return w.rest != nil },
		func(w *world) { w.source.Accepted() },
		func(_ *world, m *model) { m.rest = nil },
	}, {
		"time passes", func(w *world) bool { names, _ := w.ahead(); return len(names) > 0 },
		func(w *world) {
			_, next := w.ahead()
			time.Sleep(time.Until(next))
		},
		func(_ *world, m *model) { m.tick() },
	},
		{"the clock is set forward", func(w *world) bool { return !w.shifted && w.cur != nil }, forward, forwardMeans},
		{"the clock is set back", func(w *world) bool { return !w.shifted && w.cur != nil }, back, backMeans},
	}, answers()...)
}()

// An answer can be given where the Origin may give it.
func answers() (all []event) {
	answer := func(step, name string, can func(w *world) bool, o func(w *world) Outcome) {
		all = append(all, event{step + ": " + name,
			func(w *world) bool { return w.attempt != nil && w.attempt.step == step && (can == nil || can(w)) },
			func(w *world) {
				if o == nil {
					close(w.origin.last().reply)
					return
				}
				w.origin.last().reply <- o(w)
			},
			func(w *world, m *model) {
				if o == nil {
					m.answer(Outcome{}, true)
					return
				}
				m.answer(o(w), false)
			},
		})
	}
	shared := func(w *world) bool { return w.shared }
	knows := func(w *world) bool { return w.attempt.known.Token != nil }
	fails := func(err error, mend Mend) func(w *world) Outcome {
		return func(w *world) Outcome { return Outcome{Result: Failed, Err: err, Mend: mend} }
	}
	adopted := func(w *world) Outcome { return Outcome{Result: Adopted, Token: w.good} }
	gone := func(w *world) Outcome { return Outcome{Result: Gone, Err: errGone} }
	unreachable := func(w *world) Outcome { return Outcome{Result: Failed, Err: errStore, Unreachable: true} }
	former := func(w *world) *Token {
		if !w.shared {
			return nil
		}
		return w.attempt.known.Token
	}

	answer("Find", "unchanged", knows, func(w *world) Outcome { return Outcome{} })
	answer("Find", "adopted", nil, adopted)
	answer("Find", "adopted an expired one", nil, func(w *world) Outcome { return Outcome{Result: Adopted, Token: w.bad} })
	answer("Find", "adopted the expired one that was tried", func(w *world) bool {
		return w.trouble != nil && w.trouble.tried != nil && w.trouble.tried != w.attempt.known.Token
	},
		func(w *world) Outcome { return Outcome{Result: Adopted, Token: w.trouble.tried} })
	answer("Find", "the store has lost it", func(w *world) bool { return w.attempt.known.Former != nil },
		func(w *world) Outcome { return Outcome{Result: Unsaved, Err: errSave} })
	answer("Find", "gone", nil, gone)
	answer("Find", "no store", nil, unreachable)
	answer("Find", "unreadable", nil, fails(errOperator, ByOperator))
	answer("Find", "exits", nil, nil)

	answer("Next", "renewed", nil, func(w *world) Outcome { return Outcome{Result: Renewed, Token: w.good, Former: former(w)} })
	answer("Next", "renewed, not saved", nil, func(w *world) Outcome {
		return Outcome{Result: Renewed, Token: w.good, Former: former(w), Err: errSave}
	})
	answer("Next", "adopted", shared, adopted)
	answer("Next", "gone", shared, gone)
	answer("Next", "no store", shared, unreachable)
	answer("Next", "time", nil, fails(errTime, ByTime))
	answer("Next", "time, later", nil, func(w *world) Outcome { return Outcome{Result: Failed, Err: errTime, After: 15 * time.Minute} })
	answer("Next", "operator", nil, fails(errOperator, ByOperator))
	answer("Next", "user", nil, fails(errUser, ByUser))
	answer("Next", "time, of a good one that was found", func(w *world) bool { return w.shared && !knows(w) },
		func(w *world) Outcome { return Outcome{Result: Failed, Err: errTime, Token: w.good} })
	answer("Next", "user, of an expired one that was found", shared, func(w *world) Outcome {
		return Outcome{Result: Failed, Err: errUser, Mend: ByUser, Token: w.bad}
	})
	answer("Next", "exits", nil, nil)

	answer("Save", "saved", nil, func(w *world) Outcome { return Outcome{Result: Saved} })
	answer("Save", "unsaved", nil, func(w *world) Outcome { return Outcome{Result: Unsaved, Err: errSave} })
	answer("Save", "adopted", shared, adopted)
	answer("Save", "adopted an expired one", shared, func(w *world) Outcome { return Outcome{Result: Adopted, Token: w.bad} })
	answer("Save", "gone", shared, gone)
	answer("Save", "exits", nil, nil)
	return all
}

// happen does an event, and requires that what follows is what the model says.
func (w *world) happen(t *testing.T, e *event) {
	w.path = append(w.path, e.name)
	w.good, w.bad = w.token(10*time.Minute, 20*time.Minute), w.token(-time.Minute, 0)
	before := w.model.clone()
	e.do(w)
	after, others := before.clone(), before.clone()
	synctest.Wait()
	e.means(w, after)
	after.settled()
	wrong := w.differs(after)
	if wrong != "" && len(w.waiting(false)) > 1 { // they go on in any order
		i := w.waiting(false)
		cs := others.callers
		cs[i[0]], cs[i[1]] = cs[i[1]], cs[i[0]]
		e.means(w, others)
		cs[i[0]], cs[i[1]] = cs[i[1]], cs[i[0]]
		others.settled()
		if w.differs(others) == "" {
			after, wrong = others, ""
		}
	}
	require.Empty(t, wrong, "after\n\t%s", strings.Join(w.path, "\n\t"))
	w.model = after
	w.lasting(t, before)
}

// differs says where the source is not as the model says.
func (w *world) differs(m *model) string {
	var s strings.Builder
	is := func(what string, want, got any) {
		if want != got {
			fmt.Fprintf(&s, "%s: the model says %v, but it is %v\n", what, want, got)
		}
	}
	for i, a := range m.callers {
		c := w.callers[i]
		if a.may && c.done {
			a.waiting = false
		}
		a.may = false
		is(fmt.Sprint("caller ", i, " waits"), a.waiting, !c.done)
		if c.done && !a.waiting {
			is("its token", nameOf(a.token), nameOf(c.token))
			is("renewed for it", a.renewed, c.renewed)
			if !errors.Is(c.err, a.err) {
				is("its error", a.err, c.err)
			}
		}
	}
	calls, events, _ := w.origin.seen()
	steps := map[string]int{"Find": 0, "Next": 0, "Save": 0}
	for _, c := range calls {
		steps[c.step]++
	}
	for step, n := range steps {
		is(step+" calls", m.calls[step], n)
	}
	if f := m.attempt; f != nil && f.step != "sleep" && len(calls) > 0 {
		c := calls[len(calls)-1]
		is("the step", f.step, c.step)
		if now := w.source.renewal.Load(); now != nil {
			is("the reason", f.why, now.why)
		}
		is("its known token", nameOf(f.known.Token), nameOf(c.known.Token))
		is("its former token", nameOf(f.known.Former), nameOf(c.known.Former))
	}
	is("token", nameOf(m.cur), nameOf(w.source.Token()))
	is("good", m.good(m.cur), w.source.Token().Good())
	is("busy", m.attempt != nil || m.unsaved(), w.source.Busy())
	hold, err := w.source.Trouble()
	is("trouble", m.trouble != nil, err != nil)
	if t := m.trouble; t != nil && err != nil {
		until := w.source.trouble.Load().until
		is("hold", max(0, time.Until(until)), hold)
		is("the trouble's error", true, errors.Is(err, t.err))
		if until.Before(t.from) || until.After(t.to) {
			is("held back for", time.Until(t.from), time.Until(until))
		}
	}
	w.source.mu.Lock()
	defer w.source.mu.Unlock()
	rest := w.source.rest
	is("rest", m.rest != nil, rest != nil)
	if m.rest != nil && rest != nil && (rest.until.Before(m.rest.from) || rest.until.After(m.rest.to)) {
		is("rests for", time.Until(m.rest.from), time.Until(rest.until))
	}
	is("log records", m.events, len(events))
	if m.event != nil && len(events) > 0 {
		e := events[len(events)-1]
		is("logged reason", m.event.Reason, e.Reason)
		is("logged result", m.event.Result, e.Result)
		is("logged error", true, errors.Is(e.Err, m.event.Err))
		is("logged old token", nameOf(m.event.Old), nameOf(e.Old))
		is("logged new token", nameOf(m.event.Token), nameOf(e.Token))
		is("logged count", m.event.Nth, e.Nth)
	}
	if s.Len() == 0 { // from now on it is known how long
		if m.trouble != nil {
			until := w.source.trouble.Load().until
			m.trouble.from, m.trouble.to = until, until
		}
		if m.rest != nil {
			m.rest.from, m.rest.to = rest.until, rest.until
		}
	}
	return s.String()
}

// lasting requires what holds whatever happens, model or not.
func (w *world) lasting(t *testing.T, before *model) {
	after := "after\n\t" + strings.Join(w.path, "\n\t")
	calls, _, wrong := w.origin.seen()
	require.Empty(t, wrong, after)
	for i, a := range w.model.callers {
		if a.get && i >= len(before.callers) && before.good(before.cur) {
			require.True(t, w.callers[i].done, "a good token is waited for "+after)
			require.NoError(t, w.callers[i].err, after)
		}
	}
	for _, c := range calls[w.seen:] {
		if c.step == "Next" {
			require.False(t, before.unsaved() && w.unsaved(), "a renewal while the last one's token is not saved "+after)
		}
		if c.step != "Save" && before.attempt == nil && before.holds() {
			require.NotEqual(t, "Next", c.step, "a renewal that is held back "+after)
		}
	}
	w.seen = len(calls)
	if tr := w.source.trouble.Load(); tr.is(unsaved) && w.attempt == nil {
		require.True(t, tr.timer != nil && time.Now().Before(tr.until), "nobody saves it "+after)
	}
}

// finish has everybody leave, and the Origin come to an end: then nothing is
// under way, nothing is unsaved, and whoever asks is answered.
func (w *world) finish(t *testing.T) {
	named := func(name string) *event {
		return &events[slices.IndexFunc(events, func(e event) bool { return e.name == name })]
	}
	for len(w.waiting(false)) > 0 {
		w.happen(t, named("a caller leaves"))
	}
	for n := 0; w.attempt != nil || len(w.waiting(true)) > 0 || w.unsaved(); n++ {
		require.Less(t, n, 20, "it does not come to an end:\n\t%s", strings.Join(w.path, "\n\t"))
		switch {
		case w.attempt == nil || w.attempt.step == "sleep":
			w.happen(t, named("time passes"))
		case w.attempt.step == "Save":
			w.happen(t, named("Save: saved"))
		case w.attempt.step == "Find":
			w.happen(t, named("Find: no store"))
		default:
			w.happen(t, named("Next: time"))
		}
	}
	require.False(t, w.source.Busy())
	require.NoError(t, w.source.Wait(t.Context()))
	w.happen(t, named("ask"))
	w.happen(t, named("set"))
	w.happen(t, named("ask"))
}

// close ends what a failed test has left.
func (w *world) close() {
	for _, c := range w.callers {
		c.cancel()
	}
	synctest.Wait()
	w.origin.close()
}

// A node is a state that the model knows of.
type node struct {
	root   root
	path   []int // the shortest known that leads to it
	events []int // that can happen in it
	next   map[int]*node
}

// A graph is what was explored.
type graph struct {
	depth  int
	only   []string // events; nil: all
	nodes  map[string]*node
	queue  [][]*node // by the length of their path, with events left to try
	walks  int
	missed int
	seen   map[string]bool
}

// reached notes that path leads to the present state of w.
func (g *graph) reached(w *world, r root, path []int) *node {
	key := fmt.Sprint(w.state(), w.shifted)
	n := g.nodes[key]
	if n == nil {
		n = &node{next: map[int]*node{}}
		for i, e := range events {
			if e.can(w) && (g.only == nil || slices.Contains(g.only, e.name)) {
				n.events = append(n.events, i)
			}
		}
		g.nodes[key] = n
		g.shorter(n, r, path)
	} else if len(path) < len(n.path) {
		g.shorter(n, r, path)
	}
	return n
}

func (g *graph) shorter(n *node, r root, path []int) {
	n.root, n.path = r, slices.Clone(path)
	g.queue[len(path)] = append(g.queue[len(path)], n)
	for e, next := range n.next {
		if len(path)+1 < len(next.path) {
			g.shorter(next, r, append(slices.Clone(path), e))
		}
	}
}

// untried is the first event that n was not yet tried with.
func (n *node) untried() (int, bool) {
	for _, e := range n.events {
		if _, ok := n.next[e]; !ok {
			return e, true
		}
	}
	return 0, false
}

// walk goes to n, and on by what is untried.
func (g *graph) walk(t *testing.T, n *node) {
	g.walks++
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(n.root)
		defer w.close()
		at := g.reached(w, n.root, nil)
		path := slices.Clone(n.path)
		for i := 0; i < g.depth; i++ {
			e, ok := 0, true
			if i < len(n.path) {
				e = n.path[i]
			} else {
				e, ok = at.untried()
			}
			if !ok || !events[e].can(w) {
				break
			}
			w.happen(t, &events[e])
			path = append(path[:i], e)
			before := at
			at = g.reached(w, n.root, path)
			before.next[e] = at
			g.note(w)
		}
		w.finish(t)
	})
}

// note notes what was met.
func (g *graph) note(w *world) {
	_, events, _ := w.origin.seen()
	for _, e := range events {
		g.seen[fmt.Sprint("result ", e.Result)], g.seen[fmt.Sprint("reason ", e.Reason)] = true, true
	}
	if w.trouble != nil {
		g.seen[w.trouble.state] = true
	} else {
		g.seen["well"] = true
	}
	if w.resting() {
		g.seen["at rest"] = true
	}
	g.seen[w.class(w.cur)] = true
}

// sequences counts the sequences of up to depth events.
func (g *graph) sequences() (sum float64) {
	at := map[*node]float64{}
	for _, n := range g.nodes {
		if len(n.path) == 0 {
			at[n]++
		}
	}
	for range g.depth {
		next := map[*node]float64{}
		for n, k := range at {
			for _, to := range n.next {
				next[to] += k
				sum += k
			}
		}
		at = next
	}
	return sum
}

func (g *graph) explore(t *testing.T, roots []root) {
	g.nodes, g.queue = map[string]*node{}, make([][]*node, g.depth+1)
	for _, r := range roots {
		synctest.Test(t, func(t *testing.T) { g.reached(newWorld(r), r, nil) })
	}
	for depth := 0; depth < g.depth; depth++ {
		for len(g.queue[depth]) > 0 {
			n := g.queue[depth][0]
			e, more := n.untried()
			if !more || len(n.path) < depth {
				g.queue[depth] = g.queue[depth][1:]
				continue
			}
			for try := 0; try < tries && n.next[e] == nil; try++ {
				g.walk(t, n)
			}
			if n.next[e] == nil { // two callers who go on in any order went the other way each time
				n.next[e] = &node{}
				g.missed++
			}
		}
	}
	tried := 0
	for _, n := range g.nodes {
		tried += len(n.next)
	}
	t.Logf("%.3g sequences of up to %d events: %d events tried in %d states, in %d walks", g.sequences(), g.depth, tried, len(g.nodes), g.walks)
	assert.Less(t, g.missed, 1+tried/1000, "events that could not be tried")
}

func TestTheSourceDoesWhatTheModelSays(t *testing.T) {
	seen := map[string]bool{}
	t.Run("up to eight of what happens every day", func(t *testing.T) {
		g := &graph{depth: everyDay, seen: seen, only: []string{
			"ask", "ask for a new one", "401", "a caller leaves", "time passes",
			"Find: unchanged", "Find: adopted", "Find: adopted an expired one", "Find: gone", "Find: no store", "Find: exits",
			"Next: renewed", "Next: renewed, not saved", "Next: user", "Next: operator", "Next: time", "Next: exits",
			"Save: saved", "Save: unsaved", "Save: exits",
		}}
		g.explore(t, []root{{true, "none"}, {true, "fresh"}, {false, "fresh"}, {false, "expired"}})
	})
	t.Run("up to four of all events", func(t *testing.T) {
		g := &graph{depth: anyDay, seen: seen}
		g.explore(t, roots)
	})
	for _, want := range []string{"well", "failing", "operator", "user", "unsaved", "at rest", "none", "fresh", "stale", "expired"} {
		assert.True(t, seen[want], "no source was ever %s", want)
	}
	for result := Unchanged; result <= Failed; result++ {
		assert.True(t, seen[fmt.Sprint("result ", result)], "no renewal ever had result %d", result)
	}
	for why := Due; why <= Save; why++ {
		assert.True(t, seen[fmt.Sprint("reason ", why)], "no renewal ever had reason %d", why)
	}
}
