package pinterest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

type bad = pinteresttest.Fault

// A fault is what goes wrong with one request: one of pinteresttest's, or the end of the goroutine that asks.
type fault struct {
	name string
	pinteresttest.Fault
	asks  time.Duration // how long the answer asks to wait
	dated bool          // it does so by Pinterest's clock
	exit  bool
}

// tokenFaults are what can go wrong with a token request.
var tokenFaults = []fault{
	{name: "rate limit with Retry-After", Fault: bad{Status: 429, RetryAfter: "7"}, asks: 7 * time.Second},
	{name: "rate limit with a long Retry-After", Fault: bad{Status: 429, RetryAfter: "200"}, asks: 200 * time.Second},
	{name: "rate limit with a reset", Fault: bad{Status: 429, RateLimitReset: "9"}, asks: 9 * time.Second},
	{name: "rate limit without either", Fault: bad{Status: 429}},
	{name: "rate limit as of Pinterest's clock", Fault: bad{Status: 429}, asks: 30 * time.Second, dated: true},
	{name: "500", Fault: bad{Status: 500}},
	{name: "503 with HTML", Fault: bad{Status: 503, Body: "<html>try later</html>"}},
	{name: "502 with nothing", Fault: bad{Status: 502, EmptyBody: true}},
	{name: "code 12 as a 400", Fault: bad{Status: 400, Code: 12}},
	{name: "404 with HTML", Fault: bad{Status: 404, Body: "<html>not here</html>"}},
	{name: "200 with HTML", Fault: bad{Body: "<html>captive portal</html>"}},
	{name: "200 with nothing", Fault: bad{EmptyBody: true}},
	{name: "no answer", Fault: bad{Lose: true}},
	{name: "no answer though it was done", Fault: bad{After: true, Lose: true}},
	{name: "500 though it was done", Fault: bad{After: true, Status: 500}},
	{name: "cut", Fault: bad{Cut: true}},
	{name: "slow", Fault: bad{Latency: 11*time.Second + 1}},
	{name: "too slow", Fault: bad{Latency: 45*time.Second + 1}},
	{name: "too slow after it was done", Fault: bad{After: true, Latency: 45*time.Second + 1}},
	{name: "slow after it was done", Fault: bad{After: true, Latency: 11*time.Second + 1}},
	{name: "more headers", Fault: bad{Header: http.Header{"X-Pinterest-More": {"of it"}}}},
	{name: "a false 283", Fault: bad{Status: 401, Code: 283}},
	{name: "a false 28", Fault: bad{Status: 401, Code: 28}},
	{name: "app refused", Fault: bad{Status: 401, Code: 2}},
	{name: "app not approved", Fault: bad{Status: 401, Code: 3}},
	{name: "not permitted", Fault: bad{Status: 403, Code: 29}},
	{name: "Goexit in the HTTP client", exit: true},
}

// apiFaults are what can go wrong with a request to the API.
var apiFaults = []fault{
	{name: "rate limit", Fault: bad{Status: 429}},
	{name: "500", Fault: bad{Status: 500}},
	{name: "no answer", Fault: bad{Lose: true}},
	{name: "cut", Fault: bad{Cut: true}},
	{name: "401", Fault: bad{Status: 401}},
	{name: "401 for a scope", Fault: bad{Status: 401, Code: 3}},
	{name: "slow", Fault: bad{Latency: 3*time.Second + 1}},
}

var always401 = fault{name: "401 for minutes", Fault: bad{Status: 401}}

// everyFault is what must have been counted when a dozen seeds have been run.
func everyFault() []string {
	all := []string{"logins", "logouts", "revocations", "access tokens expire early", "kills", "contexts end", "sweeps", "renewed by a sweep",
		"not renewed by a sweep", "sweeps that ended early", "accounts forgotten for want of use", "Wait", "API request: " + always401.name}
	for _, f := range tokenFaults {
		all = append(all, "token request: "+f.name)
	}
	for _, f := range apiFaults {
		all = append(all, "API request: "+f.name)
	}
	for _, f := range storeFaults {
		all = append(all, "store: "+f)
	}
	for _, f := range callbackFaults {
		all = append(all, "OnRefresh: "+f)
	}
	return all
}

// disturbance is what goes wrong next.
func (w *world) disturbance() event {
	r := w.rng
	p, acc := w.process(), w.account()
	storedAcc := acc
	if acc.kind != stored {
		storedAcc = w.accounts[r.IntN(len(w.accounts)-3)]
	}
	switch n := r.IntN(100); {
	case n < 30:
		f, times := tokenFaults[r.IntN(len(tokenFaults))], 1+r.IntN(5)
		if w.chance(50) {
			acc = storedAcc
		}
		return w.event(fmt.Sprintf("%s's next %d token requests: %s", acc.key, times, f.name), func() {
			acc.faults = append(acc.faults, slices.Repeat([]fault{f}, times)...)
		})
	case n < 36:
		f, times := apiFaults[r.IntN(len(apiFaults))], 1+r.IntN(3)
		return w.event(fmt.Sprintf("%s's next %d API requests: %s", acc.key, times, f.name), func() {
			acc.apiFaults = append(acc.apiFaults, slices.Repeat([]fault{f}, times)...)
		})
	case n < 40:
		d := w.between(time.Minute, 10*time.Minute)
		return w.event(fmt.Sprintf("the API answers %s 401 for %v", acc.key, d), func() { acc.refuses = time.Now().Add(d) })
	case n < 60:
		f := storeFaults[r.IntN(len(storeFaults))]
		d, delay := w.between(time.Second, 2*time.Minute), w.between(100*time.Millisecond, 5*time.Second)
		procs := []*process{p}
		if w.chance(50) {
			procs = w.procs
		}
		return w.event(fmt.Sprintf("the store %s for %v (%v), for %d processes", f, d, delay, len(procs)), func() {
			for _, p := range procs {
				p.store.fails(f, delay, d)
			}
		})
	case n < 68:
		f, times := callbackFaults[r.IntN(len(callbackFaults))], 1+r.IntN(6)
		return w.event(fmt.Sprintf("%s's OnRefresh %s %d times", p.name, f, times), func() { p.callbackFault, p.callbackFaults = f, times })
	case n < 74:
		return event{what: storedAcc.key + "'s user logs in by " + p.name, do: func() { w.logIn(p, storedAcc) }}
	case n < 76:
		return event{what: storedAcc.key + " is forgotten by " + p.name, do: func() { w.logOut(p, storedAcc) }}
	case n < 78:
		return w.event(acc.key+"'s user disconnects the app", func() {
			if acc.kind != own {
				w.count["revocations"]++
				acc.fake.RevokeGrants()
				acc.disconnected()
			}
		})
	case n < 82:
		return w.event(acc.key+"'s access tokens die", func() { w.count["access tokens expire early"]++; acc.fake.ExpireAccess() })
	case n < 91:
		lease := w.between(0, time.Minute)
		return w.event(p.name+" is killed, and its locks go free after "+lease.String(), func() {
			if i := slices.Index(w.procs, p); i >= 0 {
				w.count["kills"]++
				p.kill(lease)
				w.procs[i] = w.start()
				w.focus.p = w.procs[i]
			}
		})
	case n < 93:
		return w.event(p.name+"'s own context ends", func() { w.count["contexts end"]++; p.ended = true; p.end() })
	}
	limit := 20 * time.Minute
	if w.chance(20) {
		limit = w.between(0, 2*time.Second)
	}
	return event{what: fmt.Sprintf("%s sweeps, within %v", p.name, limit), do: func() { w.spawn(func() { w.sweep(p, limit) }) }}
}

func (w *world) event(what string, do func()) event {
	return event{what: what, do: func() { w.lock(do) }}
}

// logIn has acc's user log in by p.
func (w *world) logIn(p *process, acc *simAccount) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if acc.kind == own {
		return
	}
	w.count["logins"]++
	tok := w.approve(acc)
	if acc.kind != stored {
		acc.changes(tok, p)
		acc.file = tok
		acc.process.open(acc)
		return
	}
	w.change(p, acc, func(ctx context.Context) error { return p.app.login(ctx, acc, tok.oauth2) })
}

// logOut has acc's user log out by p.
func (w *world) logOut(p *process, acc *simAccount) {
	w.lock(func() { w.count["logouts"]++ })
	w.change(p, acc, func(ctx context.Context) error { return p.app.logout(ctx, acc) })
}

func (w *world) change(p *process, acc *simAccount, do func(ctx context.Context) error) {
	w.spawn(func() {
		ctx, cancel := context.WithTimeout(p.ctx, 5*time.Minute)
		defer cancel()
		began := time.Now()
		if do(ctx) != nil {
			return
		}
		w.lock(func() {
			if acc.changedBy == p && !acc.changed.Before(began) {
				acc.returned = time.Now()
			}
		})
	})
}

// sweep has p keep alive what is about to lapse.
func (w *world) sweep(p *process, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	start := time.Now()
	missing, whole := make(map[string]*issuedToken), true
	w.lock(func() {
		w.count["sweeps"]++
		p.sweeps++
		p.swept = start
		for key, due := range w.store.due {
			if acc := w.stored(key); acc.kept != nil && !due.IsZero() && due.Before(start.Add(sweepWithin)) {
				missing[key] = acc.kept
			}
		}
	})
	for key, err := range p.app.sweep(ctx) {
		w.lock(func() {
			p.swept = time.Now()
			w.yielded(p, start, ctx.Err() != nil, key, err)
			delete(missing, key)
			whole = whole && key != ""
		})
	}
	w.lock(func() {
		p.sweeps--
		p.swept = time.Now()
		for key, tok := range missing {
			if whole && ctx.Err() == nil && !p.dead() && w.stored(key).kept == tok {
				w.broken(sweepMissesNone, "%s's sweep of %v left %v", p.name, start.Sub(w.began), tok)
			}
		}
	})
}
