//go:build !race

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

	"github.com/go-pinterest/pinterest/pinteresttest"
)

// The simulation reads what many goroutines write, and is not run under the race
// detector yet: its own reading, not the library's, is what that would report.

// A world is one app with its processes, accounts and store, and one seed's script of what happens to them.
type world struct {
	rng *rand.Rand // the script's

	strict, legacy, watched                bool
	conns                                  int
	tokenLatency, apiLatency, storeLatency time.Duration

	mu         sync.Mutex // guards what follows, and all that the model knows
	began      time.Time
	over       chan struct{} // what was killed ends
	procs      []*process
	starts     int
	accounts   []*user
	own        *user
	vault      *vault
	passes     map[string]*pass               // by access token
	refreshes  map[string]*pass               // by refresh token, the first that had it
	ops        map[*op]bool                   // that go on
	turns      map[*http.Client]chan struct{} // of who waits for a token by a client of x/oauth2
	quietAt    time.Time                      // when no Retry-After holds anybody back
	appVerdict time.Time
	running    sync.WaitGroup
	focus      struct { // of a step
		p       *process
		acc     *user
		percent int
	}

	traced  bool // one seed alone is run
	script  []string
	count   map[string]int
	promise promise
	failure string
}

const defaultSeeds = 12

func TestASimulatedDecade(t *testing.T) {
	first, n := uint64(1), uint64(defaultSeeds)
	if s := os.Getenv("PINTEREST_TEST_DECADE"); s != "" {
		var err error
		n, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	one := os.Getenv("PINTEREST_TEST_DECADE_SEED")
	if one != "" {
		var err error
		first, err = strconv.ParseUint(one, 10, 64)
		require.NoError(t, err)
		n = 1
	}
	var mu sync.Mutex
	count, broken, passed := make(map[string]int), make(map[promise][]uint64), 0.0
	t.Run("seed", func(t *testing.T) {
		for seed := first; seed < first+n; seed++ {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(seed, one != "")
					w.run()
					mu.Lock()
					defer mu.Unlock()
					for what, times := range w.count {
						count[what] += times
					}
					passed += time.Since(w.began).Hours() / 24 / 365
					if w.failure != "" {
						broken[w.promise] = append(broken[w.promise], seed)
						t.Errorf("seed %d, after %v: %s:\n%s\nthe last steps:\n%s", seed, time.Since(w.began).Round(time.Second), w.promise, w.failure,
							strings.Join(w.script[max(0, len(w.script)-12):], "\n"))
					}
					if one != "" {
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
	t.Logf("%d seeds, %.1f years:%s", n, passed, &report)
	for p, seeds := range broken {
		slices.Sort(seeds)
		t.Logf("%d seeds broke %q: %v", len(seeds), p, seeds)
	}
	if one == "" && n >= defaultSeeds {
		for _, f := range tokenFaults {
			assert.NotZero(t, count["token request: "+f.name], f.name)
		}
	}
}

func newWorld(seed uint64, traced bool) *world {
	r := rand.New(rand.NewPCG(seed, 0))
	w := &world{rng: r, traced: traced, began: time.Now(), over: make(chan struct{}), passes: make(map[string]*pass), refreshes: make(map[string]*pass),
		ops: make(map[*op]bool), turns: make(map[*http.Client]chan struct{}), count: make(map[string]int)}
	w.vault = &vault{w: w, values: make(map[string][]byte), due: make(map[string]time.Time), locks: make(map[string]chan struct{})}
	w.strict, w.legacy, w.watched = w.chance(50), w.chance(10), w.chance(60)
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
		acc := &user{w: w, key: fmt.Sprintf("%s%d", k, i), kind: k, fake: &pinteresttest.Handler{AccessLife: life, LegacyApp: w.legacy, Skew: skew,
			StrictRotation: w.strict && !w.legacy, OldAccessDies: w.strict && oldDies, ResponseType: shape}}
		acc.newest, acc.gone, acc.saidDead, acc.excuses = make(map[int]*pass), make(map[int]bool), make(map[int]bool), make(map[int]string)
		if k == own {
			w.own = acc
		}
		w.accounts = append(w.accounts, acc)
	}
	w.say("the script of seed %d: strict %v, old access dies %v, legacy %v, OnRefresh beside the store %v, connections %d, access tokens live %v, skew %v, %s",
		seed, w.strict, oldDies, w.legacy, w.watched, w.conns, w.accounts[0].life(), skew, shape)
	for range 1 + r.IntN(3) {
		w.procs = append(w.procs, w.boot())
	}
	for _, acc := range w.accounts {
		w.letIn(w.procs[0], acc)
	}
	return w
}

func (w *world) boot() *process {
	w.starts++
	return w.start("p" + strconv.Itoa(w.starts))
}

// letIn has acc's user log in by p.
func (w *world) letIn(p *process, acc *user) {
	if acc.kind == own {
		return
	}
	var ps *pass
	w.lock(func() { ps = w.logIn(acc) })
	if acc.kind != stored {
		w.lock(func() {
			acc.counts(ps, p)
			acc.disk = ps
			ps.acc.home.adopt(acc)
		})
		return
	}
	w.spawn(func() {
		ctx, cancel := context.WithTimeout(p.ctx, 5*time.Minute)
		defer cancel()
		_ = p.app.login(ctx, acc, ps.token)
	})
}

func (w *world) spawn(f func()) { w.running.Go(f) }

func (w *world) say(format string, args ...any) {
	w.script = append(w.script, fmt.Sprintf("%12s  ", time.Since(w.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// trace adds to the script, if it is to be printed whole, what came of a step. The lock is held.
func (w *world) trace(format string, args ...any) {
	if w.traced {
		w.say("    "+format, args...)
	}
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// between is a time with odd nanoseconds, so that two things seldom happen at once.
func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rng.Int64N(int64(most-least))) | 1
}

func (w *world) refreshLife() time.Duration {
	if w.legacy {
		return 365 * day
	}
	return 60 * day
}

// run plays the script.
func (w *world) run() {
	steps := 100 + w.rng.IntN(100)
	for i := range steps {
		w.step()
		if w.failure == "" && i%10 == 9 {
			w.calmDown()
		}
		if w.failure != "" {
			break
		}
	}
	w.count["steps"] += len(w.script)
	w.finish()
}

// An event is what the script has happen some time after a step has begun.
type event struct {
	after time.Duration
	what  string
	do    func()
}

// step lets time pass, and then much happen in little time.
func (w *world) step() {
	time.Sleep(w.gap())
	window := w.between(time.Second, []time.Duration{4 * time.Second, 30 * time.Second, 4 * time.Minute}[w.rng.IntN(3)])
	w.focus.p, w.focus.acc = w.anyProcess(), w.anyUser()
	w.focus.percent = []int{0, 60, 90}[w.rng.IntN(3)]
	var events []event
	for range w.rng.IntN(5) {
		e := w.disturbance()
		e.after = w.between(0, window/2)
		events = append(events, e)
	}
	for range w.rng.IntN(12) {
		e := w.call(w.process(), w.user())
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
	time.Sleep(window - time.Since(began))
	synctest.Wait()
	w.lock(w.settled)
}

func (w *world) anyProcess() *process { return w.procs[w.rng.IntN(len(w.procs))] }
func (w *world) anyUser() *user       { return w.accounts[w.rng.IntN(len(w.accounts))] }

// process and user are any, or rather those that the step is about.
func (w *world) process() *process {
	if p := w.focus.p; w.chance(w.focus.percent) && !p.dead() {
		return p
	}
	return w.anyProcess()
}

func (w *world) user() *user {
	if w.chance(w.focus.percent) {
		return w.focus.acc
	}
	return w.anyUser()
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
	case n < 98:
		return w.between(life, life*11/10)
	}
	return w.between(59*day, 70*day)
}

// call is a call of the library by p for acc.
func (w *world) call(p *process, acc *user) event {
	o := &op{p: p, acc: acc}
	switch n := w.rng.IntN(100); {
	case acc.kind != stored && acc.home != nil:
		o.p = acc.home
		fallthrough
	default:
		o.how = "our client"
		switch {
		case n < 25:
			o.how = "oauth2.NewClient"
		case n < 35:
			o.how = "Token"
		case n < 45:
			o.how = "TokenContext"
		case n < 60:
			o.how = "Refresh"
		case n < 63:
			o.how = "elsewhere"
		}
	}
	if o.how == "oauth2.NewClient" || o.how != "Token" && w.chance(80) {
		o.limit = w.between(time.Second, 3*time.Minute)
	}
	return event{what: fmt.Sprintf("%s: %s for %s, within %v", o.p.name, o.how, acc.key, o.limit), do: func() { w.spawn(func() { w.do(o) }) }}
}

// do does what o says.
func (w *world) do(o *op) {
	if o.p.dead() || o.acc.kind != stored && o.acc.home != o.p {
		return
	}
	ctx := context.WithValue(context.Background(), ctxKey("op"), o)
	if o.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.limit)
		defer cancel()
	}
	w.lock(func() { w.begin(o) })
	var t *oauth2.Token
	switch o.how {
	case "Token":
		t, o.err = o.p.app.token(o.acc)
	case "TokenContext":
		t, o.err = o.p.app.tokenContext(ctx, o.acc)
	case "Refresh":
		t, o.err = o.p.app.refresh(ctx, o.acc)
	default:
		o.status, o.err = w.get(ctx, o)
	}
	w.lock(func() {
		w.count["calls: "+o.how]++
		if t != nil {
			if o.got = w.passes[t.AccessToken]; o.got == nil {
				w.broken(storeIsWhole, "%v returned a token that nobody issued", o)
			} else {
				o.got.token = t
				o.status = http.StatusOK
			}
		}
		w.end(o)
	})
}

func (w *world) get(ctx context.Context, o *op) (int, error) {
	url, how := "https://api.pinterest.com/v5/user_account", o.how
	if how == "elsewhere" {
		url, how = "https://uploads.example/", "our client"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	var c *http.Client
	w.lock(func() { c = o.p.client(o.acc, how) })
	if how == "oauth2.NewClient" {
		turn := w.turn(c)
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		o.leave = sync.OnceFunc(func() { <-turn })
		defer o.leave()
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// turn is what the users of one client of x/oauth2's queue at until they have a token: its own queue is a mutex, which
// would stop the bubble's time.
func (w *world) turn(c *http.Client) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.turns[c] == nil {
		w.turns[c] = make(chan struct{}, 1)
	}
	return w.turns[c]
}

// calmDown mends all, lets every process use every account, and asks the model whether everything is well again.
func (w *world) calmDown() {
	w.say("all is calm")
	w.lock(func() {
		for _, acc := range w.accounts {
			acc.faults, acc.apiFaults, acc.refuses = nil, nil, time.Time{}
			if acc.kind != stored && acc.home == nil {
				w.procs[0].adopt(acc)
			}
		}
		for _, p := range w.procs {
			p.moody, p.door.trouble, p.door.until = 0, "", time.Time{}
		}
	})
	time.Sleep(time.Minute) // for what was on its way already and meets trouble yet
	synctest.Wait()
	pauses := []time.Duration{1, 20 * time.Second, 70 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute}
	if left := time.Until(w.quietAt); left > 0 {
		pauses = append([]time.Duration{left}, pauses...)
	}
	if since := time.Since(w.appVerdict); since < 3*time.Hour {
		pauses = append([]time.Duration{75 * time.Second, 75 * time.Minute, 75 * time.Minute}, pauses...)
	}
	if w.anyVerdict() {
		pauses = append([]time.Duration{25 * time.Hour, 25 * time.Hour}, pauses...)
	}
	var last []*op
	for _, pause := range pauses {
		time.Sleep(pause | 1)
		last = nil
		for _, p := range w.procs {
			for _, acc := range w.accounts {
				if acc.kind != stored && acc.home != p {
					continue
				}
				how := "our client"
				if w.chance(30) {
					how = "oauth2.NewClient"
				}
				o := &op{p: p, acc: acc, how: how, limit: time.Minute + 1}
				last = append(last, o)
				w.spawn(func() { w.do(o) })
			}
		}
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	w.lock(func() {
		w.settled()
		w.calm(last)
	})
	w.letAllIn(last)
}

// anyVerdict reports whether a process may still hold a user's verdict that is false.
func (w *world) anyVerdict() bool {
	for _, p := range w.procs {
		for _, acc := range w.accounts {
			if r := p.view(acc).refused; acc.saidFalse || r != nil && r.lives() {
				return true
			}
		}
	}
	return false
}

// letAllIn has the users log in again whose logins are dead.
func (w *world) letAllIn(last []*op) {
	again := make(map[*user]bool)
	for _, o := range last {
		if o.acc.kind != own && !again[o.acc] && (o.err != nil || o.status != http.StatusOK) {
			w.say("%s's user logs in again: %d, %v", o.acc.key, o.status, o.err)
			again[o.acc] = true
			w.letIn(o.p, o.acc)
		}
	}
}

// finish ends everything, and looks at what is left.
func (w *world) finish() {
	for _, p := range w.procs {
		p.end()
	}
	w.lock(func() {
		for _, p := range w.procs {
			if !p.dead() {
				p.kill(time.Minute)
			}
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
