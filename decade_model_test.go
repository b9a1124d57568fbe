//go:build !race

package pinterest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"regexp"
	"time"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
)

// A promise is one of the library's, in a few words.
type promise string

const (
	noWaiting               promise = "while the access token is good no request waits"
	noFailing               promise = "while the access token is good no request fails"
	refreshRenews           promise = "Refresh renews a token that the process had, or had not read yet"
	refreshIsNew            promise = "Refresh returns a token that is newer than its call"
	refreshTokenOnce        promise = "a refresh token that was replaced is not sent again"
	noLoginIsLost           promise = "no login is lost"
	oneAtATime              promise = "one renewal at a time"
	heldBack                promise = "after a failure the next try is held back"
	retryAfter              promise = "no try comes sooner than Retry-After"
	takenUpAgain            promise = "renewing is taken up again"
	savedBeforeUse          promise = "a token is saved before it is used"
	tokensAreSaved          promise = "what is used is what is kept, in the end"
	callbackIsTold          promise = "OnRefresh is told of the newest token, in the end"
	storeIsWhole            promise = "the store holds the newest token, whole"
	loginIsNoticed          promise = "a login or logout elsewhere is noticed within a minute of use"
	nobodyHangs             promise = "every call ends"
	bearerStaysHome         promise = "tokens go to Pinterest alone"
	holdsNoConnection       promise = "while it renews a client holds no connection"
	verdictIsTrue           promise = "a verdict is Pinterest's"
	verdictIsKept           promise = "a verdict is not asked for again too soon"
	userVerdictEndsByItself promise = "ErrReauthorize ends by itself within a day"
	appVerdictEndsByItself  promise = "ErrClientRejected ends by itself within an hour"
	vainRenewals            promise = "an endpoint that answers 401 does not cost a renewal per request"
	plainIsOnlyExpired      promise = "nothing is renewed that nobody will hear of"
	nothingIsLeft           promise = "no goroutine is left"
)

// A pass is one token that Pinterest issued.
type pass struct {
	acc             *user
	family          int // which login of the account it came of; zero: nobody has kept that yet
	number          int // in the order of issue, of all of the account's
	access, refresh string
	expires, lapses time.Time // the access and the refresh token
	token           *oauth2.Token

	by         *process // who asked for it, and got it
	received   time.Time
	savedAt    time.Time
	there      time.Time // since when somebody else could have it
	replacedBy *pass     // somebody who had sent this refresh token got that

	saveTried, saved bool // in the store
	tellTried, told  bool // to OnRefresh
}

func (ps *pass) String() string {
	if ps == nil {
		return "nothing"
	}
	return fmt.Sprintf("token %s/%d.%d", ps.acc.key, ps.family, ps.number)
}

func (ps *pass) safe() bool { return ps.saved || ps.told && ps.acc.kind == told }

// good reports whether the access token can be sent now, by all that a process can know.
func (ps *pass) good() bool {
	return time.Now().Before(ps.expires.Add(-min(10*time.Second, ps.acc.life()/50) - ps.acc.life()/100))
}

func (a *user) life() time.Duration {
	if a.fake.AccessLife == 0 {
		return 30 * day
	}
	return a.fake.AccessLife
}

// truth is what is so about an account.
type truth struct {
	families  int            // logins and logouts so far
	family    int            // the one that counts
	changed   time.Time      // when it began
	changedBy *process       // and where
	issued    int            // how many passes
	newest    map[int]*pass  // the last of each family
	gone      map[int]bool   // families that Pinterest knows no more
	saidDead  map[int]bool   // families of which Pinterest has said so
	said401   bool           // the API said so, whyever, since the last renewal
	denied    bool           // the API said so of an access token that is alive
	saidFalse bool           // it said so of a family that is alive
	excuses   map[int]string // why a family may be lost
	store     *pass          // what the store holds
	inFlight  []*asking
	lockLost  time.Time
}

// An asking is one token request.
type asking struct {
	p            *process
	acc          *user
	parent       *pass // whose refresh token it sends
	at           time.Time
	status, code int
	pass         *pass // what was issued
}

// A view is what one process has seen of one account.
type view struct {
	has        *pass // that it used last
	received   *pass // that it got from Pinterest last
	failed     []time.Time
	notBefore  time.Time
	rejected   time.Time // Pinterest has said that the operator must act
	rejectedOf *pass
	refused    *pass // Pinterest has said that the user must act, of this
	refusedAt  time.Time
	used       map[string]time.Time // by each client, since when it is in use and the account has changed
	lastUsed   map[string]time.Time
	failedOf   *pass
	called     time.Time // when the last call began
	vain       time.Time
	refreshes  int       // calls of Refresh that go on
	refreshed  time.Time // when the last one ended
	calls      int       // that have ended
}

func (p *process) view(acc *user) *view {
	v := p.views[acc]
	if v == nil {
		v = &view{used: make(map[string]time.Time), lastUsed: make(map[string]time.Time)}
		p.views[acc] = v
	}
	return v
}

func (w *world) lock(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// broken is told of a promise that was not kept. The lock is held.
func (w *world) broken(p promise, format string, args ...any) {
	if w.failure == "" {
		w.promise, w.failure = p, fmt.Sprintf(format, args...)
	}
}

// lockIsLost is told that somebody who holds key can no longer keep others out.
func (w *world) lockIsLost(key string) {
	for _, acc := range w.accounts {
		if acc.key == key {
			acc.lockLost = time.Now()
			for _, q := range acc.inFlight { // which nobody can call back
				acc.excuses[q.parent.family] = errLockLost.Error()
			}
		}
	}
}

// sent is told of a token request as it leaves.
func (w *world) sent(q *asking) {
	acc, v, now := q.acc, q.p.view(q.acc), time.Now()
	w.count["requests to the token endpoint"]++
	for _, other := range acc.inFlight {
		if acc.lockLost.Before(other.at) {
			w.broken(oneAtATime, "%s asks for %s while %s has since %v", q.p.name, acc.key, other.p.name, now.Sub(other.at))
		}
	}
	acc.inFlight = append(acc.inFlight, q)
	if next := q.parent.next(); next != nil && (q.p == next.by || next.safe() || acc.excuses[next.family] == "") {
		w.broken(refreshTokenOnce, "%s sends that of %v, which %s had replaced by %v", q.p.name, q.parent, next.by.name, next)
	}
	if acc.kind == plain && v.has != nil && v.has.good() && v.has.number == acc.issued && v.refreshes == 0 && now.Sub(v.refreshed) > 2*time.Minute && !acc.said401 && w.accepts(v.has) {
		w.broken(plainIsOnlyExpired, "%s renews %v, which is good for %v", q.p.name, v.has, v.has.expires.Sub(now))
	}
	if q.parent != v.failedOf { // another token may be tried at once
		v.failed, v.notBefore, v.failedOf = nil, time.Time{}, q.parent
	}
	if now.Before(v.notBefore) {
		w.broken(retryAfter, "%s asks for %s %v too soon", q.p.name, acc.key, v.notBefore.Sub(now))
	}
	if n := len(v.failed); n > 0 && now.Sub(q.p.swept) > 2*time.Hour && (q.parent == nil || acc.excuses[q.parent.family] == "") {
		if pause := now.Sub(v.failed[n-1]); pause < 180*time.Millisecond {
			w.broken(heldBack, "%s asks for %s again after %v", q.p.name, acc.key, pause)
		}
		if n >= 4 { // a renewal has four tries
			if pause := now.Sub(v.failed[n-4]); pause < 750*time.Millisecond {
				w.broken(heldBack, "%s asks for %s for the %dth time in a row, and the last four times within %v", q.p.name, acc.key, n+1, pause)
			}
		}
	}
	if pause := now.Sub(v.rejected); now.Sub(q.p.swept) > 2*time.Hour && (q.parent == nil || acc.excuses[q.parent.family] == "") && pause < 45*time.Second && q.parent == v.rejectedOf {
		w.broken(verdictIsKept, "%s asks for %s again %v after ErrClientRejected", q.p.name, acc.key, pause)
	}
	if pause := now.Sub(v.refusedAt); now.Sub(q.p.swept) > 2*time.Hour && (q.parent == nil || acc.excuses[q.parent.family] == "") && pause < time.Hour && q.parent == v.refused && v.refused != nil {
		w.broken(verdictIsKept, "%s asks for %s again %v after ErrReauthorize", q.p.name, acc.key, pause)
	}
}

func (ps *pass) next() *pass {
	if ps == nil {
		return nil
	}
	return ps.replacedBy
}

// issue is told of an answer's token before anybody gets it.
func (w *world) issue(q *asking, body []byte) {
	acc := q.acc
	acc.issued++
	ps := &pass{acc: acc, number: acc.issued, expires: time.Now().Add(acc.life()), lapses: time.Now().Add(60 * day)} // a legacy app's, too: the library asks for such
	if q.parent != nil {
		ps.family = q.parent.family
	}
	q.pass = ps
	if !w.legacy || acc.kind == own {
		acc.newest[ps.family] = ps
	}
	// Of an answer that was cut, what came whole is to be kept.
	field := func(name string) string {
		m := regexp.MustCompile(`"` + name + `":"([^"]*)"`).FindSubmatch(body)
		if m == nil {
			return ""
		}
		return string(m[1])
	}
	if ps.access, ps.refresh = field("access_token"), field("refresh_token"); ps.access == "" {
		return // nobody will ever know it
	}
	if ps.refresh == "" && !w.legacy && acc.kind != own {
		acc.excuses[ps.family] = "an answer was cut"
	}
	if ps.refresh == "" && q.parent != nil {
		ps.refresh, ps.lapses = q.parent.refresh, q.parent.lapses
	}
	w.know(ps)
}

func (w *world) know(ps *pass) {
	w.passes[ps.access] = ps
	if _, known := w.refreshes[ps.refresh]; !known && ps.refresh != "" {
		w.refreshes[ps.refresh] = ps
	}
}

// logIn has a user approve the app.
func (w *world) logIn(acc *user) *pass {
	t := acc.fake.Login()
	acc.issued++
	ps := &pass{acc: acc, number: acc.issued, access: t.AccessToken, refresh: t.RefreshToken, token: t,
		expires: time.Now().Add(acc.life()), lapses: time.Now().Add(w.refreshLife())}
	w.know(ps)
	return ps
}

// counts makes ps's login the one that counts.
func (acc *user) counts(ps *pass, p *process) {
	acc.families++
	acc.family, acc.changed, acc.changedBy = acc.families, time.Now(), p
	acc.saidFalse, acc.denied = false, false
	if ps != nil {
		ps.family = acc.family
		acc.newest[ps.family] = ps
	}
	for _, other := range acc.w.procs {
		v := other.view(acc)
		clear(v.used)
		v.notBefore, v.failed, v.vain = time.Time{}, nil, time.Time{} // of the former login
	}
}

// lives reports whether ps can be renewed.
func (ps *pass) lives() bool {
	acc := ps.acc
	return !acc.gone[ps.family] && time.Now().Before(ps.lapses) && (!acc.fake.StrictRotation || acc.newest[ps.family].refresh == ps.refresh)
}

// revokedByReplay is told that Pinterest took a replay for a theft.
func (w *world) revokedByReplay(q *asking) {
	acc := q.acc
	acc.gone[q.parent.family] = true
	if acc.excuses[q.parent.family] == "" {
		w.broken(noLoginIsLost, "%s's request had the login of %v revoked", q.p.name, q.parent)
	}
}

// landed is told how a token request ended for whoever sent it.
func (w *world) landed(q *asking, f fault, received bool) {
	acc, v, now := q.acc, q.p.view(q.acc), time.Now()
	w.trace("%s's request of %v for %s by %v ends: received %v, %d, code %d, %v %s", q.p.name, q.at.Sub(w.began), acc.key, q.parent, received, q.status, q.code, q.pass, f.name)
	for i, other := range acc.inFlight {
		if other == q {
			acc.inFlight = append(acc.inFlight[:i:i], acc.inFlight[i+1:]...)
			break
		}
	}
	if q.pass != nil && received && q.status == http.StatusOK && q.pass.access != "" {
		ps := q.pass
		ps.by, ps.received = q.p, now
		if q.parent != nil && ps.refresh != q.parent.refresh {
			q.parent.replacedBy = ps
		}
		if now.Before(acc.refuses) && q.parent != nil && v.has != nil && now.Before(v.has.expires.Add(-acc.life()/9)) && v.refreshes == 0 && now.Sub(v.refreshed) > 2*time.Minute {
			if gap := now.Sub(v.vain); gap < 45*time.Second {
				w.broken(vainRenewals, "%s renews %s again after %v", q.p.name, acc.key, gap)
			}
			v.vain = now
		}
		v.received, v.failed, v.notBefore, v.rejected, v.refused = ps, nil, time.Time{}, time.Time{}, nil
		acc.saidDead[ps.family], acc.saidFalse, acc.denied, acc.said401 = false, false, false, false
		return
	}
	if q.pass != nil {
		acc.excuses[q.pass.family] = "an answer was lost"
	}
	if q.p.dead() {
		return
	}
	v.failed = append(v.failed, now)
	if !received {
		return
	}
	if f.asks > 0 {
		v.notBefore = now.Add(f.asks)
		if v.notBefore.After(w.quietAt) {
			w.quietAt = v.notBefore
		}
	}
	switch {
	case q.status == 401 && (q.code == 283 || q.code == 28):
		if q.parent == nil { // a false one: client credentials have no grant to be invalid
			acc.saidDead[0], acc.saidFalse = true, true
			break
		}
		acc.saidDead[q.parent.family] = true
		v.refused, v.refusedAt = q.parent, now
		if q.parent.lives() {
			acc.saidFalse = true
		}
	case (q.status == 401 || q.status == 403) && (q.code == 2 || q.code == 3 || q.code == 29):
		v.rejected, v.rejectedOf = now, q.parent
		w.appVerdict = now
	}
}

// used is told of an API request as it leaves.
func (w *world) used(p *process, ps *pass, o *op) {
	acc, v := ps.acc, p.view(ps.acc)
	w.count["requests to the API"]++
	w.handed(p, ps)
	if renewable := acc.store != nil && !acc.store.good(); acc.kind == stored && ps.family != acc.family && o != nil && !renewable {
		first, again := v.used[o.how]
		if again = again && time.Since(v.lastUsed[o.how]) < time.Minute; !again {
			v.used[o.how] = time.Now()
		}
		v.lastUsed[o.how] = time.Now()
		if again && time.Since(first) > 65*time.Second && p.door.wellSince(time.Now().Add(-2*time.Minute)) && p.door.wellSince(first) {
			w.broken(loginIsNoticed, "%s sends %v by %s, %v after it was replaced", p.name, ps, o.how, time.Since(acc.changed))
		}
	}
}

// handed is told of a token that somebody got.
func (w *world) handed(p *process, ps *pass) {
	v := p.view(ps.acc)
	if ps.there.IsZero() {
		ps.there = time.Now()
	}
	if v.has == nil || v.has.family < ps.family || v.has.number < ps.number {
		v.has = ps
	}
	switch {
	case ps.by != p:
	case ps.acc.kind == stored && !ps.saved && !ps.saveTried,
		ps.acc.kind == told && !ps.tellTried:
		w.broken(savedBeforeUse, "%s uses %v", p.name, ps)
	}
}

// record reads what is to be kept.
func (w *world) record(key string, value []byte) *pass {
	var t oauth2.Token
	if err := json.Unmarshal(value, &t); err != nil {
		w.broken(storeIsWhole, "under %s: %v", key, err)
		return nil
	}
	ps := w.passes[t.AccessToken]
	if ps == nil || ps.refresh != t.RefreshToken {
		w.broken(storeIsWhole, "under %s: a token that nobody issued", key)
		return nil
	}
	return ps
}

// notSaved is told of a value that the store was given and did not keep.
func (w *world) notSaved(key string, value []byte, why error) {
	if ps := w.record(key, value); ps != nil {
		ps.saveTried = true
		w.trace("not saved: %v: %v", ps, why)
		if ps.family != 0 {
			ps.acc.excuses[ps.family] = why.Error()
		}
	}
}

// saved is told of every value that is kept.
func (w *world) saved(p *process, key string, old, value []byte) {
	ps := w.record(key, value)
	if ps == nil {
		return
	}
	acc := ps.acc
	switch {
	case ps.family == 0:
		acc.counts(ps, p)
	case ps.family != acc.family:
		w.broken(storeIsWhole, "%s overwrites %v, a later login or logout, by %v", p.name, acc.store, ps)
	case acc.store != nil && ps.number < acc.store.number && acc.excuses[ps.family] == "":
		w.broken(storeIsWhole, "%s overwrites %v by %v", p.name, acc.store, ps)
	}
	w.trace("%s saves %v", p.name, ps)
	acc.store, ps.saved, ps.saveTried, ps.savedAt = ps, true, true, time.Now()
	if ps.there.IsZero() {
		ps.there = time.Now()
	}
}

// loggedOut is told that key was deleted.
func (w *world) loggedOut(p *process, key string) {
	for _, acc := range w.accounts {
		if acc.key == key {
			acc.store = nil
			acc.counts(nil, p)
		}
	}
}

// An op is one call of the library.
type op struct {
	p     *process
	acc   *user
	how   string
	start time.Time
	limit time.Duration // of its own context; zero: none

	firstHere bool  // no call of the process for the account had ended when it began
	had       *pass // that the process had used when it began
	has       *pass // that the process had used when it began, if that is good
	stored    *pass // that the store held when it began, if that is good and the store was well for long
	family    int

	leave    func() // the queue for a token
	requests int
	first    time.Time // when it sent its first request to the API
	faulty   bool      // the API did not do what was asked
	done     bool
	queued   bool // by x/oauth2, behind one that may wait for a token
	alone    bool // no renewal that others began can be under way
	status   int
	err      error
	got      *pass
}

// begin looks at the world as an op begins.
func (w *world) begin(o *op) {
	o.start, o.family = time.Now(), o.acc.family
	for other := range w.ops {
		o.queued = o.queued || o.how == "oauth2.NewClient" && other.how == o.how && other.p == o.p && other.acc == o.acc
	}
	w.ops[o] = true
	called := &o.p.view(o.acc).called
	o.alone, *called = time.Since(*called) > 5*time.Minute, o.start
	if o.how == "Refresh" {
		o.p.view(o.acc).refreshes++
	}
	v := o.p.view(o.acc)
	o.firstHere, o.had = v.calls == 0, v.has
	if o.acc.denied && o.acc.saidDead[o.acc.family] {
		return // both ends of Pinterest have said that the token is dead
	}
	if ps := o.had; ps != nil && ps.good() && w.accepts(ps) && (o.acc.kind != stored || ps.family == o.acc.family) {
		o.has = ps
	}
	if ps := o.acc.store; ps != nil && ps.good() && w.accepts(ps) {
		o.stored = ps
	}
}

// sent is told of each of the op's requests to the API.
func (o *op) sent(*http.Request) {
	if o.requests++; o.requests == 1 {
		o.first = time.Now()
	}
	if o.leave != nil {
		o.leave()
	}
}

// end looks at what became of an op.
func (w *world) end(o *op) {
	o.done = true
	w.trace("%v ends: %d, %v, %v", o, o.status, o.got, o.err)
	delete(w.ops, o)
	p, acc, now := o.p, o.acc, time.Now()
	p.view(acc).calls++
	if o.how == "Refresh" {
		p.view(acc).refreshes--
		p.view(acc).refreshed = now
	}
	if p.dead() {
		return
	}
	if o.got != nil {
		w.handed(p, o.got)
		if acc.kind == plain {
			acc.disk = o.got
		}
	}
	took := now.Sub(o.start)
	if took > w.patience(o) {
		w.broken(nobodyHangs, "%v took %v", o, took)
	}
	ownContext := o.err != nil && o.limit > 0 && took >= o.limit || errors.Is(o.err, context.Canceled) && p.contextIs == "over"
	if o.has != nil && o.how != "Refresh" {
		waited := took
		if o.requests > 0 {
			waited = o.first.Sub(o.start)
		}
		if waited > 0 && o.has.good() && !o.queued {
			w.broken(noWaiting, "%v waited for %v though it had %v, good for %v", o, waited, o.has, o.has.expires.Sub(now))
		}
		if o.err != nil && !o.faulty && !ownContext && o.family == acc.family {
			w.broken(noFailing, "%v had %v, good for %v: %v", o, o.has, o.has.expires.Sub(now), o.err)
		}
	}
	if ps := o.stored; ps != nil && ps == acc.store && ps.good() && o.start.Sub(ps.savedAt) > 65*time.Second && o.err != nil && o.how != "Refresh" && !o.faulty && !ownContext && p.door.wellSince(o.start.Add(-2*time.Minute)) && w.accepts(ps) {
		w.broken(noFailing, "%v though the store has %v, good for %v: %v", o, ps, ps.expires.Sub(now), o.err)
	}
	if o.how == "Refresh" && o.alone && o.got != nil && o.got.there.Before(o.start) && !o.got.savedAt.After(o.start) {
		w.broken(refreshIsNew, "%v returned %v, which was there before", o, o.got)
		if o.firstHere || o.had == o.got {
			w.broken(refreshRenews, "%v returned %v, which was there before", o, o.got)
		}
	}
	if errors.Is(o.err, pinterest.ErrReauthorize) && p.view(acc).refused == nil && !errors.Is(o.err, fs.ErrNotExist) && o.start.Sub(acc.changed) > 65*time.Second && !acc.saidDead[acc.family] && !(p.view(acc).refused != nil && !p.door.wellSince(o.start.Add(-2*time.Minute))) && !(acc.kind == stored && acc.store == nil) && o.family == acc.family {
		w.broken(verdictIsTrue, "%v: %v", o, o.err)
	}
	if errors.Is(o.err, pinterest.ErrClientRejected) && p.view(acc).rejected.IsZero() {
		w.broken(verdictIsTrue, "%v: %v", o, o.err)
	}
}

// patience is how long a call may take: as its context allows, or else a sibling's renewal, its own, and the saving.
// A client of x/oauth2's does not look at the context while it waits for a token.
func (w *world) patience(o *op) time.Duration {
	const documented = 3 * time.Minute
	switch {
	case o.limit == 0:
		return documented
	case o.how == "oauth2.NewClient":
		return o.limit + documented
	}
	return o.limit + time.Second
}

func (o *op) String() string {
	return fmt.Sprintf("%s's %s for %s of %v", o.p.name, o.how, o.acc.key, o.start.Sub(o.p.w.began).Round(time.Millisecond))
}

// settled says after a step what must hold whatever has happened.
func (w *world) settled() {
	for o := range w.ops {
		if !o.p.dead() && time.Since(o.start) > w.patience(o) {
			w.broken(nobodyHangs, "%v still waits after %v", o, time.Since(o.start))
		}
	}
}

// calm says what must hold when nothing has gone wrong for a while and every process has used every account.
func (w *world) calm(last []*op) {
	for _, acc := range w.accounts {
		for _, p := range w.procs {
			ps := p.view(acc).received
			if ps == nil || ps.family != acc.family || acc.kind != stored && acc.home != p {
				continue
			}
			// Who could not save has another renew, whose token is kept in the end.
			another := acc.store != nil && acc.store.by != p && acc.excuses[ps.family] != "" && !ps.saved && acc.store.savedAt.After(ps.received)
			if acc.kind == stored && acc.store != nil && acc.store.number < ps.number && acc.excuses[ps.family] != errLockLost.Error() && !another {
				w.broken(tokensAreSaved, "%s got %v and the store holds %v", p.name, ps, acc.store)
			}
			if !ps.told && acc.kind == told {
				w.broken(callbackIsTold, "%s was not told of %v, which came %v ago", p.name, ps, time.Since(ps.received))
			}
		}
	}
	for _, o := range last {
		if o.status == http.StatusOK && o.err == nil || o.acc.family != o.family || o.how == "oauth2.NewClient" && (o.status == http.StatusUnauthorized || o.p.contextIs == "over") {
			continue
		}
		ps := o.acc.store
		if o.acc.kind != stored {
			ps = o.acc.disk
			if got := o.p.view(o.acc).received; got != nil && (ps == nil || got.number > ps.number && got.family == o.acc.family) {
				ps = got
			}
		}
		switch {
		case o.acc.kind == own:
			w.broken(w.verdict(o), "%v: %d, %v", o, o.status, o.err)
		case ps == nil:
		case !ps.lives() && o.acc.excuses[ps.family] == "" && !o.acc.gone[ps.family] && time.Now().Before(ps.lapses):
			w.broken(noLoginIsLost, "%v: %d, %v: nobody has the last token of %v", o, o.status, o.err, ps)
		case ps.lives():
			w.broken(w.verdict(o), "%v: %d, %v: Pinterest would renew %v", o, o.status, o.err, ps)
		}
	}
}

// verdict is the promise that an op breaks which fails though nothing is wrong any more.
func (w *world) verdict(o *op) promise {
	switch {
	case errors.Is(o.err, pinterest.ErrClientRejected), o.status == http.StatusUnauthorized && !o.p.view(o.acc).rejected.IsZero():
		return appVerdictEndsByItself
	case o.acc.saidFalse:
		return userVerdictEndsByItself
	}
	return takenUpAgain
}
