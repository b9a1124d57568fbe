package fleet_test

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

const (
	processes = 8
	life      = 2 * time.Second // of an access token
	ahead     = time.Second     // so that a generation takes little more than the other second
	killEvery = time.Second / 2

	// latency passes at Pinterest before a token request is worked on, and again
	// before the answer leaves: a window for kills.
	latency = 20 * time.Millisecond
)

// generations is how many times a fleet renews its token.
func generations() int {
	if os.Getenv("PINTEREST_TEST_FLEET") == "full" {
		return 200
	}
	return 20
}

func TestAFleetRenewsEachTokenOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, store string) {
		for name, dies := range map[string]bool{"the old access token lives on": false, "the old access token dies": true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := launch(t, stores[store](t), &pinteresttest.Handler{StrictRotation: true, OldAccessDies: dies})
				f.sail(nil, func() bool { return f.ledger.generations() >= generations() })
				fresh := int(time.Since(f.began) / (life - ahead)) // a token is, for so long
				counts := f.land()

				done := f.ledger.generations()
				assert.LessOrEqual(t, done, fresh+1, "no token is renewed while it is fresh")
				assert.Equal(t, done, counts.Refresh, "one request for each generation")
				assert.Equal(t, done, len(f.ledger.answers), "and one answer")
				assert.Zero(t, counts.Replays)
				assert.Zero(t, counts.FamiliesRevoked)
				f.requireAllCallsAnswered()
			})
		}
	})
}

func TestAFleetLosesNoSavedTokenWhenItsProcessesAreKilled(t *testing.T) {
	head := []any{"killed while", "generations"}
	for _, w := range windows {
		head = append(head, w)
	}
	results := newTable(t, head...)
	eachStore(t, func(t *testing.T, store string) {
		t.Run("strict rotation", func(t *testing.T) {
			t.Parallel()
			f := launch(t, stores[store](t), &pinteresttest.Handler{StrictRotation: true})
			counts := f.sailUnderFire()

			results.addKills(store+", strict rotation", f.ledger, counts.Issued)

			lost := 0
			for _, n := range f.ledger.lost(counts.Issued) {
				lost += n
			}
			assert.Equal(t, lost, counts.FamiliesRevoked, "a family ends by a lost token and by nothing else")
			assert.Equal(t, counts.FamiliesRevoked, len(f.ledger.logins)-1, "and with it the need to log in again")
			if lost == 0 {
				f.requireAllCallsAnswered()
			}
		})
		t.Run("the old refresh token still works", func(t *testing.T) {
			t.Parallel()
			f := launch(t, stores[store](t), &pinteresttest.Handler{})
			counts := f.sailUnderFire()
			results.addKills(store, f.ledger, counts.Issued)

			assert.Len(t, f.ledger.logins, 1, "the fleet recovers by itself")
			assert.Zero(t, f.ledger.refusals)
			f.requireAllCallsAnswered()
		})
	})
}

// A fleet is processes that share an account's token.
type fleet struct {
	t         *testing.T
	began     time.Time
	ctx       context.Context // ends before the test binary runs out of time
	job       job
	accounts  pinterest.Accounts // of the store as this process opened it
	fake      *pinteresttest.Server
	ledger    *ledger
	underFire bool                // processes are killed, or were
	crew      [processes]*process // the living, by slot
	last      step                // that a process took
	events    chan event
}

// launch starts a fleet on an account that has just logged in.
func launch(t *testing.T, p place, h *pinteresttest.Handler) *fleet {
	t.Helper()
	h.AccessLife = life
	h.Latency = latency
	h.Fail("/v5/oauth/token", slices.Repeat([]pinteresttest.Fault{{After: true, Latency: latency}}, 10*generations())...)
	f := &fleet{t: t, began: time.Now(), ledger: newLedger(), events: make(chan event, 10_000)}

	until := time.Now().Add(4*time.Minute + time.Duration(generations())*2*life)
	if end, ok := t.Deadline(); ok && end.Add(-15*time.Second).Before(until) {
		until = end.Add(-15 * time.Second)
	}
	var cancel context.CancelFunc
	f.ctx, cancel = context.WithDeadline(t.Context(), until)
	t.Cleanup(cancel)

	f.fake = pinteresttest.NewServer(h)
	t.Cleanup(f.fake.Close)
	f.job = job{Place: p, Endpoint: f.fake.Endpoint(), API: f.fake.URL}
	s, closeStore, err := p.open()
	require.NoError(t, err)
	t.Cleanup(closeStore)
	f.accounts.Store = s

	f.login()
	for slot := range f.crew {
		f.crew[slot] = start(t, slot, f.job, f.events)
	}
	return f
}

// login is what the user does at the beginning, and when a token was lost that
// Pinterest will not forget.
func (f *fleet) login() {
	f.t.Helper()
	tok := f.fake.Login(pinterest.ScopeUserAccountsRead)
	f.ledger.login(fingerprint(tok.RefreshToken))
	require.NoError(f.t, f.accounts.Save(f.ctx, account, tok))
}

// look reads the store, which must hold a whole token at any moment.
func (f *fleet) look() string {
	f.t.Helper()
	tok, err := f.accounts.Load(f.ctx, account)
	require.NoError(f.t, err, "the store holds no whole token")
	name := fingerprint(tok.RefreshToken)
	f.ledger.see(name)
	return name
}

// sail lets the fleet work until the goal is reached, under fire if there is any.
func (f *fleet) sail(g *gun, goal func() bool) {
	f.t.Helper()
	for !goal() {
		select {
		case e := <-f.events:
			f.heard(g, e)
		case <-g.random():
			f.doom(f.crew[rand.N(processes)], 0)
			g.reload()
		case <-f.ctx.Done():
			require.FailNow(f.t, "the fleet is too slow", "%d generations, %d of %d API calls not answered 200, %v",
				f.ledger.generations(), f.ledger.rejected+f.ledger.reauthorize, f.ledger.calls, f.ledger.unacceptable)
		}
	}
}

func (f *fleet) heard(g *gun, e event) {
	f.t.Helper()
	p := e.from
	if !e.ended {
		f.last = f.ledger.note(&p.progress, e.line)
		if delay, hit := g.hits(e.line, f.ledger.generations()); hit {
			f.doom(p, delay)
		}
		if f.fake.Counts().FamiliesRevoked >= len(f.ledger.logins) {
			require.True(f.t, f.underFire, "Pinterest revoked the family: a refresh token was used twice")
			f.login()
		}
		return
	}
	require.True(f.t, p.doomed, "a process ended by itself: %v\n%s", p.cmd.ProcessState, p.noise)
	require.False(f.t, p.cmd.ProcessState.Success(), "a process ended before it was killed:\n%s", p.noise)
	f.ledger.killed(&p.progress)
	f.look()
	f.crew[p.slot] = start(f.t, p.slot, f.job, f.events)
}

// doom has a process killed after a delay. In between it may come to its next
// steps.
func (f *fleet) doom(p *process, delay time.Duration) {
	if !p.doomed {
		p.doomed = true
		time.AfterFunc(delay, p.kill)
	}
}

// sailUnderFire has processes killed for as many generations, and then waits
// for the fleet to have come to terms with the last kill.
func (f *fleet) sailUnderFire() pinteresttest.Counts {
	f.t.Helper()
	f.underFire = true
	f.sail(newGun(), func() bool { return f.ledger.generations() >= generations() })
	f.sail(nil, func() bool { return !slices.ContainsFunc(f.crew[:], func(p *process) bool { return p.doomed }) })

	reached := f.ledger.generations() + 2 // the first may be one that was on its way
	f.sail(nil, func() bool { return f.ledger.generations() >= reached })
	for _, p := range f.crew {
		p.calls = 0
	}
	f.sail(nil, func() bool { return !slices.ContainsFunc(f.crew[:], func(p *process) bool { return p.calls == 0 }) })
	return f.land()
}

// land ends the fleet and checks its books.
func (f *fleet) land() pinteresttest.Counts {
	t, l := f.t, f.ledger
	t.Helper()
	for _, p := range f.crew {
		p.stop(t)
	}
	for left := processes; left > 0; {
		select {
		case e := <-f.events:
			if e.ended {
				left--
				assert.True(t, e.from.cmd.ProcessState.Success(), "a process did not end well: %v\n%s", e.from.cmd.ProcessState, e.from.noise)
			} else {
				l.note(&e.from.progress, e.line)
			}
		case <-f.ctx.Done():
			require.FailNow(t, "the processes do not end")
		}
	}
	now := f.look()
	counts := f.fake.Counts()
	lost := l.lost(counts.Issued)
	_, name, _ := strings.Cut(t.Name(), "/")
	t.Logf("%s: %d generations, %d requests (%d refused), %d API calls (%d not answered 200, %d too late), kills: %s, tokens lost: %s, logins: %d, %v",
		name, l.generations(), counts.Refresh, l.refusals, l.calls, l.rejected+l.reauthorize, l.late,
		count(l.kills), count(lost), len(l.logins), time.Since(f.began).Round(time.Second/10))

	l.requireSound(t, now, counts.Issued)
	known := len(l.answers) + l.refusals
	assert.GreaterOrEqual(t, counts.Refresh, known)
	assert.LessOrEqual(t, counts.Refresh, known+l.kills[sent], "who was not killed knows what came of his request")
	return counts
}

func (f *fleet) requireAllCallsAnswered() {
	f.t.Helper()
	assert.Zero(f.t, f.ledger.rejected, "API calls that were answered 401")
	assert.Zero(f.t, f.ledger.reauthorize, "API calls that ended in ErrReauthorize")
}

// A gun kills processes: every half second one of any, at a random moment, and
// every other generation one that has just taken a certain step, so that no
// window is too narrow to be hit. A nil gun does not fire.
type gun struct {
	end   time.Time // of the current half second
	timer *time.Timer
	aims  int  // so far
	step  step // aimed at; empty: none
	rest  int  // until this generation none is aimed at
}

// targets are aimed at in turn.
var targets = []step{answered, waits, saves, locked, sends, saved}

func newGun() *gun {
	return &gun{end: time.Now().Add(killEvery), timer: time.NewTimer(rand.N(killEvery))}
}

func (g *gun) random() <-chan time.Time {
	if g == nil {
		return nil
	}
	return g.timer.C
}

// reload has the gun fire at a random moment of the next half second.
func (g *gun) reload() {
	g.timer.Reset(time.Until(g.end.Add(rand.N(killEvery))))
	g.end = g.end.Add(killEvery)
}

// hits reports whether the process that says so is to be killed, and when.
func (g *gun) hits(line string, generation int) (time.Duration, bool) {
	if g == nil {
		return 0, false
	}
	if g.step == "" && generation >= g.rest {
		g.step = targets[g.aims%len(targets)]
		g.aims++
	}
	if word, _, _ := strings.Cut(line, " "); step(word) != g.step {
		return 0, false
	}
	delay := time.Millisecond
	if g.step == sends {
		delay = 2 * latency
	}
	g.step, g.rest = "", generation+2
	return rand.N(delay), true
}
