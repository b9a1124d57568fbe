package pinterest_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// Years of an app that runs in some processes, with all that goes wrong meanwhile. The files are
//
//	decade_test.go           the test, and the script of a seed
//	decade_faults_test.go    what goes wrong
//	decade_process_test.go   the processes and accounts,
//	decade_network_test.go   their way to Pinterest,
//	decade_store_test.go     their store,
//	decade_library_test.go   and what they call of the library
//	decade_promises_test.go  what must hold
//
// The wall clock is never set: a bubble's cannot be.

// A world is one app with its processes, accounts and store, and one seed's script of what happens to them.
type world struct {
	rng *rand.Rand // the script's, used by its goroutine alone

	strict, legacy, callback               bool
	conns                                  int
	tokenLatency, apiLatency, storeLatency time.Duration
	began                                  time.Time
	over                                   chan struct{} // what was killed ends
	running                                sync.WaitGroup
	focus                                  struct { // of a step
		p       *process
		acc     *simAccount
		percent int
	}

	mu         sync.Mutex // guards what follows, and all of its parts that change; procs and accounts are changed by the script's goroutine alone
	procs      []*process
	starts     int
	accounts   []*simAccount
	own        *simAccount
	store      *sharedStore
	tokens     map[string]*issuedToken // by access token
	byRefresh  map[string]*issuedToken // by refresh token, the first that had it
	calls      map[*libraryCall]bool   // that go on
	heldUntil  time.Time               // until then a Retry-After holds somebody back
	appRefused time.Time
	script     []string
	traced     bool // the script is printed whole
	count      map[string]int
	promise    promise // that was broken first
	failure    string  // and how
}

const defaultSeeds = 12

func TestASimulatedDecade(t *testing.T) {
	number := func(name string, otherwise uint64) (n uint64, given bool) {
		s := os.Getenv(name)
		if s == "" {
			return otherwise, false
		}
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		return n, true
	}
	n, _ := number("PINTEREST_TEST_DECADE", defaultSeeds)
	first, one := number("PINTEREST_TEST_DECADE_SEED", 1)
	if one {
		n = 1
	}
	var mu sync.Mutex
	count, broken, years := make(map[string]int), make(map[promise][]uint64), 0.0
	t.Run("seed", func(t *testing.T) {
		for seed := first; seed < first+n; seed++ {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(seed, one)
					w.run()
					w.mu.Lock()
					defer w.mu.Unlock()
					mu.Lock()
					defer mu.Unlock()
					for what, times := range w.count {
						count[what] += times
					}
					years += time.Since(w.began).Hours() / 24 / 365
					if w.failure != "" {
						broken[w.promise] = append(broken[w.promise], seed)
						t.Errorf("seed %d, after %v: %s:\n%s\nthe last steps:\n%s", seed, time.Since(w.began).Round(time.Second), w.promise, w.failure,
							strings.Join(w.script[max(0, len(w.script)-12):], "\n"))
					}
					if one {
						t.Log("\n" + strings.Join(w.script, "\n"))
					}
				})
			})
		}
	})
	var report strings.Builder
	for _, what := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(&report, "\n%8d %s", count[what], what)
	}
	t.Logf("%d seeds, %.1f years:%s", n, years, &report)
	for p, seeds := range broken {
		slices.Sort(seeds)
		t.Logf("%d seeds broke %q: %v", len(seeds), p, seeds)
	}
	if n >= defaultSeeds {
		for _, what := range everyFault() {
			assert.NotZero(t, count[what], "it never happened: %s", what)
		}
	}
}

func newWorld(seed uint64, traced bool) *world {
	r := rand.New(rand.NewPCG(seed, 0))
	w := &world{rng: r, traced: traced, began: time.Now(), over: make(chan struct{}), tokens: make(map[string]*issuedToken),
		byRefresh: make(map[string]*issuedToken), calls: make(map[*libraryCall]bool), count: make(map[string]int)}
	w.store = &sharedStore{w: w, values: make(map[string][]byte), due: make(map[string]time.Time), locks: make(map[string]chan struct{})}
	w.strict, w.legacy, w.callback = w.chance(50), w.chance(10), w.chance(60)
	if w.chance(25) {
		w.conns = 1 + r.IntN(3)
	}
	w.storeLatency = w.between(0, 30*time.Millisecond)
	w.tokenLatency, w.apiLatency = w.between(50*time.Millisecond, time.Second), w.between(20*time.Millisecond, 200*time.Millisecond)
	life := []time.Duration{0, 0, 0, day, time.Hour}[r.IntN(5)]
	skew := []time.Duration{0, 0, 0, 2 * time.Hour, -2 * time.Hour, 90 * time.Second}[r.IntN(6)]
	shape := []string{"", "", "everlasting_refresh", "integration_refresh"}[r.IntN(4)]
	oldDies := w.chance(50)
	kinds := []kind{stored, stored, told, plain, own}
	if w.chance(50) {
		kinds = kinds[1:]
	}
	for i, k := range kinds {
		acc := &simAccount{w: w, key: fmt.Sprintf("%s%d", k, i), kind: k, fake: &pinteresttest.Handler{AccessLife: life, LegacyApp: w.legacy, Skew: skew,
			StrictRotation: w.strict && !w.legacy, OldAccessDies: w.strict && oldDies, ResponseType: shape}}
		acc.newest, acc.gone, acc.saidDead, acc.excuses = make(map[int]*issuedToken), make(map[int]bool), make(map[int]bool), make(map[int]string)
		if k == own {
			w.own = acc
		}
		w.accounts = append(w.accounts, acc)
	}
	w.say("the script of seed %d: strict %v, old access dies %v, legacy %v, OnRefresh beside the store %v, connections %d, access tokens live %v, skew %v, %s",
		seed, w.strict, oldDies, w.legacy, w.callback, w.conns, w.accounts[0].life(), skew, shape)
	for range 1 + r.IntN(3) {
		w.procs = append(w.procs, w.start())
	}
	for _, acc := range w.accounts {
		w.logIn(w.procs[0], acc)
	}
	return w
}

func (w *world) spawn(f func()) { w.running.Go(f) }

// say adds a step to the script.
func (w *world) say(format string, args ...any) {
	w.lock(func() { w.add(format, args...) })
}

// trace adds what came of a step, if the script is printed whole. The lock is held.
func (w *world) trace(format string, args ...any) {
	if w.traced {
		w.add("    "+format, args...)
	}
}

func (w *world) add(format string, args ...any) {
	w.script = append(w.script, fmt.Sprintf("%12s  ", time.Since(w.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// between is a time with odd nanoseconds, so that two things seldom happen at once.
func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rng.Int64N(int64(most-least))) | 1
}

// run plays the script.
func (w *world) run() {
	steps := 100 + w.rng.IntN(100)
	for i := 0; i < steps && !w.failed(); i++ {
		w.step()
		if i%10 == 9 && !w.failed() {
			w.mend()
		}
	}
	w.finish()
}

func (w *world) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failure != ""
}

// An event is what the script has happen some time after a step has begun.
type event struct {
	after time.Duration
	what  string
	do    func()
}

// step lets time pass, and then much happen in little time.
func (w *world) step() {
	if w.rng.IntN(150) == 0 {
		w.useNothing()
	}
	time.Sleep(w.gap())
	window := w.between(time.Second, []time.Duration{4 * time.Second, 30 * time.Second, 4 * time.Minute}[w.rng.IntN(3)])
	w.focus.p, w.focus.acc = w.anyProcess(), w.anyAccount()
	w.focus.percent = []int{0, 60, 90}[w.rng.IntN(3)]
	var events []event
	for range w.rng.IntN(5) {
		e := w.disturbance()
		e.after = w.between(0, window/2)
		events = append(events, e)
	}
	for range w.rng.IntN(12) {
		e := w.call(w.process(), w.account())
		e.after = w.between(0, window)
		events = append(events, e)
	}
	slices.SortStableFunc(events, func(a, b event) int { return int(a.after - b.after) })
	began := time.Now()
	for _, e := range events {
		time.Sleep(e.after - time.Since(began))
		w.say("%s", e.what)
		e.do()
	}
	w.lock(func() { w.count["steps"] += len(events) })
	time.Sleep(window - time.Since(began))
	synctest.Wait()
	w.lock(w.checkHanging)
}

func (w *world) anyProcess() *process    { return w.procs[w.rng.IntN(len(w.procs))] }
func (w *world) anyAccount() *simAccount { return w.accounts[w.rng.IntN(len(w.accounts))] }

// process and account are any, or rather those that the step is about.
func (w *world) process() *process {
	if p := w.focus.p; w.chance(w.focus.percent) && !p.dead() {
		return p
	}
	return w.anyProcess()
}

func (w *world) account() *simAccount {
	if w.chance(w.focus.percent) {
		return w.focus.acc
	}
	return w.anyAccount()
}

// gap is how long nothing happens: mostly little, or until some token is about to expire.
func (w *world) gap() time.Duration {
	life := w.accounts[0].life()
	switch n := w.rng.IntN(100); {
	case n < 30:
		return w.between(0, 10*time.Second)
	case n < 50:
		return w.between(0, 10*time.Minute)
	case n < 65:
		return w.between(0, life/3)
	case n < 80:
		return w.between(life*85/100, life)
	case n < 95:
		return w.between(life, life*11/10)
	case n < 98:
		return w.between(47*day, 59*day)
	}
	return w.between(59*day, 70*day)
}

// useNothing has every process hold no client for so long that the library forgets its accounts.
func (w *world) useNothing() {
	w.say("nobody uses anything")
	w.lock(func() {
		for _, p := range w.procs {
			clear(p.clients)
		}
	})
	for range 3 {
		time.Sleep(5*time.Minute | 1)
		for _, p := range w.procs {
			p.app.useAnother()
		}
	}
	runtime.GC()
}

// call is a call of the library by p for acc.
func (w *world) call(p *process, acc *simAccount) event {
	if acc.kind != stored && acc.process != nil {
		p = acc.process
	}
	how, limit := "our client", time.Duration(0)
	switch n := w.rng.IntN(100); {
	case n < 25:
		how = "oauth2.NewClient"
	case n < 35:
		how = "Token"
	case n < 45:
		how = "TokenContext"
	case n < 60:
		how = "Refresh"
	case n < 63:
		how = "elsewhere"
	case n < 68:
		how = "Wait"
	}
	if how == "oauth2.NewClient" || how == "Wait" || how != "Token" && w.chance(80) {
		limit = w.between(time.Second, 3*time.Minute)
	}
	return event{what: fmt.Sprintf("%s: %s for %s, within %v", p.name, how, acc.key, limit), do: func() {
		w.spawn(func() {
			if how == "Wait" {
				w.wait(p, acc, limit)
			} else {
				w.do(&libraryCall{p: p, acc: acc, how: how, limit: limit})
			}
		})
	}}
}

// do does what c says.
func (w *world) do(c *libraryCall) {
	var source *pinterest.TokenSource
	w.lock(func() {
		if !c.p.dead() && c.p.has(c.acc) {
			source = c.p.app.source(c.acc)
			w.begin(c)
		}
	})
	if source == nil {
		return
	}
	ctx := withCall(context.Background(), c)
	if c.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.limit)
		defer cancel()
	}
	var t *oauth2.Token
	var status int
	var err error
	switch c.how {
	case "Token":
		t, err = source.Token()
	case "TokenContext":
		t, err = source.TokenContext(ctx)
	case "Refresh":
		t, err = source.Refresh(ctx)
	default:
		status, err = w.get(ctx, c)
	}
	runtime.KeepAlive(source)
	w.mu.Lock()
	defer w.mu.Unlock()
	c.status, c.err = status, err
	if t != nil {
		c.status = http.StatusOK
		if c.got = w.tokens[t.AccessToken]; c.got == nil {
			w.broken(storeIsWhole, "%v returned a token that nobody issued", c)
		} else {
			c.got.oauth2 = t
		}
	}
	w.end(c)
}

func (w *world) get(ctx context.Context, c *libraryCall) (int, error) {
	url, how := "https://api.pinterest.com/v5/user_account", c.how
	if how == "elsewhere" {
		url, how = "https://uploads.example/", "our client"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	var client *sharedClient
	w.lock(func() { client = c.p.client(c.acc, how) })
	if how == "oauth2.NewClient" {
		select {
		case client.queue <- struct{}{}:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		c.leaveQueue = sync.OnceFunc(func() { <-client.queue })
		defer c.leaveQueue()
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// wait has p wait until nothing is under way: of all that is stored, or of acc alone if that is not.
func (w *world) wait(p *process, acc *simAccount, limit time.Duration) error {
	wait := p.app.accounts.Wait
	if acc.kind == stored {
		acc = nil
	} else {
		w.lock(func() {
			if acc.process == p {
				wait = p.app.source(acc).Wait
			} else {
				acc = nil
			}
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	start := time.Now()
	err := wait(ctx)
	w.lock(func() { w.waited(p, acc, start, limit, err) })
	return err
}

// mend mends all, lets every process use every account, and asks the model whether everything is well again.
func (w *world) mend() {
	w.say("all is mended")
	w.lock(func() {
		for _, acc := range w.accounts {
			acc.faults, acc.apiFaults, acc.refuses = nil, nil, time.Time{}
		}
		for _, p := range w.procs {
			p.callbackFaults, p.store.until = 0, time.Time{}
		}
		w.procs[0].takeOver()
	})
	time.Sleep(time.Minute) // for what is on its way and meets trouble yet
	synctest.Wait()
	pauses := []time.Duration{1, 20 * time.Second, 70 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute}
	w.lock(func() { pauses = append(w.untilMended(), pauses...) })
	var last []*libraryCall
	for _, pause := range pauses {
		time.Sleep(pause | 1)
		last = nil
		for _, p := range w.procs {
			for _, acc := range w.accounts {
				if !p.has(acc) {
					continue
				}
				c := &libraryCall{p: p, acc: acc, how: "our client", limit: time.Minute + 1}
				if w.chance(30) {
					c.how = "oauth2.NewClient"
				}
				last = append(last, c)
				w.spawn(func() { w.do(c) })
			}
		}
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	w.lock(func() {
		w.checkHanging()
		w.checkMended(last)
	})
	for _, c := range last {
		if err := w.wait(c.p, c.acc, time.Minute); err != nil {
			w.lock(func() { w.broken(takenUpAgain, "%s's Wait for %s: %v", c.p.name, c.acc.key, err) })
		}
	}
	again := make(map[*simAccount]bool)
	for _, c := range last {
		w.lock(func() {
			if !c.fine() && c.acc.kind != own && !again[c.acc] {
				again[c.acc] = true
				w.trace("%s: %d, %v", c.acc.key, c.status, c.err)
			}
		})
	}
	for _, acc := range w.accounts {
		if again[acc] {
			w.say("%s's user logs in again", acc.key)
			w.logIn(w.procs[0], acc)
		}
	}
}

// untilMended is how long what was said before everything was mended holds the library back.
func (w *world) untilMended() (pauses []time.Duration) {
	for _, p := range w.procs {
		for _, acc := range w.accounts {
			if old := p.seen(acc).refusedOf; acc.saidFalse || old != nil && old.renewable() {
				pauses = []time.Duration{25 * time.Hour, 25 * time.Hour}
			}
		}
	}
	if time.Since(w.appRefused) < 3*time.Hour {
		pauses = append(pauses, 75*time.Second, 75*time.Minute, 75*time.Minute)
	}
	if left := time.Until(w.heldUntil); left > 0 {
		pauses = append(pauses, left)
	}
	return pauses
}

// finish ends everything, and looks at what is left.
func (w *world) finish() {
	for _, p := range w.procs {
		p.end()
	}
	w.lock(func() {
		for _, p := range w.procs {
			p.kill(time.Minute)
		}
	})
	close(w.over)
	w.running.Wait()
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	if left := others(); left != "" {
		w.lock(func() { w.broken(nothingIsLeft, "%s", left) })
	}
}

// others returns the stacks of the bubble's other goroutines.
func others() string {
	stack := make([]byte, 1<<20)
	stack = stack[:runtime.Stack(stack, true)]
	all := strings.Split(string(stack), "\n\n")
	_, bubble, _ := strings.Cut(strings.SplitN(all[0], "\n", 2)[0], "synctest bubble ")
	var left []string
	for _, g := range all[1:] {
		if strings.Contains(strings.SplitN(g, "\n", 2)[0], "synctest bubble "+bubble) && !strings.Contains(g, "synctest.Test(") && !strings.Contains(g, "testing/synctest.testingSynctestTest(") {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}
